/* "l2norm" and "l2norm_backward" on CUDA, any operand in f32 or bf16.
 *
 * Many blocks for each group of elements write a sum each; as many of a second kernel add up those of their
 * group, all in the same order, and scale.  The forward reads x twice and writes y; the gradient reads y and
 * dy twice and writes dx.  The second kernel goes through the memory backwards, for what the first read last
 * is still in the L2 cache.
 */
#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/l2norm/l2norm_operator.h"
}

/* A thread has so many loads of N elements under way; a block takes PART elements at least. */
constexpr int THREADS = 256, LOADS = 4, PART = THREADS * LOADS * 8;
constexpr unsigned MOST_PARTS = 512;

/* groups * parts blocks; partials (groups, parts). */
struct cut {
    int64_t groups, length, parts;
    float *partials;
};

/* Where a block works: elements from, from + step, ... of a group, a tile of LOADS * N * THREADS at each. */
struct place {
    int64_t group, first, from, step;
};
template <int N> static __device__ inline place place_of(const cut &c, unsigned block)
{
    constexpr int64_t tile = LOADS * N * THREADS;
    const int64_t group = block / c.parts;
    return {group, group * c.length, (block - group * c.parts) * tile, c.parts * tile};
}

/* Calls f(k, at) for the places of a thread's N elements in the tile that starts at `tile`. */
template <int N, class F> static __device__ inline void each_load(const cut &c, int64_t tile, F f)
{
#pragma unroll
    for (int k = 0; k < LOADS; k++) {
        const int64_t at = tile + (int64_t)(k * THREADS + (int)threadIdx.x) * N;
        if (at < c.length)
            f(k, at);
    }
}

/* The block's sum of x y, or of x^2 where y is NULL. */
template <int N, class X, class Y>
static __global__ void __launch_bounds__(THREADS) sum_products(const cut c, const X *x, const Y *y)
{
    const place p = place_of<N>(c, blockIdx.x);
    float sum = 0;
    for (int64_t tile = p.from; tile < c.length; tile += p.step) {
        raw_elements<N, X> xs[LOADS];
        raw_elements<N, Y> ys[LOADS];
        each_load<N>(c, tile, [&](int k, int64_t at) { xs[k].load(x + p.first + at); });
        if (y)
            each_load<N>(c, tile, [&](int k, int64_t at) { ys[k].load(y + p.first + at); });
#pragma unroll
        for (int k = 0; k < LOADS; k++) {
            float a[N], b[N];
            xs[k].convert(a);
            ys[k].convert(b);
#pragma unroll
            for (int i = 0; i < N; i++)
                sum += a[i] * (y ? b[i] : a[i]);
        }
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0)
        c.partials[blockIdx.x] = sum;
}

/* The sum of a group's parts, in every thread. */
static __device__ inline float group_sum(const cut &c, int64_t group)
{
    float sum = 0;
    for (int64_t i = threadIdx.x; i < c.parts; i += THREADS)
        sum += c.partials[group * c.parts + i];
    return block_sum(sum);
}

/* The first tile is on its way while the sums are added up. */
template <int N, class X, class Y>
static __global__ void __launch_bounds__(THREADS)
    divide(const cut c, const X *x, float eps, float *norms, Y *y)
{
    const place p = place_of<N>(c, gridDim.x - 1 - blockIdx.x);
    raw_elements<N, X> xs[LOADS];
    const auto load_tile = [&](int64_t tile) {
        each_load<N>(c, tile, [&](int k, int64_t at) { xs[k].load(x + p.first + at); });
    };
    load_tile(p.from);
    const float norm = sqrtf(group_sum(c, p.group)), scale = 1 / (norm + eps);
    if (norms && p.from == 0 && threadIdx.x == 0)
        norms[p.group] = norm;
    for (int64_t tile = p.from; tile < c.length; tile += p.step, load_tile(tile))
        each_load<N>(c, tile, [&](int k, int64_t at) {
            float a[N];
            xs[k].convert(a);
#pragma unroll
            for (int i = 0; i < N; i++)
                a[i] *= scale;
            store<N>(y + p.first + at, a);
        });
}

template <int N, class Y, class DY, class DX>
static __global__ void __launch_bounds__(THREADS, 2)
    differentiate(const cut c, const Y *y, const float *norms, const DY *dy, float eps, DX *dx)
{
    const place p = place_of<N>(c, gridDim.x - 1 - blockIdx.x);
    raw_elements<N, Y> ys[LOADS];
    raw_elements<N, DY> dys[LOADS];
    const auto load_tile = [&](int64_t tile) {
        each_load<N>(c, tile, [&](int k, int64_t at) {
            ys[k].load(y + p.first + at);
            dys[k].load(dy + p.first + at);
        });
    };
    load_tile(p.from);
    const float norm = norms[p.group], scale = 1 / (norm + eps), sum = group_sum(c, p.group);
    const float along = norm > 0 ? sum / norm : 0;
    for (int64_t tile = p.from; tile < c.length; tile += p.step, load_tile(tile))
        each_load<N>(c, tile, [&](int k, int64_t at) {
            float a[N], b[N];
            ys[k].convert(a);
            dys[k].convert(b);
#pragma unroll
            for (int i = 0; i < N; i++)
                b[i] = b[i] * scale - a[i] * along;
            store<N>(dx + p.first + at, b);
        });
}

