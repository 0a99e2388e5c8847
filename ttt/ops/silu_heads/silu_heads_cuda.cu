/* "silu_heads" and "silu_heads_backward" on CUDA.
 *
 * Forward reads x and writes y, of the parts that are read; backward reads x and dy, of the parts that have a
 * gradient, and writes dx: each once.  A row, of one head of one token, lies in the registers of up to a
 * warp; each warp has the loads of two rows (or, of narrow ones, two sets of rows) under way.  The parts are
 * the second dimension of the grid.
 */
#include "ttt/ops/layernorm/norm.cuh"

extern "C" {
#include "ttt/ops/silu_heads/silu_heads_operator.h"
}

constexpr int THREADS = 128, ROWS = 2; /* rows of a group of lanes */

/* The rows of a part: x, dy of the gradient (no data: 0), and what is written, y or dx (which may be x). */
struct head_rows {
    norm_rows x, dy, to;
    bool unit;
};

struct silu_heads {
    int rows, d; /* rows of a part: tokens * heads */
    float eps;
    head_rows part[TTT_SILU_HEADS_PARTS];
};

/* 1 / (1 + exp(-x)); a relative error of 2e-6 at |x| = 16. */
static __device__ inline float sigmoid(float x)
{
    return __fdividef(1.0f, 1.0f + __expf(-x));
}

/* Of h: the factor 1 / m of dy, and how much of h comes off that: <dy, h> / (|h| m^2). */
struct unit_factors {
    float scale, pull;
};
static __device__ inline unit_factors factors_of(float square, float dot, float eps)
{
    const float norm = sqrtf(square), scale = 1.0f / (norm + eps);
    return {scale, norm > 0 ? dot * scale * scale / norm : 0};
}

template <int LANES, int CHUNKS>
static __device__ inline void write_row(const norm_rows &to, int row, int d, int lane,
                                        const float (&x)[CHUNKS][8])
{
    const int64_t start = norm_row_start(to, row);
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
        const int at = (c * LANES + lane) * 8;
        if (at < d)
            norm_store(to, start, at, x[c]);
    }
}

template <class X, int LANES, int CHUNKS>
static __global__ void __launch_bounds__(THREADS, CHUNKS < 4 ? 5 : 4) activate(const silu_heads s)
{
    constexpr int groups = THREADS / LANES;
    const head_rows &part = s.part[blockIdx.y];
    const int lane = (int)threadIdx.x % LANES, group = (int)threadIdx.x / LANES;
    const int first = (int)blockIdx.x * ROWS * groups + group;
    norm_part<CHUNKS, X> bits[ROWS];
#pragma unroll
    for (int k = 0; k < ROWS; k++) {
        const int row = first + k * groups;
        const int64_t start = norm_row_start(part.x, min(row, s.rows - 1));
        norm_load<LANES>(static_cast<const X *>(part.x.data) + start, row < s.rows ? s.d : 0, lane, bits[k]);
    }
#pragma unroll
    for (int k = 0; k < ROWS; k++) {
        const int row = first + k * groups;
        float h[CHUNKS][8], square = 0;
        norm_convert(bits[k], h);
#pragma unroll
        for (int c = 0; c < CHUNKS; c++)
#pragma unroll
            for (int i = 0; i < 8; i++) {
                h[c][i] *= sigmoid(h[c][i]);
                square += h[c][i] * h[c][i];
            }
        const float scale = part.unit ? factors_of(norm_sum<LANES>(square), 0, s.eps).scale : 1;
#pragma unroll
        for (int c = 0; c < CHUNKS; c++)
#pragma unroll
            for (int i = 0; i < 8; i++)
                h[c][i] *= scale;
        if (row < s.rows)
            write_row<LANES>(part.to, row, s.d, lane, h);
    }
}

/* dx of a row out of x and dy, in the registers of LANES lanes; dx comes in x's place. */
template <int LANES, int CHUNKS>
static __device__ inline void differentiate_row(bool unit, float eps, float (&x)[CHUNKS][8],
                                                const float (&dy)[CHUNKS][8])
{
    float slope[CHUNKS][8], square = 0, dot = 0; /* slope: silu'(x) = s + h (1 - s) */
#pragma unroll
    for (int c = 0; c < CHUNKS; c++)
#pragma unroll
        for (int i = 0; i < 8; i++) {
            const float s = sigmoid(x[c][i]), h = x[c][i] * s;
            slope[c][i] = s + h * (1 - s);
            square += h * h;
            dot += h * dy[c][i];
            x[c][i] = h;
        }
    unit_factors f = {1, 0};
    if (unit)
        f = factors_of(norm_sum<LANES>(square), norm_sum<LANES>(dot), eps);
#pragma unroll
    for (int c = 0; c < CHUNKS; c++)
#pragma unroll
        for (int i = 0; i < 8; i++)
            x[c][i] = (dy[c][i] * f.scale - x[c][i] * f.pull) * slope[c][i];
}

