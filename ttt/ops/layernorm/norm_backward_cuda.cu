/* The gradient of normalising rows on CUDA.
 *
 * Reads x, dy and what is added to dx once, writes dx once.  A fixed number of blocks go over the rows, and
 * keep their sums for dgain and dbias in registers; a second kernel adds up the blocks' sums, in order.
 */
#include "ttt/ops/layernorm/norm.cuh"
#include "ttt/ops/reduce/rows.cuh"

enum { SLICES = 16 }; /* of the blocks whose sums are added, taken together at the end */

/* Adds up what the groups of a block have in `part`, first within warps, then warp after warp; element
 * (c, i) of lane l goes to sums[(c * 8 + i) * LANES + l], where neighbouring lanes meet no bank twice. */
template <int LANES, int CHUNKS>
static __device__ inline void add_groups(float (&part)[CHUNKS][8], float *sums)
{
    const int lane = (int)threadIdx.x % WARP, warp = (int)threadIdx.x / WARP;
#pragma unroll
    for (int c = 0; c < CHUNKS; c++)
#pragma unroll
        for (int i = 0; i < 8; i++)
#pragma unroll
            for (int other = LANES; other < WARP; other *= 2)
                part[c][i] += __shfl_xor_sync(0xffffffffu, part[c][i], other);
    for (int w = 0; w < NORM_THREADS / WARP; w++) {
        if (warp == w && lane < LANES) {
#pragma unroll
            for (int c = 0; c < CHUNKS; c++)
#pragma unroll
                for (int i = 0; i < 8; i++) {
                    float *sum = &sums[(c * 8 + i) * LANES + lane];
                    *sum = w ? *sum + part[c][i] : part[c][i];
                }
        }
        __syncthreads();
    }
}

/* Writes the block's sums for dgain and dbias to partials (blocks, 2, d); the latter are 0 where there is no
 * bias. */
template <bool BIASED, int LANES, int CHUNKS>
static __device__ inline void write_partials(float (&dgain)[CHUNKS][8], float (&dbias)[CHUNKS][8], int d,
                                             float *partials)
{
    constexpr int width = LANES * CHUNKS * 8;
    __shared__ float sums[1 + BIASED][width];
    add_groups<LANES>(dgain, sums[0]);
    if constexpr (BIASED)
        add_groups<LANES>(dbias, sums[1]);
    float *mine = partials + (int64_t)blockIdx.x * 2 * d;
    for (int at = (int)threadIdx.x; at < d; at += NORM_THREADS) {
        const int c = at / (LANES * 8), lane = at / 8 % LANES, from = (c * 8 + at % 8) * LANES + lane;
        mine[at] = sums[0][from];
        mine[d + at] = BIASED ? sums[BIASED][from] : 0;
    }
}

/* dx of a row whose parts the lanes hold; adds its terms to dgain and dbias. */
template <bool CENTRED, int LANES, int CHUNKS, class X, class DY>
static __device__ inline void
differentiate_row(const normalisation &n, int row, int lane, const norm_part<CHUNKS, X> &x_part,
                  const norm_part<CHUNKS, DY> &dy_part, const norm_part<CHUNKS, DY> &added_part, float mean,
                  float rstd, float (&dgain)[CHUNKS][8], float (&dbias)[CHUNKS][8])
{
    float x[CHUNKS][8], dy[CHUNKS][8], sum = 0, dot = 0;
    norm_convert(x_part, x);
    norm_convert(dy_part, dy);
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
        const int at = (c * LANES + lane) * 8;
        float gain[8];
        norm_load_parameter(at < n.d ? n.gain : NULL, at, 1, gain);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            const float h = (x[c][i] - mean) * rstd, s = dy[c][i] * gain[i];
            dgain[c][i] += dy[c][i] * h;
            dbias[c][i] += dy[c][i];
            sum += s;
            dot += s * h;
            x[c][i] = h;
            dy[c][i] = s;
        }
    }
    const float s_mean = CENTRED ? norm_sum<LANES>(sum) * n.inverse_d : 0;
    const float sh_mean = norm_sum<LANES>(dot) * n.inverse_d;
#pragma unroll
    for (int c = 0; c < CHUNKS; c++) {
        const int at = (c * LANES + lane) * 8;
        if (at >= n.d || row >= n.rows)
            break;
        float dx[8] = {};
        if (n.added)
            norm_convert(added_part, c, dx);
#pragma unroll
        for (int i = 0; i < 8; i++)
            dx[i] += rstd * (dy[c][i] - s_mean - x[c][i] * sh_mean);
        norm_store(n.y, norm_row_start(n.y, row), at, dx);
    }
}

