/* What layernorm and rmsnorm share on CUDA: rows of d elements, normalised, and the gradient of that.
 *
 *     h = (x - mean) rstd,   y = h gain + bias,   and with s = dy gain
 *     dx = rstd (s - mean(s) - h mean(s h)),   dgain = sum of dy h over rows,   dbias = sum of dy over rows
 *
 * rmsnorm takes no mean off: it is 0, and so is mean(s).  All sums are in f32.
 */
#ifndef TTT_OPS_LAYERNORM_NORM_CUH
#define TTT_OPS_LAYERNORM_NORM_CUH

#include "ttt/device/kernel.cuh"

/* Rows of unit stride; their places, by the leading dimensions that lie apart, innermost first. */
struct norm_rows {
    const void *data;
    bool is_bf16;
    int rank; /* at least 1 */
    divisor size[TTT_MAX_RANK];
    int64_t stride[TTT_MAX_RANK]; /* elements */
};

struct normalisation {
    norm_rows x, dy; /* dy: of the gradient */
    norm_rows y;     /* y or dx; may be x or dy */
    int rows, d;
    float inverse_d;          /* 1 / d */
    bool centred;             /* whether a mean is taken off */
    float eps;                /* added to the variance, or to the mean square */
    const float *gain, *bias; /* (d), or NULL for 1 and for 0 */
    float *mean, *rstd;       /* (rows); written forward, unless NULL, and read backward */
    const void *added;        /* to dx: (rows, d), contiguous, or NULL */
    bool added_is_bf16;
    float *dgain, *dbias; /* (d), or NULL */
};

/* Where a node has its operands, apart from x, gain and output 0, which stand in the same places in all;
 * NULL: it has none.  What has a mean is centred. */
struct norm_operands {
    const ttt_operand *mean, *rstd;
    float eps;
    const ttt_operand *bias;                       /* forward */
    const ttt_operand *dy, *added, *dgain, *dbias; /* backward */
};
norm_rows norm_rows_of(const ttt_operand *x);
normalisation norm_of(const ttt_launch *launch, const norm_operands &operands);

/* supports(): whether all are f32 or bf16, the parameters and statistics f32, and rows of unit stride. */
bool norm_supports(const ttt_launch *launch, const char **why);

ttt_status norm_forward(const ttt_launch *launch, const norm_operands &operands);

size_t norm_backward_workspace(const ttt_launch *launch);
ttt_status norm_backward(const ttt_launch *launch, const norm_operands &operands);

/* ---- between the two directions ---- */

/* Rows are held in registers by LANES threads, as CHUNKS pieces of 8 elements each, LANES * 8 apart. */
template <int LANES, int CHUNKS> struct norm_spread {
    static constexpr int lanes = LANES, chunks = CHUNKS;
};

constexpr int NORM_THREADS = 256, NORM_WIDEST = 1024;

/* Calls f with the spread of rows of d <= NORM_WIDEST elements; the widths of our models fill theirs. */
template <class F> ttt_status norm_by_width(int d, F f)
{
    return d <= 64    ? f(norm_spread<8, 1>())
           : d <= 192 ? f(norm_spread<8, 3>())
           : d <= 384 ? f(norm_spread<16, 3>())
           : d <= 768 ? f(norm_spread<32, 3>())
                      : f(norm_spread<32, 4>());
}

/* Calls f with whether a mean is taken off, as a type. */
template <class F> ttt_status norm_by_centre(const normalisation &n, F f)
{
    return n.centred ? f(std::true_type()) : f(std::false_type());
}

/* Whether rows begin at multiples of 16 bytes. */
bool norm_rows_are_aligned(const norm_rows &x);

/* Whether rows can be read and written by 16 bytes, and held in registers; what is added is of dy's type. */
bool norm_in_registers(const normalisation &n);

/* Element 0 of a row. */
__device__ inline int64_t norm_row_start(const norm_rows &x, int row)
{
    int64_t start = 0;
    uint32_t left = (uint32_t)row;
#pragma unroll 1
    for (int i = 0; i < x.rank - 1; i++) {
        const uint32_t quotient = divide(left, x.size[i]);
        start += (int64_t)(left - quotient * x.size[i].d) * x.stride[i];
        left = quotient;
    }
    return start + (int64_t)left * x.stride[x.rank - 1];
}

/* The sum over LANES neighbouring lanes, in each of them. */
template <int LANES> __device__ inline float norm_sum(float x)
{
#pragma unroll
    for (int lane = LANES / 2; lane > 0; lane /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, lane);
    return x;
}

/* A lane's part of a row, as it lies in memory: loads of several rows are on their way before the first is
 * converted, and so waited for. */
template <int CHUNKS, class T> struct norm_part {
    static constexpr int quads = (int)sizeof(T) / 2; /* 16 bytes each, of 8 elements */
    uint4 bits[CHUNKS][quads];
};

/* What lies past the row's d elements is 0. */
template <int LANES, int CHUNKS, class T>
__device__ inline void norm_load(const T *row, int d, int lane, norm_part<CHUNKS, T> &part)
{
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
        const int at = (c * LANES + lane) * 8;
#pragma unroll
        for (int i = 0; i < part.quads; i++) {
            part.bits[c][i] = make_uint4(0, 0, 0, 0);
            if (at < d)
                part.bits[c][i] = reinterpret_cast<const uint4 *>(row + at)[i];
        }
    }
}

/* Piece c of it as numbers. */
template <int CHUNKS, class T>
__device__ inline void norm_convert(const norm_part<CHUNKS, T> &part, int c, float (&x)[8])
{
    T value[8];
    memcpy(value, part.bits[c], sizeof value);
#pragma unroll
    for (int i = 0; i < 8; i++)
        x[i] = to_float(value[i]);
}
template <int CHUNKS, class T>
__device__ inline void norm_convert(const norm_part<CHUNKS, T> &part, float (&x)[CHUNKS][8])
{
#pragma unroll
    for (int c = 0; c < CHUNKS; c++)
        norm_convert(part, c, x[c]);
}

/* Eight neighbours of a parameter, `otherwise` where it is not given. */
__device__ inline void norm_load_parameter(const float *parameter, int at, float otherwise, float (&x)[8])
{
    if (parameter) {
        load<8>(parameter + at, x);
    } else {
#pragma unroll
        for (int i = 0; i < 8; i++)
            x[i] = otherwise;
    }
}

/* Eight neighbours of a row that begins at element `start`. */
__device__ inline void norm_store(const norm_rows &y, int64_t start, int at, const float (&x)[8])
{
    void *data = const_cast<void *>(y.data);
    if (y.is_bf16)
        store<8>(static_cast<bf16 *>(data) + start + at, x);
    else
        store<8>(static_cast<float *>(data) + start + at, x);
}

/* One element of it. */
__device__ inline void norm_store(const norm_rows &y, int64_t start, int at, float x)
{
    store_any(const_cast<void *>(y.data), y.is_bf16, start + at, x);
}

#endif
