/* The convolution branch, both directions.
 *
 * With [t + s] for the neighbour of token t at tap s (0 outside the picture), by channel:
 *
 *     r[s] = sum over t of v[t] k[t + s],  w' = w + rate r / (n + 1),  n = scale |r|,  y[t] = sum of q[t + s]
 * w'[s]
 *
 *     dq[t] = sum of dy[t - s] w'[s],  dw[s] = sum over t of dy[t] q[t + s],  summed over samples
 *     dr = rate (dw - r (r . dw) scale^2 / (n (n + 1))) / (n + 1)
 *     dv[t] = sum of k[t + s] dr[s],  dk[t] = sum of v[t - s] dr[s]
 *
 * A block works on 32 channels of one sample, all of it in shared memory: a thread walks along rows of the
 * picture with a pair of channels, three new tokens of the 3 x 3 window at each step.  Reads q, k, v (and dy)
 * once, writes y (or dq, dk, dv) once.  With 196 tokens four blocks are resident, also backward, where each
 * has 56 KiB of shared memory: all of a batch of 256 at once.
 */
#include "ttt/ops/vittt_inner/activations.cuh"

extern "C" {
#include "ttt/ops/vittt_inner/kernels.h"
}

enum { CHANNELS = 32, PAIRS = CHANNELS / 2, ROWS = 16, THREADS = PAIRS * ROWS, TAPS = 9, RESIDENT = 4 };

struct convolution_problem {
    const bf16 *qkv; /* from the branch's first column of q on; (batch, tokens, row) */
    const float *w;  /* (d, TAPS) */
    int d, height, width;
    int64_t row;
    bool query_is_key;
    float scale, rate;
};

/* Of the 3 x 3 taps, for a thread's pair of channels. */
struct taps {
    float2 at[TAPS];
};

/* Sums of taps by channel: of every four of the ROWS threads that share a channel, and over these. */
struct row_sums {
    float of[ROWS / 4][TAPS][CHANNELS];
};
struct tap_sums {
    float of[TAPS][CHANNELS];
};

static __device__ inline float2 load_pair(const bf16 *x)
{
    float two[2];
    load<2>(x, two);
    return make_float2(two[0], two[1]);
}

/* A (tokens, CHANNELS) part of a matrix to shared memory. */
static __device__ inline void fetch(bf16 *tile, const bf16 *x, int64_t stride, int tokens)
{
    for (int i = (int)threadIdx.x; i < tokens * (CHANNELS / 8); i += THREADS) {
        const int token = i / (CHANNELS / 8), column = i % (CHANNELS / 8) * 8;
        copy_async(tile + token * CHANNELS + column, x + token * stride + column);
    }
    copy_commit();
}

/* Calls visit(token, window) for every token of the thread: window[s] is the neighbour at tap s. */
template <class F> static __device__ inline void walk(const bf16 *tile, int height, int width, F visit)
{
    const bf16 *mine = tile + (int)threadIdx.x % PAIRS * 2;
    for (int y = (int)threadIdx.x / PAIRS; y < height; y += ROWS) {
        taps window = {};
        auto bring = [&](int column, int x) {
#pragma unroll
            for (int u = 0; u < 3; u++) {
                const int line = y + u - 1;
                window.at[3 * u + column] = line >= 0 && line < height && x < width
                                                ? load_pair(mine + (line * width + x) * CHANNELS)
                                                : make_float2(0, 0);
            }
        };
        bring(2, 0);
        for (int x = 0; x < width; x++) {
#pragma unroll
            for (int u = 0; u < 3; u++) {
                window.at[3 * u] = window.at[3 * u + 1];
                window.at[3 * u + 1] = window.at[3 * u + 2];
            }
            bring(2, x + 1);
            visit(y * width + x, window);
        }
    }
}

static __device__ inline void add(float2 &sum, float2 x, float2 y)
{
    sum.x += x.x * y.x;
    sum.y += x.y * y.y;
}

