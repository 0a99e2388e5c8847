/* The row "skinny" of linear: at most eight outputs, in bf16, on tensor cores.
 *
 * A warp takes 16 rows of x, which are one operand of its products as they lie: a sum does not mind in what
 * order its terms come, so a thread's 16 bytes of a row are four pairs of terms, and of the weight it reads
 * the same columns.  Reads x once, and writes little; the weight stays in the L1 cache.
 */
#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/linear/linear_rows.h"
}

constexpr int MOST = 8;  /* outputs: those of one product of tensor cores */
constexpr int ROWS = 16; /* of a warp, likewise */
constexpr int EACH = 8;  /* elements of 16 bytes */
constexpr int COLUMNS = 4 * EACH;
constexpr int AHEAD = 4; /* reads of a row under way */
constexpr int THREADS = 128;

struct layer {
    const bf16 *x, *weight; /* (rows, in), stride elements apart; (out, in) */
    int64_t stride, rows, in, out;
    const void *bias, *c; /* (out), (rows, out), or NULL */
    void *y;
    bool bias_is_bf16, c_is_bf16, y_is_bf16;
};

/* Columns at ... at + 8 of a row of `count`, with zeros behind. */
template <bool ALIGNED> static __device__ inline uint4 load_eight(const bf16 *row, int64_t at, int64_t count)
{
    if constexpr (ALIGNED) {
        return at < count ? *reinterpret_cast<const uint4 *>(row + at) : make_uint4(0, 0, 0, 0);
    } else {
        float x[EACH];
#pragma unroll
        for (int i = 0; i < EACH; i++)
            x[i] = at + i < count ? to_float(row[at + i]) : 0;
        return make_uint4(bf16_pair(x[0], x[1]), bf16_pair(x[2], x[3]), bf16_pair(x[4], x[5]),
                          bf16_pair(x[6], x[7]));
    }
}

/* Row r of the result, outputs o and o + 1. */
static __device__ inline void write_pair(const layer &l, int64_t r, int o, float first, float second)
{
    const float sum[2] = {first, second};
    for (int i = 0; i < 2; i++) {
        const int64_t at = r * l.out + o + i;
        if (r >= l.rows || o + i >= l.out)
            return;
        const float bias = l.bias ? load_any(l.bias, l.bias_is_bf16, o + i) : 0;
        store_any(l.y, l.y_is_bf16, at, sum[i] + bias + (l.c ? load_any(l.c, l.c_is_bf16, at) : 0));
    }
}

template <bool ALIGNED> static __global__ void __launch_bounds__(THREADS) multiply(const layer l)
{
    const int lane = (int)threadIdx.x % WARP, group = lane / 4, part = lane % 4;
    const int64_t row = ((int64_t)blockIdx.x * (THREADS / WARP) + threadIdx.x / WARP) * ROWS + group;
    const bf16 *upper = l.x + min(row, l.rows - 1) * l.stride;
    const bf16 *lower = l.x + min(row + ROWS / 2, l.rows - 1) * l.stride;
    const bf16 *weight = l.weight + min((int64_t)group, l.out - 1) * l.in;
    const int64_t weights = group < l.out ? l.in : 0;
    float sum[4] = {};
    for (int64_t column = part * EACH; column - part * EACH < l.in; column += AHEAD * COLUMNS) {
        uint4 a[AHEAD], b[AHEAD];
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            a[i] = load_eight<ALIGNED>(upper, column + i * COLUMNS, l.in);
            b[i] = load_eight<ALIGNED>(lower, column + i * COLUMNS, l.in);
        }
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const uint4 w = load_eight<ALIGNED>(weight, column + i * COLUMNS, weights);
            const uint32_t front[4] = {a[i].x, b[i].x, a[i].y, b[i].y};
            const uint32_t back[4] = {a[i].z, b[i].z, a[i].w, b[i].w};
            multiply_add(sum, front, w.x, w.y);
            multiply_add(sum, back, w.z, w.w);
        }
    }
    write_pair(l, row, 2 * part, sum[0], sum[1]);
    write_pair(l, row + ROWS / 2, 2 * part, sum[2], sum[3]);
}

static bool supports(const ttt_launch *launch, const char **why)
{
    const ttt_operand *x = &launch->in[0], *weight = &launch->in[1];
    if (weight->shape.size[0] > MOST)
        *why = "more than eight outputs";
    else if (static_cast<const ttt_linear_attributes *>(launch->attributes)->activation != TTT_IDENTITY)
        *why = "an activation";
    else if (x->dtype != TTT_BF16 || weight->dtype != TTT_BF16)
        *why = "x or weight is not bf16";
    else
        return ttt_all_f32_or_bf16(launch, why);
    return false;
}

static ttt_status run(const ttt_launch *launch)
{
    const ttt_operand *x = &launch->in[0], *weight = &launch->in[1], *bias = &launch->in[2],
                      *c = &launch->in[3], *y = &launch->out[0];
    const layer l = {static_cast<const bf16 *>(x->data),
                     static_cast<const bf16 *>(weight->data),
                     x->stride[0],
                     x->shape.size[0],
                     x->shape.size[1],
                     weight->shape.size[0],
                     bias->data,
                     c->data,
                     y->data,
                     bias->dtype == TTT_BF16,
                     c->dtype == TTT_BF16,
                     y->dtype == TTT_BF16};
    const bool aligned = l.in % EACH == 0 && (l.stride % EACH == 0 || l.rows == 1) &&
                         ((uintptr_t)l.x | (uintptr_t)l.weight) % 16 == 0;
    return enqueue(launch, aligned ? multiply<true> : multiply<false>,
                   blocks_for(l.rows, ROWS * THREADS / WARP), THREADS, 0, l);
}

extern "C" const ttt_implementation ttt_linear_skinny = {
    .name = "skinny",
    .device = TTT_CUDA,
    .supports = supports,
    .run = run,
};