/* ---- host ---- */

static cut cut_of(const ttt_launch *launch)
{
    cut c = {};
    c.length = ttt_l2norm_length(launch);
    c.groups = ttt_operand_elements(&launch->in[0]) / c.length;
    c.parts = blocks_for(c.length, PART) < MOST_PARTS ? blocks_for(c.length, PART) : MOST_PARTS;
    c.partials = static_cast<float *>(launch->workspace);
    return c;
}

static size_t workspace(const ttt_launch *launch)
{
    const cut c = cut_of(launch);
    return (size_t)(c.groups * c.parts) * sizeof(float);
}

static bool supports(const ttt_launch *launch, const char **why)
{
    bool contiguous = ttt_operand_contiguous(&launch->out[0]);
    for (int i = 0; i < launch->n_in; i++)
        contiguous = contiguous && ttt_operand_contiguous(&launch->in[i]);
    const cut c = cut_of(launch);
    const bool few = c.groups * c.parts <= INT32_MAX;
    if (!contiguous || !few)
        *why = contiguous ? "too many groups" : "an operand is strided";
    return contiguous && few && ttt_all_f32_or_bf16(launch, why);
}

/* Calls f with the number of elements that all operands can be read and written by, as N(): 8 or 1. */
template <int N> struct elements {
    static constexpr int count = N;
};
template <class F> static ttt_status by_alignment(const cut *c, uintptr_t addresses, F f)
{
    return c->length % 8 == 0 && addresses % 16 == 0 ? f(elements<8>()) : f(elements<1>());
}

static unsigned block_count(const cut *c)
{
    return (unsigned)(c->groups * c->parts);
}

static ttt_status forward(const ttt_launch *launch)
{
    const cut c = cut_of(launch);
    const ttt_operand *x = &launch->in[0], *y = &launch->out[0];
    const float eps = static_cast<const ttt_l2norm_attributes *>(launch->attributes)->eps;
    float *norms = static_cast<float *>(launch->out[1].data);
    return by_alignment(&c, (uintptr_t)x->data | (uintptr_t)y->data, [&](auto n) {
        return by_type(x->dtype, [&](auto x_type) {
            return by_type(y->dtype, [&](auto y_type) {
                typedef decltype(x_type) X;
                typedef decltype(y_type) Y;
                const X *from = static_cast<const X *>(x->data);
                TRY(enqueue(launch, sum_products<n.count, X, X>, block_count(&c), THREADS, 0, c, from,
                            nullptr));
                return enqueue(launch, divide<n.count, X, Y>, block_count(&c), THREADS, 0, c, from, eps,
                               norms, static_cast<Y *>(y->data));
            });
        });
    });
}

static ttt_status backward(const ttt_launch *launch)
{
    const cut c = cut_of(launch);
    const ttt_operand *y = &launch->in[0], *dy = &launch->in[2], *dx = &launch->out[0];
    const float eps = static_cast<const ttt_l2norm_attributes *>(launch->attributes)->eps;
    const float *norms = static_cast<const float *>(launch->in[1].data);
    const uintptr_t addresses = (uintptr_t)y->data | (uintptr_t)dy->data | (uintptr_t)dx->data;
    return by_alignment(&c, addresses, [&](auto n) {
        return by_type(y->dtype, [&](auto y_type) {
            return by_type(dy->dtype, [&](auto dy_type) {
                typedef decltype(y_type) Y;
                typedef decltype(dy_type) DY;
                const Y *from = static_cast<const Y *>(y->data);
                const DY *gradient = static_cast<const DY *>(dy->data);
                TRY(enqueue(launch, sum_products<n.count, Y, DY>, block_count(&c), THREADS, 0, c, from,
                            gradient));
                return by_type(dx->dtype, [&](auto dx_type) {
                    typedef decltype(dx_type) DX;
                    return enqueue(launch, differentiate<n.count, Y, DY, DX>, block_count(&c), THREADS, 0, c,
                                   from, norms, gradient, eps, static_cast<DX *>(dx->data));
                });
            });
        });
    });
}

extern "C" const ttt_implementation ttt_l2norm_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .run = forward,
};

extern "C" const ttt_implementation ttt_l2norm_backward_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .run = backward,
};
