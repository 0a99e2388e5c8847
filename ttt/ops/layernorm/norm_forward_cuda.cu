/* Normalising rows on CUDA.
 *
 * Reads x once and writes y once, and the statistics; gain and bias come from the L1 cache.  Each warp has
 * the loads of two rows (or, of narrow ones, two or four sets of rows) under way.
 */
#include "ttt/ops/layernorm/norm.cuh"

constexpr int THREADS = 128;

/* Rows of a group of lanes. */
constexpr int rows_at_once(int chunks)
{
    return chunks == 1 ? 4 : 2;
}

/* mean and 1 / sqrt(var + eps) of a row spread over LANES lanes. */
template <bool CENTRED, int LANES, int CHUNKS>
static __device__ inline void measure(const normalisation &n, const float (&x)[CHUNKS][8], int lane,
                                      float &mean, float &rstd)
{
    float sum = 0, square = 0;
#pragma unroll
    for (int c = 0; c < CHUNKS && CENTRED; c++)
#pragma unroll
        for (int i = 0; i < 8; i++)
            sum += x[c][i];
    mean = CENTRED ? norm_sum<LANES>(sum) * n.inverse_d : 0;
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
        const float centre = (c * LANES + lane) * 8 < n.d ? mean : 0; /* zeros past the row stay zeros */
#pragma unroll
        for (int i = 0; i < 8; i++)
            square += (x[c][i] - centre) * (x[c][i] - centre);
    }
    rstd = rsqrtf(norm_sum<LANES>(square) * n.inverse_d + n.eps);
}

/* What is not centred has no bias either. */
template <class X, bool CENTRED, int LANES, int CHUNKS>
static __global__ void __launch_bounds__(THREADS, CHUNKS < 4 ? 5 : 4) normalise(const normalisation n)
{
    constexpr int groups = THREADS / LANES, ROWS = rows_at_once(CHUNKS);
    const int lane = (int)threadIdx.x % LANES, group = (int)threadIdx.x / LANES;
    const int first = (int)blockIdx.x * ROWS * groups + group;
    int64_t start[ROWS];
    norm_part<CHUNKS, X> part[ROWS];
    float x[ROWS][CHUNKS][8], mean[ROWS], rstd[ROWS];
#pragma unroll
    for (int k = 0; k < ROWS; k++)
        start[k] = norm_row_start(n.x, min(first + k * groups, n.rows - 1));
#pragma unroll
    for (int k = 0; k < ROWS; k++)
        norm_load<LANES>(static_cast<const X *>(n.x.data) + start[k], first + k * groups < n.rows ? n.d : 0,
                         lane, part[k]);
#pragma unroll
    for (int k = 0; k < ROWS; k++) {
        const int row = first + k * groups;
        norm_convert(part[k], x[k]);
        measure<CENTRED, LANES>(n, x[k], lane, mean[k], rstd[k]);
        if (lane == 0 && row < n.rows && n.mean)
            n.mean[row] = mean[k];
        if (lane == 0 && row < n.rows && n.rstd)
            n.rstd[row] = rstd[k];
    }
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
        const int at = (c * LANES + lane) * 8;
        if (at >= n.d)
            break;
        float gain[8], bias[8];
        norm_load_parameter(n.gain, at, 1, gain);
        norm_load_parameter(CENTRED ? n.bias : NULL, at, 0, bias);
#pragma unroll
        for (int k = 0; k < ROWS; k++) {
            const int row = first + k * groups;
            float y[8];
#pragma unroll
            for (int i = 0; i < 8; i++)
                y[i] = CENTRED ? (x[k][c][i] - mean[k]) * rstd[k] * gain[i] + bias[i]
                               : x[k][c][i] * rstd[k] * gain[i];
            if (row < n.rows)
                norm_store(n.y, norm_row_start(n.y, row), at, y);
        }
    }
}

/* Any width and alignment, a block for a row, which is read three times. */
static __global__ void __launch_bounds__(THREADS) normalise_any(const normalisation n)
{
    const int row = (int)blockIdx.x;
    const int64_t start = norm_row_start(n.x, row), to = norm_row_start(n.y, row);
    float sum = 0, square = 0;
    for (int i = (int)threadIdx.x; i < n.d; i += THREADS)
        sum += load_any(n.x.data, n.x.is_bf16, start + i);
    const float mean = n.centred ? block_sum(sum) * n.inverse_d : 0;
    for (int i = (int)threadIdx.x; i < n.d; i += THREADS) {
        const float x = load_any(n.x.data, n.x.is_bf16, start + i) - mean;
        square += x * x;
    }
    const float rstd = rsqrtf(block_sum(square) * n.inverse_d + n.eps);
    for (int i = (int)threadIdx.x; i < n.d; i += THREADS) {
        const float h = (load_any(n.x.data, n.x.is_bf16, start + i) - mean) * rstd;
        norm_store(n.y, to, i, h * (n.gain ? n.gain[i] : 1) + (n.bias ? n.bias[i] : 0));
    }
    if (threadIdx.x == 0 && n.mean)
        n.mean[row] = mean;
    if (threadIdx.x == 0 && n.rstd)
        n.rstd[row] = rstd;
}

ttt_status norm_forward(const ttt_launch *launch, const norm_operands &operands)
{
    const normalisation n = norm_of(launch, operands);
    if (!norm_in_registers(n))
        return enqueue(launch, normalise_any, (unsigned)n.rows, THREADS, 0, n);
    return by_type(n.x.is_bf16 ? TTT_BF16 : TTT_F32, [&](auto x) {
        return norm_by_width(n.d, [&](auto spread) {
            const unsigned blocks = blocks_for(n.rows, rows_at_once(spread.chunks) * THREADS / spread.lanes);
            return norm_by_centre(n, [&](auto centred) {
                return enqueue(launch, normalise<decltype(x), centred.value, spread.lanes, spread.chunks>,
                               blocks, THREADS, 0, n);
            });
        });
    });
}
