/* "weight_norm_backward" on CUDA: reads y and dy once and writes dstep, each f32 or bf16. */
#include "ttt/ops/weight_norm/strips.cuh"

/* sign norm / (|v| + eps) and sign <y, dy> / (|v| norm) of each column. */
template <class SPREAD>
static __device__ inline void find_factors(const strips &s, const strip &mine, strip_sums &sums)
{
    strip_totals<SPREAD>(s, mine, sums, [&](int i, int column, float total) {
        const float norm = s.norm[(int64_t)(mine.matrix % s.norms) * s.columns + column],
                    was = s.was[(int64_t)mine.matrix * s.columns + column];
        sums.scale[i] = s.sign * norm / (was + s.eps);
        sums.along[i] = was > 0 && norm != 0 ? s.sign * total / norm / was : 0;
    });
}

template <class SPREAD, class Y, class DY, class DX>
static __global__ void __launch_bounds__(SPREAD::threads, SPREAD::blocks)
    differentiate(const strips s, const Y *y, const DY *dy, DX *dstep)
{
    __shared__ strip_sums sums;
    const strip mine = strip_of<SPREAD>(s);
    const int lane = (int)threadIdx.x % SPREAD::lanes;
    raw_elements<8, Y> ys[SPREAD::passes];
    raw_elements<8, DY> dys[SPREAD::passes];
    float a[8], b[8], dot[8] = {};
    strip_rows<SPREAD>(s, mine, [&](int p, int at) {
        ys[p].load(y + mine.first + at);
        dys[p].load(dy + mine.first + at);
    });
    strip_rows<SPREAD>(s, mine, [&](int p, int) {
        ys[p].convert(a);
        dys[p].convert(b);
#pragma unroll
        for (int i = 0; i < 8; i++)
            dot[i] += a[i] * b[i];
    });
    strip_add<SPREAD>(dot, sums);
    find_factors<SPREAD>(s, mine, sums);
    strip_rows<SPREAD>(s, mine, [&](int p, int at) {
        ys[p].convert(a);
        dys[p].convert(b);
#pragma unroll
        for (int i = 0; i < 8; i++)
            b[i] = b[i] * sums.scale[lane * 8 + i] - a[i] * sums.along[lane * 8 + i];
        store<8>(dstep + mine.first + at, b);
    });
}

/* Any number of rows and columns, any alignment. */
static __global__ void __launch_bounds__(strip_spread_any::threads)
    differentiate_any(const strips s, const void *y, bool y_is_bf16, const void *dy, bool dy_is_bf16,
                      void *dstep, bool dstep_is_bf16)
{
    __shared__ strip_sums sums;
    const strip mine = strip_of<strip_spread_any>(s);
    const int warp = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP;
    float dot = 0;
    strip_elements(s, mine, [&](int at) {
        dot += load_any(y, y_is_bf16, mine.first + at) * load_any(dy, dy_is_bf16, mine.first + at);
    });
    sums.sum[warp][lane] = dot;
    find_factors<strip_spread_any>(s, mine, sums);
    strip_elements(s, mine, [&](int at) {
        const float a = load_any(y, y_is_bf16, mine.first + at),
                    b = load_any(dy, dy_is_bf16, mine.first + at);
        store_any(dstep, dstep_is_bf16, mine.first + at, b * sums.scale[lane] - a * sums.along[lane]);
    });
}

template <class Y, class DY, class DX> static ttt_status run_as(const ttt_launch *launch)
{
    const ttt_operand *y = &launch->in[0], *dy = &launch->in[3], *dstep = &launch->out[0];
    const strips s = strips_of(launch, &launch->in[2], &launch->in[1]);
    const uintptr_t addresses = (uintptr_t)y->data | (uintptr_t)dy->data | (uintptr_t)dstep->data;
    return strips_by_spread<sizeof(Y) + sizeof(DY)>(s, addresses % 16 == 0, [&](auto spread) {
        if constexpr (spread.passes > 0)
            return enqueue(launch, differentiate<decltype(spread), Y, DY, DX>, strips_count(s, spread),
                           spread.threads, 0, s, static_cast<const Y *>(y->data),
                           static_cast<const DY *>(dy->data), static_cast<DX *>(dstep->data));
        return enqueue(launch, differentiate_any, strips_count(s, spread), spread.threads, 0, s, y->data,
                       y->dtype == TTT_BF16, dy->data, dy->dtype == TTT_BF16, dstep->data,
                       dstep->dtype == TTT_BF16);
    });
}

static ttt_status run(const ttt_launch *launch)
{
    return by_type(launch->in[0].dtype, [&](auto y) {
        return by_type(launch->in[3].dtype, [&](auto dy) {
            return by_type(launch->out[0].dtype, [&](auto dstep) {
                return run_as<decltype(y), decltype(dy), decltype(dstep)>(launch);
            });
        });
    });
}

extern "C" const ttt_implementation ttt_weight_norm_backward_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = strips_supported,
    .run = run,
};