/* result[s] = sum over tokens t of x[t + s] y[t]. */
static __device__ inline void correlate(tap_sums &result, row_sums &sums, const bf16 *x, const bf16 *y,
                                        int height, int width)
{
    const int pair = (int)threadIdx.x % PAIRS * 2, line = (int)threadIdx.x / PAIRS;
    taps sum = {};
    walk(x, height, width, [&](int token, const taps &window) {
        const float2 factor = load_pair(y + token * CHANNELS + pair);
#pragma unroll
        for (int s = 0; s < TAPS; s++)
            add(sum.at[s], window.at[s], factor);
    });
#pragma unroll
    for (int s = 0; s < TAPS; s++) { /* a warp has two lines */
        sum.at[s].x += __shfl_xor_sync(0xffffffffu, sum.at[s].x, PAIRS);
        sum.at[s].y += __shfl_xor_sync(0xffffffffu, sum.at[s].y, PAIRS);
    }
    for (int half = 1; half >= 0; half--) {
        if (line / (ROWS / 2) == half && line % 2 == 0)
#pragma unroll
            for (int s = 0; s < TAPS; s++) {
                float *slot = &sums.of[line / 2 % (ROWS / 4)][s][pair];
                slot[0] = sum.at[s].x + (half ? 0.0f : slot[0]);
                slot[1] = sum.at[s].y + (half ? 0.0f : slot[1]);
            }
        __syncthreads();
    }
    for (int i = (int)threadIdx.x; i < TAPS * CHANNELS; i += THREADS) {
        float all = 0;
        for (int r = 0; r < ROWS / 4; r++)
            all += sums.of[r][i / CHANNELS][i % CHANNELS];
        result.of[i / CHANNELS][i % CHANNELS] = all;
    }
    __syncthreads();
}

/* visit(token, y) with y[t] = sum of x[t + s] w[s], or of x[t - s] w[s]. */
template <bool FLIPPED, class F>
static __device__ inline void convolve(const bf16 *x, const tap_sums &w, int height, int width, F visit)
{
    const int pair = (int)threadIdx.x % PAIRS * 2;
    taps kernel;
#pragma unroll
    for (int s = 0; s < TAPS; s++)
        kernel.at[FLIPPED ? TAPS - 1 - s : s] = make_float2(w.of[s][pair], w.of[s][pair + 1]);
    walk(x, height, width, [&](int token, const taps &window) {
        float2 y = make_float2(0, 0);
#pragma unroll
        for (int s = 0; s < TAPS; s++)
            add(y, window.at[s], kernel.at[s]);
        visit(token, y);
    });
}

static __device__ inline void store_pair(const activations &x, int64_t token, int64_t column, float2 value)
{
    const float two[2] = {value.x, value.y};
    store<2>(x, token, column, two);
}

/* n of a channel. */
static __device__ inline float norm_of(const tap_sums &r, int channel, float scale)
{
    float square = 0;
    for (int s = 0; s < TAPS; s++)
        square += r.of[s][channel] * r.of[s][channel];
    return scale * sqrtf(square);
}

static __global__ void __launch_bounds__(THREADS, RESIDENT)
    convolution_forward(convolution_problem p, activations out)
{
    DYNAMIC_SHARED(bf16, shared);
    __shared__ row_sums sums;
    __shared__ tap_sums r;
    const int tokens = p.height * p.width, channel0 = (int)blockIdx.y * CHANNELS;
    const int64_t sample = blockIdx.x;
    bf16 *keys = shared, *values = keys + tokens * CHANNELS, *queries = values + tokens * CHANNELS;
    const bf16 *q = p.qkv + sample * tokens * p.row + channel0;
    fetch(keys, q + p.d, p.row, tokens);
    fetch(values, q + 2 * p.d, p.row, tokens);
    fetch(queries, q + (p.query_is_key ? p.d : 0), p.row, tokens);
    copy_wait<1>();
    __syncthreads();
    correlate(r, sums, keys, values, p.height, p.width);
    if (threadIdx.x < CHANNELS) {
        const int c = (int)threadIdx.x;
        const float factor = p.rate / (norm_of(r, c, p.scale) + 1.0f);
        for (int s = 0; s < TAPS; s++)
            r.of[s][c] = p.w[(channel0 + c) * TAPS + s] + factor * r.of[s][c];
    }
    copy_wait<0>();
    __syncthreads();
    const int64_t column = out.row - p.d + channel0 + (int)threadIdx.x % PAIRS * 2;
    convolve<false>(queries, r, p.height, p.width,
                    [&](int token, float2 y) { store_pair(out, sample * tokens + token, column, y); });
}

struct convolution_gradients {
    const bf16 *dy; /* from the branch's first column on; (batch, tokens, dy_row) */
    int64_t dy_row;
    activations dqkv;
    float *partials; /* (batch, d, TAPS) */
};

