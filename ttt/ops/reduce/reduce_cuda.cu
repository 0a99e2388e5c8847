/* "sum" on CUDA.
 *
 * The dimension that is consecutive in memory decides, as on the CPU.  Is it summed, each result is a run of
 * elements, which some lanes of a warp or, if long, a block share; is it kept, a block sums rows of many
 * columns side by side.  Few results are cut into parts, whose sums the same kernels add in a second pass.
 * How elements are shared depends on shapes and strides alone.  Reads x once, 16 bytes a thread and access
 * where it lies so.
 */
#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/reduce/reduce_operator.h"
#include "ttt/ops/reduce/sum_cuda.h"
}

enum {
    THREADS = 256,
    LANES = 32,              /* threads side by side over columns, */
    LINES = THREADS / LANES, /* and rows that a block reads at a time */
    AHEAD = 8,               /* reads of a thread under way */
    SECTOR_LANES = 8,        /* neighbours that together read a cache line */
    LONG_RUN = 512,          /* groups of elements that are worth a block */
    ENOUGH_BLOCKS = 1024,    /* for the memory of any GPU to be busy */
};

/* One pass. */
struct pass {
    ttt_sum_layout layout;
    const void *x;
    float *y;
    bool is_bf16;
    int64_t parts;
    int64_t part_step; /* elements of y from one part's sum to the next */
    int lanes;         /* that share a run; more than a warp: a block */
};

static __device__ int64_t offset_of(const ttt_sum_dimensions &dimensions, int64_t index)
{
    int64_t offset = 0;
    for (int d = dimensions.rank - 1; d > 0; d--) {
        offset += index % dimensions.at[d].size * dimensions.at[d].stride;
        index /= dimensions.at[d].size;
    }
    return dimensions.rank ? offset + index * dimensions.at[0].stride : 0;
}

static __device__ int64_t out_offset_of(const ttt_sum_dimensions &dimensions, int64_t index)
{
    int64_t offset = 0;
    for (int d = dimensions.rank - 1; d > 0; d--) {
        offset += index % dimensions.at[d].size * dimensions.at[d].out;
        index /= dimensions.at[d].size;
    }
    return dimensions.rank ? offset + index * dimensions.at[0].out : 0;
}

/* Where item i lies: in even steps; as groups of N elements of runs, one after another; as rows. */
struct in_steps {
    int64_t step;
    __device__ int64_t operator()(int64_t i) const
    {
        return i * step;
    }
};
template <int N> struct in_runs {
    const ttt_sum_layout &layout;
    __device__ int64_t operator()(int64_t i) const
    {
        const int64_t per_run = layout.inner.size / N;
        return offset_of(layout.summed, i / per_run) + i % per_run * N * layout.inner.stride;
    }
};
struct in_rows {
    const ttt_sum_dimensions &rows;
    __device__ int64_t operator()(int64_t i) const
    {
        return offset_of(rows, i);
    }
};

/* Adds items first, first + step, ... below end, of N elements each; item i lies place(i) behind x.
 */
template <int N, class T, class Place>
static __device__ void add_items(const T *x, Place place, int64_t first, int64_t end, int64_t step,
                                 float (&sum)[N])
{
    for (; first < end; first += AHEAD * step) {
        raw_elements<N, T> item[AHEAD];
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            const int64_t at = first + i * step;
            if (at < end)
                item[i].load(x + place(at));
        }
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            float value[N];
            item[i].convert(value);
#pragma unroll
            for (int k = 0; k < N; k++)
                sum[k] += value[k];
        }
    }
}

/* The sum of groups first, first + step, ... below end of a result's runs. */
template <int N, class T>
static __device__ float sum_groups(const ttt_sum_layout &layout, const T *x, int64_t first, int64_t end,
                                   int64_t step)
{
    const int64_t stride = N * layout.inner.stride;
    float sum[N] = {}, total = 0;
    if (layout.summed.elements == 1)
        add_items(x, in_steps{stride}, first, end, step, sum);
    else
        add_items(x, in_runs<N>{layout}, first, end, step, sum);
#pragma unroll
    for (int k = 0; k < N; k++)
        total += sum[k];
    return total;
}

/* Runs that `lanes` threads of a warp share: (results). */
template <int N, class T>
static __global__ void __launch_bounds__(THREADS) sum_short_runs(const __grid_constant__ pass p)
{
    const int lane = (int)threadIdx.x % p.lanes;
    const int64_t result = ((int64_t)blockIdx.x * THREADS + threadIdx.x) / p.lanes;
    const int64_t groups = p.layout.inner.size / N * p.layout.summed.elements;
    float sum = 0;
    if (result < p.layout.kept.elements)
        sum = sum_groups<N>(p.layout, static_cast<const T *>(p.x) + offset_of(p.layout.kept, result), lane,
                            groups, p.lanes);
    for (int other = p.lanes / 2; other > 0; other /= 2)
        sum += __shfl_xor_sync(0xffffffffu, sum, other);
    if (lane == 0 && result < p.layout.kept.elements)
        p.y[out_offset_of(p.layout.kept, result)] = sum * (float)p.layout.factor;
}

