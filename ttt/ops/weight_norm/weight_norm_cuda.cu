/* "weight_norm" on CUDA: reads step once and writes y, each f32 or bf16; w, where samples share it, comes
 * from the L2 cache.
 */
#include "ttt/ops/weight_norm/strips.cuh"

/* w (matrices, rows, columns), of either type. */
struct weights {
    const void *data;
    bool is_bf16;
    int matrices;
};

static __device__ inline int64_t first_weight(const strips &s, const strip &mine, const weights &w)
{
    return (int64_t)(mine.matrix % w.matrices) * s.rows * s.columns + mine.column;
}

/* norm / (|v| + eps) of each column. */
static __device__ inline void find_scales(const strips &s, const strip &mine, strip_sums &sums)
{
    strip_totals(s, mine, sums, [&](int i, int column, float total) {
        const float was = sqrtf(total);
        sums.scale[i] = s.norm[(int64_t)(mine.matrix % s.norms) * s.columns + column] / (was + s.eps);
        if (s.was)
            s.was[(int64_t)mine.matrix * s.columns + column] = was;
    });
}

template <class SPREAD, class X, class Y>
static __global__ void __launch_bounds__(SPREAD::threads, SPREAD::blocks)
    move(const strips s, const X *step, const weights w, Y *y)
{
    __shared__ strip_sums sums;
    const strip mine = strip_of(s);
    const int64_t w_first = first_weight(s, mine, w);
    const int lane = (int)threadIdx.x % STRIP_LANES;
    raw_elements<8, X> steps[SPREAD::passes];
    float v[SPREAD::passes][8], square[8] = {};
    strip_rows<SPREAD>(s, mine, [&](int p, int at) { steps[p].load(step + mine.first + at); });
    strip_rows<SPREAD>(s, mine, [&](int p, int at) {
        float x[8];
        if (w.is_bf16)
            load<8>(static_cast<const bf16 *>(w.data) + w_first + at, v[p]);
        else
            load<8>(static_cast<const float *>(w.data) + w_first + at, v[p]);
        steps[p].convert(x);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            v[p][i] += s.sign * x[i];
            square[i] += v[p][i] * v[p][i];
        }
    });
    strip_add(square, sums);
    find_scales(s, mine, sums);
    strip_rows<SPREAD>(s, mine, [&](int p, int at) {
#pragma unroll
        for (int i = 0; i < 8; i++)
            v[p][i] *= sums.scale[lane * 8 + i];
        store<8>(y + mine.first + at, v[p]);
    });
}

/* Any number of rows and columns, any alignment. */
static __global__ void __launch_bounds__(strip_spread<STRIP_MOST_WARPS, 0>::threads)
    move_any(const strips s, const void *step, bool step_is_bf16, const weights w, void *y, bool y_is_bf16)
{
    __shared__ strip_sums sums;
    const strip mine = strip_of(s);
    const int64_t w_first = first_weight(s, mine, w);
    const int warp = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP;
    const auto value = [&](int at) {
        return load_any(w.data, w.is_bf16, w_first + at) +
               s.sign * load_any(step, step_is_bf16, mine.first + at);
    };
    float square = 0;
    strip_elements(s, mine, [&](int at) { square += value(at) * value(at); });
    sums.sum[warp][lane] = square;
    find_scales(s, mine, sums);
    strip_elements(s, mine,
                   [&](int at) { store_any(y, y_is_bf16, mine.first + at, value(at) * sums.scale[lane]); });
}

static ttt_status run(const ttt_launch *launch)
{
    const ttt_operand *step = &launch->in[0], *y = &launch->out[0];
    const strips s = strips_of(launch, &launch->in[2], &launch->out[1]);
    const weights w = {launch->in[1].data, launch->in[1].dtype == TTT_BF16,
                       (int)(ttt_operand_elements(&launch->in[1]) / ((int64_t)s.rows * s.columns))};
    const uintptr_t addresses = (uintptr_t)step->data | (uintptr_t)w.data | (uintptr_t)y->data;
    return by_type(step->dtype, [&](auto step_type) {
        return by_type(y->dtype, [&](auto y_type) {
            typedef decltype(step_type) X;
            typedef decltype(y_type) Y;
            return strips_by_spread<sizeof(float)>(s, addresses, [&](auto spread) {
                if constexpr (spread.passes > 0)
                    return enqueue(launch, move<decltype(spread), X, Y>, strips_count(launch), spread.threads,
                                   0, s, static_cast<const X *>(step->data), w, static_cast<Y *>(y->data));
                return enqueue(launch, move_any, strips_count(launch), spread.threads, 0, s, step->data,
                               step->dtype == TTT_BF16, w, y->data, y->dtype == TTT_BF16);
            });
        });
    });
}

extern "C" const ttt_implementation ttt_weight_norm_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = strips_supported,
    .run = run,
};
