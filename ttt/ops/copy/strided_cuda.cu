/* Copies between strided layouts on CUDA.
 *
 * Dimensions are merged where both sides allow it.  Elements that are consecutive on both sides are copied in
 * groups of 16 bytes; two dimensions that change places go through a tile in shared memory; the rest element
 * by element.  Reads and writes every element once: the first two run at the rate of a plain copy.
 */
#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/copy/dimensions.h"
#include "ttt/ops/copy/strided_cuda.h"
}

/* MOST_COPIES: what fits into the 4 KiB of a kernel's parameters. */
enum { THREADS = 256, UNROLL = 2, MOST_COPIES = 16, TILE = 64, FEW = 16 };

/* A copy by groups of `width` elements, the innermost dimension last. */
struct by_groups {
    void *to;
    const void *from;
    int64_t groups;
    ttt_copy_dimension dimensions[TTT_MAX_RANK];
    int rank, width; /* width: 8, 4 or 1 */
    bool from_bf16, repeats;
};

struct several {
    by_groups copy[MOST_COPIES];
};

template <class Index>
static __device__ void locate(const by_groups &copy, Index element, int64_t &to, int64_t &from)
{
    Index to_offset = 0, from_offset = 0;
    for (int d = copy.rank - 1; d > 0; d--) {
        const Index size = (Index)copy.dimensions[d].size, at = element % size;
        to_offset += at * (Index)copy.dimensions[d].to;
        from_offset += at * (Index)copy.dimensions[d].from;
        element /= size;
    }
    to = to_offset + element * (Index)copy.dimensions[0].to;
    from = from_offset + element * (Index)copy.dimensions[0].from;
}

template <int N, class To, class From, class Index> static __device__ void copy_groups(const by_groups &copy)
{
    const From *from = static_cast<const From *>(copy.from);
    const int64_t first = (int64_t)blockIdx.x * (THREADS * UNROLL) + threadIdx.x;
    float x[UNROLL][N];
    int64_t to_offset[UNROLL];
#pragma unroll
    for (int u = 0; u < UNROLL; u++) {
        const int64_t group = first + u * THREADS;
        int64_t from_offset;
        if (group >= copy.groups)
            break;
        locate<Index>(copy, (Index)(group * N), to_offset[u], from_offset);
        if (copy.repeats) {
            const float value = to_float(from[from_offset]);
#pragma unroll
            for (int k = 0; k < N; k++)
                x[u][k] = value;
        } else {
            load<N>(from + from_offset, x[u]);
        }
    }
#pragma unroll
    for (int u = 0; u < UNROLL; u++)
        if (first + u * THREADS < copy.groups)
            store<N>(static_cast<To *>(copy.to) + to_offset[u], x[u]);
}

template <class To, class From, class Index> static __device__ void copy_one(const by_groups &copy)
{
    if (copy.width == 8)
        copy_groups<8, To, From, Index>(copy);
    else if (copy.width == 4)
        copy_groups<4, To, From, Index>(copy);
    else
        copy_groups<1, To, From, Index>(copy);
}

/* Grid: (blocks of the longest copy, copies). */
template <class To, class Index>
static __global__ void __launch_bounds__(THREADS) copy_batch(const __grid_constant__ several batch)
{
    const by_groups &copy = batch.copy[blockIdx.y];
    if (copy.from_bf16)
        copy_one<To, bf16, Index>(copy);
    else
        copy_one<To, float, Index>(copy);
}

/* Rows are consecutive in `from`, columns in `to`. */
struct transposition {
    ttt_copy_dimension rows, columns, outer[TTT_MAX_RANK];
    int n_outer;
    int64_t row_tiles, column_tiles, tiles; /* of a plane, of a plane, in all */
};

/* A block moves one tile. */
template <class To, class From>
static __global__ void __launch_bounds__(THREADS)
    transpose(To *to, const From *from, const __grid_constant__ transposition t)
{
    __shared__ float tile[TILE][TILE + 1]; /* (columns, rows) */
    constexpr int lines = THREADS / TILE, steps = TILE / lines;
    int64_t rest = blockIdx.x;
    const int64_t column = rest % t.column_tiles * TILE;
    rest /= t.column_tiles;
    const int64_t row = rest % t.row_tiles * TILE;
    rest /= t.row_tiles;
    to += row * t.rows.to + column;
    from += row + column * t.columns.from;
    for (int d = t.n_outer - 1; d >= 0; d--) {
        to += rest % t.outer[d].size * t.outer[d].to;
        from += rest % t.outer[d].size * t.outer[d].from;
        rest /= t.outer[d].size;
    }
    const int x = (int)threadIdx.x % TILE, line = (int)threadIdx.x / TILE;
    const int64_t rows = t.rows.size - row, columns = t.columns.size - column;
    float value[steps];
#pragma unroll
    for (int i = 0; i < steps; i++) {
        const int c = line + i * lines;
        value[i] = x < rows && c < columns ? to_float(from[c * t.columns.from + x]) : 0;
    }
#pragma unroll
    for (int i = 0; i < steps; i++)
        tile[line + i * lines][x] = value[i];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < steps; i++) {
        const int r = line + i * lines;
        if (r < rows && x < columns)
            to[r * t.rows.to + x] = from_float<To>(tile[x][r]);
    }
}

