/* What attention's kernels for Hopper share: rings of buffers, rows on their way out, tensor maps of heads.
 */
#ifndef TTT_OPS_ATTENTION_ATTENTION_HOPPER_CUH
#define TTT_OPS_ATTENTION_ATTENTION_HOPPER_CUH

#include "ttt/device/hopper.cuh"
#include "ttt/ops/attention/attention_cuda.cuh"

extern "C" {
#include "ttt/device/cuda_tensor_map.h"
}

enum { WARP_ROWS = 16 };

typedef bf16 tile_row[TILE_ROW];

/* A lane's pairs of a 64 x 64 product, 16 columns at a time: left operands, and what store_matrices takes. */
typedef uint32_t operand_pairs[4][4];

/* Which of a ring of buffers, and the parity of its phase to wait for. */
struct place {
    unsigned at, phase;
};

/* A head as tensor maps count it. */
struct head_place {
    int head, sample;
};

#if TTT_HOPPER

template <int COUNT> static __device__ inline void move_on(place &p)
{
    p.at = (p.at + 1) % COUNT;
    p.phase ^= p.at == 0;
}

static __device__ inline void pack(operand_pairs &pairs, const float (&c)[32], float scale = 1)
{
#pragma unroll
    for (int i = 0; i < 16; i++)
        pairs[i / 4][i % 4] = bf16_pair(scale * c[2 * i], scale * c[2 * i + 1]);
}

/* A warp's 16 rows of a product into a tile; `rows` are the warp's. */
static __device__ inline void put_rows(tile_row *rows, const operand_pairs &pairs)
{
    const int lane = opaque(lane_of_warp()), matrix = lane / 8, row = 8 * (matrix % 2) + lane % 8,
              chunk = opaque(matrix / 2 ^ row % 8);
#pragma unroll
    for (int i = 0; i < 4; i++)
        store_matrices(&rows[row][(chunk ^ 2 * i) * 8], pairs[i]);
    shared_is_written();
}

#endif

/* ---- host ---- */

/* Whether copies can step through a tensor; `joined` as for attention_heads_of. */
static inline bool has_boxes(const ttt_operand *x, bool joined)
{
    const attention_heads heads = attention_heads_of(x, joined);
    const int64_t strides[] = {heads.row, heads.head, heads.sample},
                  sizes[] = {x->shape.size[joined ? 1 : 2], x->shape.size[joined ? 2 : 1], x->shape.size[0]};
    for (int i = 0; i < 3; i++)
        if (sizes[i] > 1 && (strides[i] <= 0 || strides[i] % 8 || strides[i] >> 39))
            return false;
    return reinterpret_cast<uintptr_t>(x->data) % 16 == 0;
}

/* Of a tensor (B, H, rows, d), or (B, rows, H, d) if joined. */
static inline ttt_status map_of(const ttt_operand *x, bool joined, int box_rows, CUtensorMap *map)
{
    const attention_heads heads = attention_heads_of(x, joined);
    const int64_t *size = x->shape.size, rows = size[joined ? 1 : 2], count = size[joined ? 2 : 1];
    const int64_t unread = 8; /* the stride of a dimension of size 1, which may be none that a map takes */
    const ttt_cuda_matrices matrices = {.data = x->data,
                                        .rows = rows,
                                        .columns = size[3],
                                        .count = count,
                                        .leading = rows > 1 ? heads.row : unread,
                                        .batch = count > 1 ? heads.head : unread,
                                        .box_rows = box_rows,
                                        .groups = size[0],
                                        .group = size[0] > 1 ? heads.sample : unread};
    return ttt_cuda_tensor_map(&matrices, map);
}

#endif