template <class X, class DY, int LANES, int CHUNKS>
static __global__ void __launch_bounds__(THREADS, 4) differentiate(const silu_heads s)
{
    constexpr int groups = THREADS / LANES;
    const head_rows &part = s.part[blockIdx.y];
    const int lane = (int)threadIdx.x % LANES, row = (int)blockIdx.x * groups + (int)threadIdx.x / LANES;
    const int nearest = min(row, s.rows - 1), d = row < s.rows && part.dy.data ? s.d : 0;
    float x[CHUNKS][8], dy[CHUNKS][8];
    norm_part<CHUNKS, X> x_bits;
    norm_part<CHUNKS, DY> dy_bits;
    norm_load<LANES>(static_cast<const X *>(part.x.data) + norm_row_start(part.x, nearest), d, lane, x_bits);
    norm_load<LANES>(static_cast<const DY *>(part.dy.data) + norm_row_start(part.dy, nearest), d, lane,
                     dy_bits);
    norm_convert(x_bits, x);
    norm_convert(dy_bits, dy);
    differentiate_row<LANES>(part.unit, s.eps, x, dy);
    if (row < s.rows)
        write_row<LANES>(part.to, row, s.d, lane, x);
}

/* Element i of a row. */
static __device__ inline float element(const norm_rows &rows, int64_t start, int i)
{
    return load_any(rows.data, rows.is_bf16, start + i);
}

/* Any width and alignment, a block for a row. */
static __global__ void __launch_bounds__(THREADS) activate_any(const silu_heads s)
{
    const head_rows &part = s.part[blockIdx.y];
    const int64_t from = norm_row_start(part.x, (int)blockIdx.x),
                  to = norm_row_start(part.to, (int)blockIdx.x);
    float square = 0;
    for (int i = (int)threadIdx.x; i < s.d && part.unit; i += THREADS) {
        const float x = element(part.x, from, i), h = x * sigmoid(x);
        square += h * h;
    }
    const float scale = part.unit ? factors_of(block_sum(square), 0, s.eps).scale : 1;
    for (int i = (int)threadIdx.x; i < s.d; i += THREADS) {
        const float x = element(part.x, from, i);
        norm_store(part.to, to, i, x * sigmoid(x) * scale);
    }
}

static __global__ void __launch_bounds__(THREADS) differentiate_any(const silu_heads s)
{
    const head_rows &part = s.part[blockIdx.y];
    const int row = (int)blockIdx.x;
    const int64_t x_start = norm_row_start(part.x, row), dy_start = norm_row_start(part.dy, row);
    const int64_t to = norm_row_start(part.to, row);
    float square = 0, dot = 0;
    for (int i = (int)threadIdx.x; i < s.d && part.unit && part.dy.data; i += THREADS) {
        const float x = element(part.x, x_start, i), h = x * sigmoid(x);
        square += h * h;
        dot += h * element(part.dy, dy_start, i);
    }
    unit_factors f = {1, 0};
    if (part.unit)
        f = factors_of(block_sum(square), block_sum(dot), s.eps);
    for (int i = (int)threadIdx.x; i < s.d; i += THREADS) {
        const float x = element(part.x, x_start, i), sigma = sigmoid(x), h = x * sigma;
        const float dy = part.dy.data ? element(part.dy, dy_start, i) : 0;
        norm_store(part.to, to, i, (dy * f.scale - h * f.pull) * (sigma + h * (1 - sigma)));
    }
}

static const ttt_silu_heads_attributes *attributes_of(const ttt_launch *launch)
{
    return static_cast<const ttt_silu_heads_attributes *>(launch->attributes);
}

/* Without the parts. */
static silu_heads heads_of(const ttt_launch *launch)
{
    const ttt_silu_heads_attributes *a = attributes_of(launch);
    const ttt_shape x = launch->in[0].shape;
    silu_heads s = {};
    s.rows = (int)(x.size[0] * x.size[1] * a->heads);
    s.d = (int)(x.size[2] / (a->parts * a->heads));
    s.eps = a->eps;
    return s;
}