/* Whether `width` elements in a row can be moved at once: nothing is cut within a group. */
static bool fits(const by_groups *copy, int width, size_t to_size, size_t from_size)
{
    const ttt_copy_dimension *inner = &copy->dimensions[copy->rank - 1];
    const size_t to_bytes = width * to_size, from_bytes = copy->repeats ? from_size : width * from_size;
    bool fit = inner->size % width == 0 && inner->to == 1 && (inner->from == 1 || copy->repeats) &&
               (uintptr_t)copy->to % (to_bytes < 16 ? to_bytes : 16) == 0 &&
               (uintptr_t)copy->from % (from_bytes < 16 ? from_bytes : 16) == 0;
    for (int d = 0; d < copy->rank - 1; d++)
        fit = fit && copy->dimensions[d].to % width == 0 &&
              (copy->repeats || copy->dimensions[d].from % width == 0);
    return fit;
}

static by_groups groups_of(const ttt_cuda_copy *copy, ttt_dtype to_type)
{
    by_groups g = {};
    g.to = copy->to;
    g.from = copy->from->data;
    g.from_bf16 = copy->from->dtype == TTT_BF16;
    g.rank = ttt_copy_merge(copy->from->shape, copy->to_stride, copy->from->stride, g.dimensions);
    if (g.rank == 0)
        g.dimensions[g.rank++] = {1, 0, 0};
    g.repeats = g.dimensions[g.rank - 1].from == 0;
    const size_t to_size = ttt_dtype_size(to_type), from_size = ttt_dtype_size(copy->from->dtype);
    const bool any_bf16 = g.from_bf16 || to_type == TTT_BF16;
    g.width = any_bf16 && fits(&g, 8, to_size, from_size) ? 8 : fits(&g, 4, to_size, from_size) ? 4 : 1;
    g.groups = ttt_operand_elements(copy->from) / g.width;
    return g;
}

static bool is_wide(const by_groups *copy)
{
    int64_t to = 0, from = 0;
    for (int d = 0; d < copy->rank; d++) {
        to += (copy->dimensions[d].size - 1) * copy->dimensions[d].to;
        from += (copy->dimensions[d].size - 1) * copy->dimensions[d].from;
    }
    return to > INT32_MAX || from > INT32_MAX || copy->groups * copy->width > INT32_MAX;
}

static ttt_status launch_batch(const ttt_launch *launch, ttt_dtype to_type, const several &batch, int count)
{
    int64_t most = 0;
    bool wide = false;
    for (int i = 0; i < count; i++) {
        most = batch.copy[i].groups > most ? batch.copy[i].groups : most;
        wide |= is_wide(&batch.copy[i]);
    }
    const dim3 grid(blocks_for(most, THREADS * UNROLL), (unsigned)count);
    return by_type(to_type, [&](auto to) {
        return enqueue(launch, wide ? copy_batch<decltype(to), int64_t> : copy_batch<decltype(to), uint32_t>,
                       grid, THREADS, 0, batch);
    });
}

/* Whether the copy is worth going through tiles; then *t says how. */
static bool is_transposition(const by_groups *copy, transposition *t)
{
    const int last = copy->rank - 1;
    *t = {};
    t->columns = copy->dimensions[last];
    for (int d = 0; d < last; d++)
        if (copy->dimensions[d].from == 1 && !t->rows.size)
            t->rows = copy->dimensions[d];
        else
            t->outer[t->n_outer++] = copy->dimensions[d];
    t->row_tiles = blocks_for(t->rows.size, TILE);
    t->column_tiles = blocks_for(t->columns.size, TILE);
    t->tiles = t->row_tiles * t->column_tiles;
    for (int d = 0; d < t->n_outer; d++)
        t->tiles *= t->outer[d].size;
    return t->columns.to == 1 && t->columns.from > 1 && t->rows.size >= FEW && t->columns.size >= FEW &&
           t->tiles <= INT32_MAX;
}

static ttt_status launch_transposition(const ttt_launch *launch, ttt_dtype to_type, const by_groups *copy,
                                       const transposition &t)
{
    return by_type(to_type, [&](auto to) {
        return by_type(copy->from_bf16 ? TTT_BF16 : TTT_F32, [&](auto from) {
            using To = decltype(to);
            using From = decltype(from);
            return enqueue(launch, transpose<To, From>, dim3((unsigned)t.tiles), THREADS, 0,
                           static_cast<To *>(copy->to), static_cast<const From *>(copy->from), t);
        });
    });
}

extern "C" ttt_status ttt_cuda_copy_strided(const ttt_launch *launch, ttt_dtype to_type,
                                            const ttt_cuda_copy *copies, int count)
{
    several batch = {};
    int n = 0;
    for (int i = 0; i < count; i++) {
        const by_groups copy = groups_of(&copies[i], to_type);
        transposition t;
        if (is_transposition(&copy, &t))
            TRY(launch_transposition(launch, to_type, &copy, t));
        else
            batch.copy[n++] = copy;
        if (n == MOST_COPIES || (n && i == count - 1)) {
            TRY(launch_batch(launch, to_type, batch, n));
            n = 0;
        }
    }
    return TTT_OK;
}