/* Runs that blocks share: (results, parts). */
template <int N, class T>
static __global__ void __launch_bounds__(THREADS) sum_long_runs(const __grid_constant__ pass p)
{
    const int64_t groups = p.layout.inner.size / N * p.layout.summed.elements;
    const int64_t first = groups * blockIdx.y / p.parts, end = groups * (blockIdx.y + 1) / p.parts;
    const T *x = static_cast<const T *>(p.x) + offset_of(p.layout.kept, blockIdx.x);
    const float sum = block_sum(sum_groups<N>(p.layout, x, first + threadIdx.x, end, THREADS));
    if (threadIdx.x == 0)
        p.y[out_offset_of(p.layout.kept, blockIdx.x) + blockIdx.y * p.part_step] =
            sum * (float)p.layout.factor;
}

/* Adds N columns of rows first, first + LINES, ... below end. */
template <int N, class T>
static __device__ void add_rows(const ttt_sum_dimensions &rows, const T *x, int64_t first, int64_t end,
                                float (&sum)[N])
{
    if (rows.rank == 1)
        add_items(x, in_steps{rows.at[0].stride}, first, end, LINES, sum);
    else
        add_items(x, in_rows{rows}, first, end, LINES, sum);
}

/* Rows of LANES * N columns: (kept dimensions and blocks of columns, parts). */
template <int N, class T>
static __global__ void __launch_bounds__(THREADS) sum_columns(const __grid_constant__ pass p)
{
    __shared__ float shared[LINES][LANES * N];
    const ttt_sum_dimension inner = p.layout.inner;
    const int64_t across = (inner.size + LANES * N - 1) / (LANES * N), rows = p.layout.summed.elements;
    const int64_t kept = blockIdx.x / across, block = blockIdx.x % across * (LANES * N);
    const int64_t column = block + threadIdx.x * N;
    const int64_t first = rows * blockIdx.y / p.parts, end = rows * (blockIdx.y + 1) / p.parts;
    float sum[N] = {};
    const T *x = static_cast<const T *>(p.x) + offset_of(p.layout.kept, kept) + column * inner.stride;
    if (column < inner.size)
        add_rows(p.layout.summed, x, first + threadIdx.y, end, sum);
#pragma unroll
    for (int k = 0; k < N; k++)
        shared[threadIdx.y][threadIdx.x * N + k] = sum[k];
    __syncthreads();
    float *y = p.y + out_offset_of(p.layout.kept, kept) + blockIdx.y * p.part_step;
    for (int i = (int)(threadIdx.y * LANES + threadIdx.x); i < LANES * N && block + i < inner.size;
         i += THREADS) {
        float total = 0;
        for (int line = 0; line < LINES; line++)
            total += shared[line][i];
        y[(block + i) * inner.out] = total * (float)p.layout.factor;
    }
}

/* ---- host ---- */

static bool steps_by(const ttt_sum_dimensions *dimensions, int width)
{
    for (int d = 0; d < dimensions->rank; d++)
        if (dimensions->at[d].stride % width)
            return false;
    return true;
}

/* Elements that are read at once: 16 bytes, or one element. */
static int width_of(const ttt_sum_layout *layout, bool is_bf16, const void *x)
{
    const int width = is_bf16 ? 8 : 4;
    const bool fits = layout->inner.stride == 1 && layout->inner.size % width == 0 &&
                      steps_by(&layout->kept, width) && steps_by(&layout->summed, width);
    return fits && (uintptr_t)x % 16 == 0 ? width : 1;
}

static int64_t clamp(int64_t x, int64_t least, int64_t most)
{
    return x < least ? least : x > most ? most : x;
}

/* How the sum is shared; `x` of the first pass may still be NULL. */
static pass share(const ttt_sum_layout *layout, const void *x, bool is_bf16, float *y)
{
    pass p = {*layout, x, y, is_bf16, 1, 0, 1};
    const int width = width_of(layout, is_bf16, NULL);
    if (layout->inner.summed) {
        const int64_t groups = layout->inner.size / width * layout->summed.elements;
        while (p.lanes < WARP && p.lanes < groups && (p.lanes < SECTOR_LANES || p.lanes * AHEAD < groups))
            p.lanes *= 2;
        if (groups >= LONG_RUN) {
            p.lanes = THREADS;
            p.parts = clamp(ENOUGH_BLOCKS / layout->kept.elements, 1, groups / (THREADS * AHEAD) + 1);
        }
    } else {
        const int64_t blocks = layout->kept.elements * blocks_for(layout->inner.size, LANES * width);
        p.parts = clamp(ENOUGH_BLOCKS / blocks, 1, layout->summed.elements / (LINES * AHEAD) + 1);
    }
    return p;
}

