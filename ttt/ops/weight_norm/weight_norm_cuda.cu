/* "weight_norm" on CUDA: reads step, f32 or bf16, and w once, and writes y, f32 or bf16, and a copy of y
 * in bf16 where this is asked for; w, where samples share it, comes from the L2 cache.
 */
#include "ttt/ops/weight_norm/strips.cuh"

/* w (matrices, rows, columns): matrix i goes with matrix i % matrices. */
struct weights {
    const float *data;
    int matrices;
};

static __device__ inline const float *first_weight(const strips &s, const strip &mine, const weights &w)
{
    return w.data + (int64_t)(mine.matrix % w.matrices) * s.rows * s.columns + mine.column;
}

/* norm / (|v| + eps) of each column. */
template <class SPREAD>
static __device__ inline void find_scales(const strips &s, const strip &mine, strip_sums &sums)
{
    strip_totals<SPREAD>(s, mine, sums, [&](int i, int column, float total) {
        const float was = sqrtf(total);
        sums.scale[i] = s.norm[(int64_t)(mine.matrix % s.norms) * s.columns + column] / (was + s.eps);
        if (s.was)
            s.was[(int64_t)mine.matrix * s.columns + column] = was;
    });
}

/* The columns of a strip of a transposed step follow each other in memory: they go through shared memory,
 * (columns, rows), from where each thread takes its rows. */
template <class SPREAD, class X>
static __device__ inline void copy_transposed(const strips &s, const strip &mine, const X *step, X *tile)
{
    constexpr int piece = 16 / sizeof(X);
    const X *from = step + mine.first_transposed(s);
    const int elements = min(SPREAD::columns, s.columns - mine.column) * s.rows;
    for (int at = (int)threadIdx.x * piece; at < elements; at += SPREAD::threads * piece)
        copy_async(tile + at, from + at);
    copy_commit();
}
template <class SPREAD, class X>
static __device__ inline void take_transposed(const strips &s, const strip &mine, const X *tile,
                                              raw_elements<8, X> (&steps)[SPREAD::passes])
{
    copy_wait<0>();
    __syncthreads();
    strip_rows<SPREAD>(s, mine, [&](int p, int at) {
        const int row = at / s.columns, column = at % s.columns;
        X value[8];
#pragma unroll
        for (int i = 0; i < 8; i++)
            value[i] = tile[(column + i) * s.rows + row];
        memcpy(steps[p].words, value, sizeof value);
    });
}

template <class SPREAD, bool TRANSPOSED, class X, class Y>
static __global__ void __launch_bounds__(SPREAD::threads, SPREAD::blocks)
    move(const strips s, const X *step, const weights w, Y *y, bf16 *copy)
{
    /* Of w, so many rows are on their way at a time: beside all of step, they must fit into registers. */
    constexpr int at_once = SPREAD::passes * sizeof(X) > 24 ? 1 : 3;
    __shared__ strip_sums sums;
    const strip mine = strip_of<SPREAD>(s);
    const float *from = first_weight(s, mine, w);
    const int lane = (int)threadIdx.x % SPREAD::lanes;
    raw_elements<8, X> steps[SPREAD::passes];
    float v[SPREAD::passes][8], square[8] = {};
    DYNAMIC_SHARED(X, tile);
    if constexpr (TRANSPOSED)
        copy_transposed<SPREAD>(s, mine, step, tile);
    else
        strip_rows<SPREAD>(s, mine, [&](int p, int at) { steps[p].load(step + mine.first + at); });
#pragma unroll
    for (int first = 0; first < SPREAD::passes; first += at_once) {
        raw_elements<8, float> ws[at_once];
        strip_some_rows<SPREAD, at_once>(s, mine, first,
                                         [&](int p, int at) { ws[p - first].load(from + at); });
        if constexpr (TRANSPOSED)
            if (first == 0)
                take_transposed<SPREAD>(s, mine, tile, steps);
        strip_some_rows<SPREAD, at_once>(s, mine, first, [&](int p, int) {
            float x[8];
            ws[p - first].convert(v[p]);
            steps[p].convert(x);
#pragma unroll
            for (int i = 0; i < 8; i++) {
                v[p][i] += s.sign * x[i];
                square[i] += v[p][i] * v[p][i];
            }
        });
    }
    strip_add<SPREAD>(square, sums);
    find_scales<SPREAD>(s, mine, sums);
    strip_rows<SPREAD>(s, mine, [&](int p, int at) {
#pragma unroll
        for (int i = 0; i < 8; i++)
            v[p][i] *= sums.scale[lane * 8 + i];
        store<8>(y + mine.first + at, v[p]);
        if (copy)
            store<8>(copy + mine.first + at, v[p]);
    });
}