/* The rows of part p within x or dx. */
static norm_rows rows_within(const ttt_operand *x, const ttt_silu_heads_attributes *a, int p)
{
    const int64_t width = x->shape.size[2] / a->parts, d = width / a->heads;
    ttt_operand part = *x;
    part.shape.rank = 4;
    part.shape.size[2] = a->heads;
    part.shape.size[3] = d;
    part.stride[2] = d;
    part.stride[3] = 1;
    part.data = static_cast<char *>(x->data) + p * width * (int64_t)ttt_dtype_size(x->dtype);
    return norm_rows_of(&part);
}

static bool in_registers(const silu_heads *s, int parts)
{
    bool fit = s->d % 8 == 0 && s->d <= NORM_WIDEST;
    for (int p = 0; p < parts; p++)
        fit = fit && norm_rows_are_aligned(s->part[p].x) && norm_rows_are_aligned(s->part[p].dy) &&
              norm_rows_are_aligned(s->part[p].to);
    return fit;
}

static ttt_status forward(const ttt_launch *launch)
{
    const ttt_silu_heads_attributes *a = attributes_of(launch);
    silu_heads s = heads_of(launch);
    int parts = 0;
    for (int p = 0; p < a->parts; p++)
        if (launch->out[p].data)
            s.part[parts++] = {
                rows_within(&launch->in[0], a, p), {}, norm_rows_of(&launch->out[p]), p < a->units};
    if (!in_registers(&s, parts))
        return enqueue(launch, activate_any, dim3((unsigned)s.rows, (unsigned)parts), THREADS, 0, s);
    return by_type(launch->in[0].dtype, [&](auto x) {
        return norm_by_width(s.d, [&](auto spread) {
            const dim3 grid(blocks_for(s.rows, ROWS * THREADS / spread.lanes), (unsigned)parts);
            return enqueue(launch, activate<decltype(x), spread.lanes, spread.chunks>, grid, THREADS, 0, s);
        });
    });
}

static ttt_status differentiate_parts(const ttt_launch *launch, const silu_heads *s, int parts,
                                      ttt_dtype dy_type)
{
    if (!in_registers(s, parts))
        return enqueue(launch, differentiate_any, dim3((unsigned)s->rows, (unsigned)parts), THREADS, 0, *s);
    return by_type(launch->in[0].dtype, [&](auto x) {
        return by_type(dy_type, [&](auto dy) {
            return norm_by_width(s->d, [&](auto spread) {
                const dim3 grid(blocks_for(s->rows, THREADS / spread.lanes), (unsigned)parts);
                return enqueue(launch, differentiate<decltype(x), decltype(dy), spread.lanes, spread.chunks>,
                               grid, THREADS, 0, *s);
            });
        });
    });
}

/* The parts whose gradients are of one type at a time: as a rule, all of them. */
static ttt_status backward(const ttt_launch *launch)
{
    const ttt_silu_heads_attributes *a = attributes_of(launch);
    for (const ttt_dtype type : {TTT_F32, TTT_BF16}) {
        silu_heads s = heads_of(launch);
        int parts = 0;
        for (int p = 0; p < a->parts; p++) {
            const ttt_operand *dy = &launch->in[1 + p];
            if ((dy->dtype == TTT_BF16) == (type == TTT_BF16))
                s.part[parts++] = {rows_within(&launch->in[0], a, p),
                                   dy->dtype ? norm_rows_of(dy) : norm_rows{NULL, false, 1, {}, {}},
                                   rows_within(&launch->out[0], a, p), p < a->units};
        }
        if (parts)
            TRY(differentiate_parts(launch, &s, parts, type));
    }
    return TTT_OK;
}

static bool supports(const ttt_launch *launch, const char **why)
{
    const ttt_shape x = launch->in[0].shape;
    const char *reason = NULL;
    for (int i = 1; i < launch->n_in; i++)
        if (launch->in[i].dtype && launch->in[i].shape.size[3] > 1 && launch->in[i].stride[3] != 1)
            reason = "rows are not of unit stride";
    if (x.size[2] > INT32_MAX || x.size[0] * x.size[1] > INT32_MAX / 2 / attributes_of(launch)->heads)
        reason = "too many rows or columns";
    if (reason)
        *why = reason;
    return !reason && ttt_all_f32_or_bf16(launch, why);
}

extern "C" const ttt_implementation ttt_silu_heads_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .run = forward,
};

extern "C" const ttt_implementation ttt_silu_heads_backward_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .run = backward,
};