/* What is not centred has no bias either. */
template <class X, class DY, bool CENTRED, int LANES, int CHUNKS>
static __global__ void __launch_bounds__(NORM_THREADS, CHUNKS == 1  ? 4
                                                       : CHUNKS < 4 ? 2
                                                                    : 1)
    differentiate(const normalisation n, float *partials)
{
    /* The loads of two narrow rows are under way at one time, where registers hold them. */
    constexpr int ROWS = CHUNKS == 1 && !CENTRED && sizeof(X) + sizeof(DY) == 4 ? 2 : 1;
    constexpr int groups = NORM_THREADS / LANES;
    const int lane = (int)threadIdx.x % LANES;
    float dgain[CHUNKS][8] = {}, dbias[CHUNKS][8] = {};
    for (int base = (int)blockIdx.x * ROWS * groups; base < n.rows; base += (int)gridDim.x * ROWS * groups) {
        const int first = base + (int)threadIdx.x / LANES;
        norm_part<CHUNKS, X> x_part[ROWS];
        norm_part<CHUNKS, DY> dy_part[ROWS], added_part[ROWS];
        float mean[ROWS], rstd[ROWS];
#pragma unroll
        for (int k = 0; k < ROWS; k++) {
            const int row = first + k * groups, nearest = min(row, n.rows - 1), d = row < n.rows ? n.d : 0;
            norm_load<LANES>(static_cast<const X *>(n.x.data) + norm_row_start(n.x, nearest), d, lane,
                             x_part[k]);
            norm_load<LANES>(static_cast<const DY *>(n.dy.data) + norm_row_start(n.dy, nearest), d, lane,
                             dy_part[k]);
            if (n.added)
                norm_load<LANES>(static_cast<const DY *>(n.added) + (int64_t)nearest * n.d, d, lane,
                                 added_part[k]);
            mean[k] = CENTRED ? n.mean[nearest] : 0;
            rstd[k] = n.rstd[nearest];
        }
#pragma unroll
        for (int k = 0; k < ROWS; k++)
            differentiate_row<CENTRED, LANES>(n, first + k * groups, lane, x_part[k], dy_part[k],
                                              added_part[k], mean[k], rstd[k], dgain, dbias);
    }
    if (partials)
        write_partials<CENTRED, LANES>(dgain, dbias, n.d, partials);
}

/* Any width and alignment: a block for a row, whose columns belong to the same threads in every row. */
static __global__ void __launch_bounds__(NORM_THREADS)
    differentiate_any(const normalisation n, float *partials)
{
    float *sums = partials ? partials + (int64_t)blockIdx.x * 2 * n.d : NULL;
    for (int i = (int)threadIdx.x; partials && i < n.d; i += NORM_THREADS)
        sums[i] = sums[n.d + i] = 0;
    for (int row = (int)blockIdx.x; row < n.rows; row += (int)gridDim.x) {
        const int64_t x_start = norm_row_start(n.x, row), dy_start = norm_row_start(n.dy, row);
        const int64_t to = norm_row_start(n.y, row);
        const float mean = n.centred ? n.mean[row] : 0, rstd = n.rstd[row];
        float sum = 0, dot = 0;
        for (int i = (int)threadIdx.x; i < n.d; i += NORM_THREADS) {
            const float h = (load_any(n.x.data, n.x.is_bf16, x_start + i) - mean) * rstd;
            const float dy = load_any(n.dy.data, n.dy.is_bf16, dy_start + i);
            const float s = dy * (n.gain ? n.gain[i] : 1);
            sum += s;
            dot += s * h;
            if (partials) {
                sums[i] += dy * h;
                sums[n.d + i] += dy;
            }
        }
        const float s_mean = n.centred ? block_sum(sum) * n.inverse_d : 0;
        const float sh_mean = block_sum(dot) * n.inverse_d;
        for (int i = (int)threadIdx.x; i < n.d; i += NORM_THREADS) {
            const float h = (load_any(n.x.data, n.x.is_bf16, x_start + i) - mean) * rstd;
            const float dy = load_any(n.dy.data, n.dy.is_bf16, dy_start + i);
            const float added = n.added ? load_any(n.added, n.added_is_bf16, (int64_t)row * n.d + i) : 0;
            norm_store(n.y, to, i, rstd * (dy * (n.gain ? n.gain[i] : 1) - s_mean - h * sh_mean) + added);
        }
    }
}

/* As many as are resident, and none without rows: a block takes 8 or more at a time. */
static int block_count(const ttt_launch *launch, int64_t rows, int64_t d)
{
    const int64_t resident = ttt_cuda_multiprocessors(launch->device) * (d <= 64 ? 4 : 2);
    const int64_t useful = (rows + NORM_THREADS / WARP - 1) / (NORM_THREADS / WARP);
    return (int)(useful < resident ? useful : resident);
}

size_t norm_backward_workspace(const ttt_launch *launch)
{
    const ttt_operand *x = &launch->in[0];
    const int64_t d = x->shape.size[x->shape.rank - 1], rows = ttt_operand_elements(x) / d;
    return (size_t)(block_count(launch, rows, d) * 2 * d) * sizeof(float);
}

static ttt_status run_rows(const ttt_launch *launch, const normalisation &n, int blocks, float *partials)
{
    if (!norm_in_registers(n))
        return enqueue(launch, differentiate_any, blocks, NORM_THREADS, 0, n, partials);
    return by_type(n.x.is_bf16 ? TTT_BF16 : TTT_F32, [&](auto x) {
        return by_type(n.dy.is_bf16 ? TTT_BF16 : TTT_F32, [&](auto dy) {
            return norm_by_width(n.d, [&](auto spread) {
                return norm_by_centre(n, [&](auto centred) {
                    return enqueue(
                        launch,
                        differentiate<decltype(x), decltype(dy), centred.value, spread.lanes, spread.chunks>,
                        blocks, NORM_THREADS, 0, n, partials);
                });
            });
        });
    });
}

ttt_status norm_backward(const ttt_launch *launch, const norm_operands &operands)
{
    const normalisation n = norm_of(launch, operands);
    const int blocks = block_count(launch, n.rows, n.d);
    float *partials = n.dgain || n.dbias ? static_cast<float *>(launch->workspace) : NULL;
    TRY(run_rows(launch, n, blocks, partials));
    if (!partials)
        return TTT_OK;
    return enqueue_row_sums<SLICES>(launch, {partials, blocks, 2 * n.d, 2 * n.d, n.d, n.dgain, n.dbias});
}