/* Any number of rows and columns, any alignment. */
template <class X, class Y>
static __global__ void __launch_bounds__(strip_spread_any::threads)
    move_any(const strips s, const X *step, bool transposed, const weights w, Y *y, bf16 *copy)
{
    __shared__ strip_sums sums;
    const strip mine = strip_of<strip_spread_any>(s);
    const float *from = first_weight(s, mine, w);
    const int warp = (int)threadIdx.x / WARP, lane = (int)threadIdx.x % WARP;
    const auto value = [&](int at) {
        const int64_t in_step = transposed
                                    ? mine.first_transposed(s) + at % s.columns * s.rows + at / s.columns
                                    : mine.first + at;
        return from[at] + s.sign * to_float(step[in_step]);
    };
    float square = 0;
    strip_elements(s, mine, [&](int at) { square += value(at) * value(at); });
    sums.sum[warp][lane] = square;
    find_scales<strip_spread_any>(s, mine, sums);
    strip_elements(s, mine, [&](int at) {
        const float moved = value(at) * sums.scale[lane];
        y[mine.first + at] = from_float<Y>(moved);
        if (copy)
            copy[mine.first + at] = from_float<bf16>(moved);
    });
}

/* Transposed steps are for narrow strips alone, and for columns that begin at multiples of 16 bytes. */
template <class X, class Y> static ttt_status run_as(const ttt_launch *launch)
{
    const ttt_operand *w = &launch->in[1];
    const X *step = static_cast<const X *>(launch->in[0].data);
    Y *y = static_cast<Y *>(launch->out[0].data);
    bf16 *copy = static_cast<bf16 *>(launch->out[2].data);
    const bool transposed = ttt_weight_norm_is_transposed(&launch->in[0]);
    strips s = strips_of(launch, &launch->in[2], &launch->out[1]);
    s.few = s.few || transposed;
    const weights of = {static_cast<const float *>(w->data),
                        (int)(ttt_operand_elements(w) / ((int64_t)s.rows * s.columns))};
    const uintptr_t addresses = (uintptr_t)step | (uintptr_t)w->data | (uintptr_t)y | (uintptr_t)copy;
    const bool aligned = addresses % 16 == 0 && (!transposed || s.rows % 8 == 0);
    return strips_by_spread<sizeof(float)>(s, aligned, [&](auto spread) {
        typedef decltype(spread) SPREAD;
        const unsigned blocks = strips_count(s, spread);
        if constexpr (spread.passes == 0) {
            return enqueue(launch, move_any<X, Y>, blocks, spread.threads, 0, s, step, transposed, of, y,
                           copy);
        } else {
            if constexpr (spread.lanes == STRIP_NARROW)
                if (transposed)
                    return enqueue(launch, move<SPREAD, true, X, Y>, blocks, spread.threads,
                                   spread.columns * (size_t)s.rows * sizeof(X), s, step, of, y, copy);
            return enqueue(launch, move<SPREAD, false, X, Y>, blocks, spread.threads, 0, s, step, of, y,
                           copy);
        }
    });
}

static ttt_status run(const ttt_launch *launch)
{
    return by_type(launch->in[0].dtype, [&](auto step) {
        return by_type(launch->out[0].dtype,
                       [&](auto y) { return run_as<decltype(step), decltype(y)>(launch); });
    });
}

static bool supports(const ttt_launch *launch, const char **why)
{
    if (launch->in[1].dtype != TTT_F32)
        *why = "w is not f32";
    return launch->in[1].dtype == TTT_F32 && strips_supported(launch, why);
}

extern "C" const ttt_implementation ttt_weight_norm_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .run = run,
};