/* w' in the place of r, dr in the place of dw, and dw to the partial sums, for one channel. */
static __device__ inline void step_back(tap_sums &r, tap_sums &dw, const convolution_problem &p, int channel0,
                                        float *partial)
{
    const int c = (int)threadIdx.x;
    const float n = norm_of(r, c, p.scale), factor = p.rate / (n + 1.0f);
    float dot = 0;
    for (int s = 0; s < TAPS; s++)
        dot += r.of[s][c] * dw.of[s][c];
    const float along = n > 0 ? dot * p.scale * p.scale / (n * (n + 1.0f)) : 0.0f;
    for (int s = 0; s < TAPS; s++) {
        const float step = r.of[s][c], d = dw.of[s][c];
        const int64_t at = (int64_t)(channel0 + c) * TAPS + s;
        partial[at] = d;
        r.of[s][c] = p.w[at] + factor * step;
        dw.of[s][c] = factor * (d - along * step);
    }
}

static __global__ void __launch_bounds__(THREADS, RESIDENT)
    convolution_backward(convolution_problem p, convolution_gradients out)
{
    DYNAMIC_SHARED(bf16, shared);
    __shared__ row_sums sums;
    __shared__ tap_sums r, dw;
    const int tokens = p.height * p.width, channel0 = (int)blockIdx.y * CHANNELS;
    const int64_t sample = blockIdx.x;
    bf16 *keys = shared, *values = keys + tokens * CHANNELS, *queries = values + tokens * CHANNELS,
         *cotangents = queries + tokens * CHANNELS;
    const bf16 *q = p.qkv + sample * tokens * p.row + channel0;
    fetch(keys, q + p.d, p.row, tokens);
    fetch(values, q + 2 * p.d, p.row, tokens);
    fetch(queries, q + (p.query_is_key ? p.d : 0), p.row, tokens);
    fetch(cotangents, out.dy + sample * tokens * out.dy_row + channel0, out.dy_row, tokens);
    copy_wait<2>();
    __syncthreads();
    correlate(r, sums, keys, values, p.height, p.width);
    copy_wait<0>();
    __syncthreads();
    correlate(dw, sums, queries, cotangents, p.height, p.width);
    if (threadIdx.x < CHANNELS)
        step_back(r, dw, p, channel0, out.partials + sample * p.d * TAPS);
    __syncthreads();
    const int64_t column = p.row - 3 * p.d + channel0 + (int)threadIdx.x % PAIRS * 2;
    auto to = [&](int which) {
        return [=, &p, &out](int token, float2 x) {
            store_pair(out.dqkv, sample * tokens + token, column + which * p.d, x);
        };
    };
    convolve<true>(cotangents, r, p.height, p.width, to(0));
    convolve<true>(values, dw, p.height, p.width, to(1));
    convolve<false>(keys, dw, p.height, p.width, to(2));
}

static convolution_problem problem_of(const ttt_launch *launch)
{
    const auto *a = static_cast<const ttt_vittt_inner_attributes *>(launch->attributes);
    convolution_problem p = {};
    p.d = (int)launch->in[1].shape.size[2];
    p.qkv = static_cast<const bf16 *>(launch->in[0].data) + 3 * (int64_t)a->heads * p.d;
    p.w = static_cast<const float *>(launch->in[3].data);
    p.height = a->height;
    p.width = a->width;
    p.row = launch->in[0].shape.size[2];
    p.query_is_key = a->switches.query_is_key;
    p.scale = 1.0f / 3 / (float)(a->height * a->width);
    p.rate = a->switches.ascent ? -p.scale : p.scale;
    return p;
}

static size_t tile_bytes(const ttt_launch *launch)
{
    return (size_t)launch->in[0].shape.size[1] * CHANNELS * sizeof(bf16);
}

static dim3 grid_of(const ttt_launch *launch)
{
    return dim3((unsigned)launch->in[0].shape.size[0], (unsigned)(launch->in[1].shape.size[2] / CHANNELS));
}

ttt_status vittt_inner_convolution(const ttt_launch *launch)
{
    const convolution_problem p = problem_of(launch);
    return enqueue(launch, convolution_forward, grid_of(launch), THREADS, 3 * tile_bytes(launch), p,
                   activations_of(&launch->out[0]));
}

ttt_status vittt_inner_convolution_backward(const ttt_launch *launch, float *partials)
{
    const convolution_problem p = problem_of(launch);
    const int64_t width = launch->in[4].shape.size[2];
    const convolution_gradients out = {static_cast<const bf16 *>(launch->in[4].data) + width - p.d, width,
                                       activations_of(&launch->out[0]), partials};
    return enqueue(launch, convolution_backward, grid_of(launch), THREADS, 4 * tile_bytes(launch), p, out);
}
