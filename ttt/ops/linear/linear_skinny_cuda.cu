/* The row "skinny" of linear: at most eight outputs, in bf16, on tensor cores.
 *
 * A warp takes 16 rows of x, which are one operand of its products as they lie: a sum does not mind in what
 * order its terms come, so a thread's 16 bytes of a row are four pairs of terms, and of the weight it reads
 * the same columns.  Reads x once, and writes little; the weight stays in the L2 cache.
 *
 * What a thread will multiply goes through shared memory, though no other thread reads it: many copies are
 * then on their way at a time, while loads into registers are moved down by the compiler to where they are
 * used.
 */
#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/linear/linear_rows.h"
}

constexpr int MOST = 8;  /* outputs: those of one product of tensor cores */
constexpr int ROWS = 16; /* of a warp, likewise */
constexpr int EACH = 8;  /* elements of 16 bytes */
constexpr int COLUMNS = 4 * EACH;
constexpr int BATCH = 4;    /* pieces of COLUMNS that are waited for together */
constexpr int STAGES = 3;   /* batches under way, in shared memory for six blocks */
constexpr int THREADS = 64; /* few, so that a small grid is spread evenly */

struct layer {
    const bf16 *x, *weight; /* (rows, in), stride elements apart; (out, in) */
    int64_t stride, rows, in, out;
    const void *bias, *c; /* (out), (rows, out), or NULL */
    void *y;
    bool bias_is_bf16, c_is_bf16, y_is_bf16;
};

/* What a thread multiplies: two rows of x, and one of the weight, zeros for an output that there is not. */
struct rows {
    const bf16 *upper, *lower, *weight;
    bool has_weight;
    int64_t count;
};

/* Adds the products of eight columns of each. */
static __device__ inline void add_products(const uint4 &a, const uint4 &b, const uint4 &w, float (&sum)[4])
{
    const uint32_t front[4] = {a.x, b.x, a.y, b.y}, back[4] = {a.z, b.z, a.w, b.w};
    multiply_add(sum, front, w.x, w.y);
    multiply_add(sum, back, w.z, w.w);
}

struct batch {
    uint4 upper[BATCH][THREADS], lower[BATCH][THREADS], weight[BATCH][THREADS];
};

/* Starts the copies of the thread's part of a batch that begins at column `at`, if there is one; zeros past
 * the rows. */
static __device__ inline void fetch(const rows &r, int64_t at, batch &to)
{
    const int thread = (int)threadIdx.x;
#pragma unroll
    for (int i = 0; i < BATCH && at < r.count; i++) {
        const int64_t column = at + i * COLUMNS + thread % 4 * EACH;
        const bool valid = column < r.count;
        copy_async(&to.upper[i][thread], r.upper + column, valid);
        copy_async(&to.lower[i][thread], r.lower + column, valid);
        copy_async(&to.weight[i][thread], r.weight + column, valid && r.has_weight);
    }
    copy_commit();
}

static __device__ inline void multiply_rows(const rows &r, float (&sum)[4])
{
    __shared__ batch batches[STAGES];
    constexpr int64_t columns = BATCH * COLUMNS;
    const int thread = (int)threadIdx.x;
    int stage = 0;
#pragma unroll
    for (int i = 0; i < STAGES - 1; i++)
        fetch(r, i * columns, batches[i]);
    for (int64_t at = 0; at < r.count; at += columns) {
        fetch(r, at + (STAGES - 1) * columns, batches[(stage + STAGES - 1) % STAGES]);
        copy_wait<STAGES - 1>();
#pragma unroll
        for (int i = 0; i < BATCH; i++)
            add_products(batches[stage].upper[i][thread], batches[stage].lower[i][thread],
                         batches[stage].weight[i][thread], sum);
        stage = (stage + 1) % STAGES;
    }
}

/* Any number of columns, any alignment. */
static __device__ inline uint4 load_eight(const bf16 *row, int64_t at, int64_t count)
{
    bf16 value[EACH] = {};
#pragma unroll
    for (int i = 0; i < EACH; i++)
        if (at + i < count)
            value[i] = row[at + i];
    uint4 x;
    memcpy(&x, value, sizeof x);
    return x;
}
static __device__ inline void multiply_rows_any(const rows &r, float (&sum)[4])
{
    for (int64_t at = 0; at < r.count; at += COLUMNS) {
        const int64_t column = at + (int)threadIdx.x % 4 * EACH;
        add_products(load_eight(r.upper, column, r.count), load_eight(r.lower, column, r.count),
                     load_eight(r.weight, column, r.has_weight ? r.count : 0), sum);
    }
}

static __device__ inline float bias_of(const layer &l, int o)
{
    return l.bias && o < l.out ? load_any(l.bias, l.bias_is_bf16, o) : 0;
}

/* Row r of the result, outputs o and o + 1. */
static __device__ inline void write_pair(const layer &l, int64_t r, int o, float first, float second)
{
    const float sum[2] = {first, second};
    for (int i = 0; i < 2; i++) {
        const int64_t at = r * l.out + o + i;
        if (r >= l.rows || o + i >= l.out)
            return;
        store_any(l.y, l.y_is_bf16, at, sum[i] + (l.c ? load_any(l.c, l.c_is_bf16, at) : 0));
    }
}

template <bool ALIGNED> static __global__ void __launch_bounds__(THREADS) multiply(const layer l)
{
    const int lane = (int)threadIdx.x % WARP, group = lane / 4, part = lane % 4;
    const int64_t row = ((int64_t)blockIdx.x * (THREADS / WARP) + threadIdx.x / WARP) * ROWS + group;
    const rows r = {l.x + min(row, l.rows - 1) * l.stride, l.x + min(row + ROWS / 2, l.rows - 1) * l.stride,
                    l.weight + min((int64_t)group, l.out - 1) * l.in, group < l.out, l.in};
    const float first = bias_of(l, 2 * part), second = bias_of(l, 2 * part + 1);
    float sum[4] = {first, second, first, second};
    if constexpr (ALIGNED)
        multiply_rows(r, sum);
    else
        multiply_rows_any(r, sum);
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
                   blocks_for(l.rows, ROWS * (THREADS / WARP)), THREADS, 0, l);
}

extern "C" const ttt_implementation ttt_linear_skinny = {
    .name = "skinny",
    .device = TTT_CUDA,
    .supports = supports,
    .run = run,
};
