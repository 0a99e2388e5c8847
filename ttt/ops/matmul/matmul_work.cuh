/* What the kernels of matmul share: the division of the work among blocks, and how a sum becomes a result.
 *
 * A block computes a tile of the results of one matrix; the depth of a tile is that of all its terms.  Where
 * there are few tiles, blocks share a tile's depth: each writes its part of the sums to the workspace, and a
 * second kernel adds the parts, in order.  The division follows from the shape alone.
 */
#ifndef TTT_OPS_MATMUL_MATMUL_WORK_CUH
#define TTT_OPS_MATMUL_MATMUL_WORK_CUH

#include "ttt/device/kernel.cuh"
#include "ttt/ops/pointwise/formulas.cuh"

extern "C" {
#include "ttt/ops/matmul/matmul_rows.h"
#include "ttt/ops/matmul/product.h"
}

constexpr int TILE = 64;               /* a block's results: TILE x TILE of one matrix */
constexpr int64_t ENOUGH_BLOCKS = 528; /* four for each multiprocessor of the largest GPU */
constexpr int64_t LEAST_DEPTH = 128;   /* worth a block */
constexpr int64_t MOST_PARTS = 64;

/* What a block has to know; the same for all. */
struct work {
    ttt_product p;
    ttt_matmul_attributes attributes;
    const void *a, *b, *c;
    void *y;
    bool a_is_bf16, b_is_bf16, c_is_bf16, y_is_bf16;
    int64_t across, tiles; /* tiles of a row of tiles, and of a matrix */
    int64_t slices;        /* of one term's depth */
    int64_t parts;         /* of a tile's depth */
    float *partial;        /* (parts, y); used when there are several */
};

static __device__ void add_offsets(const ttt_product_dimension *list, int count, int64_t index, int64_t &a,
                                   int64_t &b)
{
    for (int i = count - 1; i >= 0; i--) {
        const int64_t at = index % list[i].size;
        index /= list[i].size;
        a += at * list[i].a;
        b += at * list[i].b;
    }
}

static __device__ float finished(const work &w, float sum, int64_t i)
{
    const float x = w.attributes.alpha * sum, c = w.c ? load_any(w.c, w.c_is_bf16, i) : 0;
    switch (w.attributes.finish) {
    case TTT_MATMUL_ADD:
        return x + w.attributes.beta * c;
    case TTT_MATMUL_GELU_GRAD:
        return x * ttt_fast_gelu_grad(c);
    case TTT_MATMUL_SILU_GRAD:
        return x * ttt_fast_silu_grad(c, ttt_fast_sigmoid(c));
    default:
        return x;
    }
}

/* What a block does: `steps` slices of the depth of all terms, of the tile at row m and column n; and how far
 * it has come. */
struct place {
    int part, batch, m, n;
    int term, slice, steps;
    int64_t a, b; /* where the first slice of the first term starts, in elements */
};

static __device__ place place_of(const work &w)
{
    const ttt_product &p = w.p;
    const int64_t tile = blockIdx.x / w.parts % w.tiles, all = p.terms * w.slices;
    place at = {.part = (int)(blockIdx.x % w.parts),
                .batch = (int)(blockIdx.x / w.parts / w.tiles),
                .m = (int)(tile / w.across) * TILE,
                .n = (int)(tile % w.across) * TILE};
    const int64_t begin = all * at.part / w.parts;
    at.term = (int)(begin / w.slices);
    at.slice = (int)(begin % w.slices);
    at.steps = (int)(all * (at.part + 1) / w.parts - begin);
    at.a = at.m * p.a_row;
    at.b = at.n * p.b_column;
    add_offsets(p.batch, p.n_batch, at.batch, at.a, at.b);
    return at;
}

static __device__ void next_slice(const work &w, place &place)
{
    if (++place.slice == w.slices) {
        place.slice = 0;
        place.term++;
    }
}

/* Two neighbouring sums of the tile, as results or as the block's part of them; those outside the matrix are
 * dropped. */