/* The kept dimensions numbered in order, `each` elements apart: where the sums of parts lie. */
static void number(ttt_sum_dimensions *kept, int64_t each, int64_t ttt_sum_dimension::*stride)
{
    for (int d = kept->rank - 1; d >= 0; d--) {
        kept->at[d].*stride = each;
        each *= kept->at[d].size;
    }
}

/* Turns a pass over several parts into one whose sums go to `partials`, (kept, parts, columns), and returns
 * the pass that adds these. */
static pass split(pass *first, float *partials)
{
    const int64_t columns = first->layout.inner.summed ? 1 : first->layout.inner.size;
    ttt_sum_layout layout = first->layout;
    number(&layout.kept, first->parts * columns, &ttt_sum_dimension::stride);
    layout.summed = {};
    layout.summed.elements = 1;
    if (layout.inner.summed) {
        layout.inner = {first->parts, 1, 0, true};
    } else {
        layout.inner.stride = 1;
        layout.summed.rank = 1;
        layout.summed.elements = first->parts;
        layout.summed.at[0] = {first->parts, columns, 0, true};
    }
    pass second = share(&layout, partials, false, first->y);
    second.parts = 1;
    number(&first->layout.kept, first->parts * columns, &ttt_sum_dimension::out);
    first->layout.inner.out = 1;
    first->layout.factor = 1;
    first->part_step = columns;
    first->y = partials;
    return second;
}

template <int N, class T> static ttt_status launch_typed(const ttt_launch *launch, const pass &p)
{
    const int64_t kept = p.layout.kept.elements;
    if (!p.layout.inner.summed)
        return enqueue(launch, sum_columns<N, T>,
                       dim3((unsigned)(kept * blocks_for(p.layout.inner.size, LANES * N)), (unsigned)p.parts),
                       dim3(LANES, LINES), 0, p);
    if (p.lanes > WARP)
        return enqueue(launch, sum_long_runs<N, T>, dim3((unsigned)kept, (unsigned)p.parts), THREADS, 0, p);
    return enqueue(launch, sum_short_runs<N, T>, blocks_for(kept, THREADS / p.lanes), THREADS, 0, p);
}

static ttt_status launch_pass(const ttt_launch *launch, const pass &p)
{
    const bool wide = width_of(&p.layout, p.is_bf16, p.x) > 1;
    if (p.is_bf16)
        return wide ? launch_typed<8, bf16>(launch, p) : launch_typed<1, bf16>(launch, p);
    return wide ? launch_typed<4, float>(launch, p) : launch_typed<1, float>(launch, p);
}

size_t ttt_cuda_sum_workspace(const ttt_sum_layout *layout, ttt_dtype dtype)
{
    const pass p = share(layout, NULL, dtype == TTT_BF16, NULL);
    const int64_t columns = p.layout.inner.summed ? 1 : p.layout.inner.size;
    return p.parts > 1 ? (size_t)(p.layout.kept.elements * p.parts * columns) * sizeof(float) : 0;
}

ttt_status ttt_cuda_sum(const ttt_launch *launch, const ttt_sum_layout *layout, const ttt_operand *x,
                        float *y, void *workspace)
{
    pass first = share(layout, x->data, x->dtype == TTT_BF16, y);
    if (first.parts == 1)
        return launch_pass(launch, first);
    const pass second = split(&first, static_cast<float *>(workspace));
    TRY(launch_pass(launch, first));
    return launch_pass(launch, second);
}

ttt_sum_layout ttt_sum_of_rows(const ttt_operand *x)
{
    ttt_sum_layout layout = {};
    layout.inner = {x->shape.size[1], x->stride[1], 1, false};
    layout.kept.elements = 1;
    layout.summed.rank = 1;
    layout.summed.elements = x->shape.size[0];
    layout.summed.at[0] = {x->shape.size[0], x->stride[0], 0, true};
    layout.factor = 1;
    return layout;
}

static size_t workspace(const ttt_launch *launch)
{
    const ttt_sum_layout layout = ttt_sum_layout_of(launch);
    return ttt_cuda_sum_workspace(&layout, launch->in[0].dtype);
}

static ttt_status run(const ttt_launch *launch)
{
    const ttt_sum_layout layout = ttt_sum_layout_of(launch);
    return ttt_cuda_sum(launch, &layout, &launch->in[0], static_cast<float *>(launch->out[0].data),
                        launch->workspace);
}

static bool supports(const ttt_launch *launch, const char **why)
{
    if (launch->out[0].dtype != TTT_F32) {
        *why = "its result is f32";
        return false;
    }
    return ttt_all_f32_or_bf16(launch, why);
}

extern "C" const ttt_implementation ttt_sum_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .run = run,
};