static __device__ void write_pair(const work &w, const place &place, int row, int column, float x, float y)
{
    const int64_t i = place.m + row, j = place.n + column;
    const int64_t at = (place.batch * w.p.m + i) * w.p.n + j;
    const bool one = j < w.p.n, two = j + 1 < w.p.n;
    if (i >= w.p.m || !one)
        return;
    void *to = w.y;
    bool is_bf16 = w.y_is_bf16;
    if (w.parts > 1) {
        to = w.partial + place.part * w.p.batches * w.p.m * w.p.n;
        is_bf16 = false;
    } else {
        x = finished(w, x, at);
        y = two ? finished(w, y, at + 1) : 0;
    }
    const float pair[2] = {x, y};
    if (w.p.n % 2) {
        store_any(to, is_bf16, at, x);
        if (two)
            store_any(to, is_bf16, at + 1, y);
    } else if (is_bf16) {
        store<2>(static_cast<bf16 *>(to) + at, pair);
    } else {
        store<2>(static_cast<float *>(to) + at, pair);
    }
}

enum { ADD_THREADS = 256 };

static __global__ void __launch_bounds__(ADD_THREADS) add_parts(const __grid_constant__ work w)
{
    const int64_t count = w.p.batches * w.p.m * w.p.n;
    for (int64_t i = (int64_t)blockIdx.x * ADD_THREADS + threadIdx.x; i < count;
         i += (int64_t)gridDim.x * ADD_THREADS) {
        float sum = 0;
        for (int64_t part = 0; part < w.parts; part++)
            sum += w.partial[part * count + i];
        store_any(w.y, w.y_is_bf16, i, finished(w, sum, i));
    }
}

/* ---- host ---- */

/* Parts of a tile's depth, of `tiles` tiles in all. */
static int64_t parts_of(int64_t tiles, int64_t depth)
{
    const int64_t wanted = ENOUGH_BLOCKS / tiles, worth = depth / LEAST_DEPTH;
    const int64_t parts = wanted < worth ? wanted : worth;
    return parts > MOST_PARTS ? MOST_PARTS : parts > 1 ? parts : 1;
}

/* A launch of matmul as work in slices of `depth`. */
static work matmul_work_of(const ttt_launch *launch, int64_t depth)
{
    const ttt_operand *a = &launch->in[0], *b = &launch->in[1], *c = &launch->in[2], *y = &launch->out[0];
    work w = {.p = ttt_product_of(launch),
              .attributes = *static_cast<const ttt_matmul_attributes *>(launch->attributes),
              .a = a->data,
              .b = b->data,
              .c = c->data,
              .y = y->data,
              .a_is_bf16 = a->dtype == TTT_BF16,
              .b_is_bf16 = b->dtype == TTT_BF16,
              .c_is_bf16 = c->dtype == TTT_BF16,
              .y_is_bf16 = y->dtype == TTT_BF16,
              .partial = static_cast<float *>(launch->workspace)};
    w.across = blocks_for(w.p.n, TILE);
    w.tiles = blocks_for(w.p.m, TILE) * w.across;
    w.slices = blocks_for(w.p.k, depth);
    w.parts = parts_of(w.tiles * w.p.batches, w.p.terms * w.slices * depth);
    return w;
}

static int64_t matmul_blocks(const work &w)
{
    return w.tiles * w.p.batches * w.parts;
}

static size_t matmul_workspace(const work &w)
{
    return w.parts > 1 ? (size_t)(w.parts * w.p.batches * w.p.m * w.p.n) * sizeof(float) : 0;
}

static ttt_status matmul_enqueue(const ttt_launch *launch, const work &w, void (*multiply)(work), int threads)
{
    TRY(enqueue(launch, multiply, dim3((unsigned)matmul_blocks(w)), dim3((unsigned)threads), 0, w));
    if (w.parts == 1)
        return TTT_OK;
    const dim3 grid = grid_for(launch, w.p.batches * w.p.m * w.p.n, ADD_THREADS);
    return enqueue(launch, add_parts, grid, ADD_THREADS, 0, w);
}

#endif
