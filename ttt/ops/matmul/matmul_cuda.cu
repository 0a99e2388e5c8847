/* The row "cuda" of matmul: any strides, batches, terms and types, in f32 arithmetic on plain cores.
 *
 * A block computes a tile of 64 x 64 of one matrix's results from slices of a and b, 16 deep, in shared
 * memory; the next slices are on their way to registers meanwhile.  The depth of a tile is that of all its
 * terms.  Where there are few tiles, blocks share a tile's depth: each writes its part of the sums to the
 * workspace, and a second kernel adds the parts, in order.
 */
#include "ttt/ops/matmul/activation.cuh"

extern "C" {
#include "ttt/ops/matmul/matmul_rows.h"
#include "ttt/ops/matmul/product.h"
}

enum {
    TILE = 64,
    DEPTH = 16,
    SIDE = 16, /* threads along a tile's side, each with 4 x 4 results */
    EACH = 4,
    THREADS = SIDE * SIDE,
    ENOUGH_TILES = 264, /* two for each multiprocessor of the largest GPU */
    LEAST_SLICES = 8,   /* worth a block */
    MOST_PARTS = 64,
};

/* What a block has to know; the same for all. */
struct work {
    ttt_product p;
    ttt_matmul_attributes attributes;
    const void *a, *b, *c;
    void *y;
    bool a_is_bf16, b_is_bf16, c_is_bf16, y_is_bf16;
    int64_t across, tiles; /* tiles of a row of tiles, and of a matrix */
    int64_t slices;        /* of one term */
    int64_t parts;         /* of a tile's depth */
    float *partial;        /* (parts, y); used when there are several */
};

static __device__ void add_offsets(const ttt_product_dimension *list, int count, int64_t index, int64_t &a,
                                   int64_t &b)
{
    for (int i = count - 1; i >= 0; i--) {
        const int64_t at = index % list[i].size;
        index /= list[i].size;
        a += at * list[i].a;
        b += at * list[i].b;
    }
}

static __device__ float finished(const work &w, float sum, int64_t i)
{
    const float x = w.attributes.alpha * sum, c = w.c ? load_any(w.c, w.c_is_bf16, i) : 0;
    switch (w.attributes.finish) {
    case TTT_MATMUL_ADD:
        return x + w.attributes.beta * c;
    case TTT_MATMUL_GELU_GRAD:
        return x * gelu_grad(c);
    case TTT_MATMUL_SILU_GRAD:
        return x * silu_grad(c);
    default:
        return x;
    }
}

/* A slice of one operand: DEPTH x TILE elements, of which a thread brings four.  `along` is the stride along
 * the tile, `down` that along the depth; neighbouring threads take neighbours in memory. */
struct slice {
    float value[EACH];

    static __device__ void position(bool down_is_unit, int i, int &row, int &column)
    {
        const int at = (int)threadIdx.x + i * THREADS;
        row = down_is_unit ? at % DEPTH : at / TILE;
        column = down_is_unit ? at / DEPTH : at % TILE;
    }
    __device__ void fetch(const void *x, bool is_bf16, int64_t start, int64_t along, int64_t down,
                          int64_t columns, int64_t rows)
    {
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            int row, column;
            position(down == 1, i, row, column);
            const bool inside = row < rows && column < columns;
            value[i] = inside ? load_any(x, is_bf16, start + column * along + row * down) : 0;
        }
    }
    __device__ void put(float (*to)[TILE + EACH], int64_t down) const
    {
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            int row, column;
            position(down == 1, i, row, column);
            to[row][column] = value[i];
        }
    }
};

/* Number `step` of the slices of all terms, of the tile at row m and column n of a batch's matrix. */
static __device__ void fetch_slices(const work &w, int64_t batch, int64_t m, int64_t n, int64_t step,
                                    slice &a, slice &b)
{
    const ttt_product &p = w.p;
    const int64_t term = step / w.slices, k = step % w.slices * DEPTH;
    int64_t in_a = m * p.a_row + k * p.a_column, in_b = n * p.b_column + k * p.b_row;
    add_offsets(p.batch, p.n_batch, batch, in_a, in_b);
    add_offsets(p.term, p.n_term, term, in_a, in_b);
    a.fetch(w.a, w.a_is_bf16, in_a, p.a_row, p.a_column, p.m - m, p.k - k);
    b.fetch(w.b, w.b_is_bf16, in_b, p.b_column, p.b_row, p.n - n, p.k - k);
}

static __device__ void multiply_slices(const float (*a)[TILE + EACH], const float (*b)[TILE + EACH], int row,
                                       int column, float (&sum)[EACH][EACH])
{
#pragma unroll
    for (int k = 0; k < DEPTH; k++) {
        float left[EACH], right[EACH];
        load<EACH>(&a[k][row], left);
        load<EACH>(&b[k][column], right);
#pragma unroll
        for (int i = 0; i < EACH; i++)
#pragma unroll
            for (int j = 0; j < EACH; j++)
                sum[i][j] = fmaf(left[i], right[j], sum[i][j]);
    }
}

static __global__ void __launch_bounds__(THREADS) multiply(const __grid_constant__ work w)
{
    __shared__ __align__(16) float a[DEPTH][TILE + EACH], b[DEPTH][TILE + EACH];
    const ttt_product &p = w.p;
    const int64_t part = blockIdx.x % w.parts, tile = blockIdx.x / w.parts % w.tiles,
                  batch = blockIdx.x / w.parts / w.tiles;
    const int64_t m = tile / w.across * TILE, n = tile % w.across * TILE, steps = p.terms * w.slices;
    const int row = (int)threadIdx.x / SIDE * EACH, column = (int)threadIdx.x % SIDE * EACH;
    const int64_t end = steps * (part + 1) / w.parts;
    float sum[EACH][EACH] = {};
    slice next_a, next_b;
    int64_t step = steps * part / w.parts;
    fetch_slices(w, batch, m, n, step, next_a, next_b);
    for (; step < end; step++) {
        next_a.put(a, p.a_column);
        next_b.put(b, p.b_row);
        __syncthreads();
        if (step + 1 < end)
            fetch_slices(w, batch, m, n, step + 1, next_a, next_b);
        multiply_slices(a, b, row, column, sum);
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < EACH; i++)
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            if (m + row + i >= p.m || n + column + j >= p.n)
                continue;
            const int64_t at = (batch * p.m + m + row + i) * p.n + n + column + j;
            if (w.parts > 1)
                w.partial[part * p.batches * p.m * p.n + at] = sum[i][j];
            else
                store_any(w.y, w.y_is_bf16, at, finished(w, sum[i][j], at));
        }
}

static __global__ void __launch_bounds__(THREADS) add_parts(const __grid_constant__ work w)
{
    const int64_t count = w.p.batches * w.p.m * w.p.n;
    for (int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x; i < count;
         i += (int64_t)gridDim.x * THREADS) {
        float sum = 0;
        for (int64_t part = 0; part < w.parts; part++)
            sum += w.partial[part * count + i];
        store_any(w.y, w.y_is_bf16, i, finished(w, sum, i));
    }
}

static int64_t least(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

static work work_of(const ttt_launch *launch)
{
    const ttt_operand *a = &launch->in[0], *b = &launch->in[1], *c = &launch->in[2], *y = &launch->out[0];
    work w = {.p = ttt_product_of(launch),
              .attributes = *static_cast<const ttt_matmul_attributes *>(launch->attributes),
              .a = a->data,
              .b = b->data,
              .c = c->data,
              .y = y->data,
              .a_is_bf16 = a->dtype == TTT_BF16,
              .b_is_bf16 = b->dtype == TTT_BF16,
              .c_is_bf16 = c->dtype == TTT_BF16,
              .y_is_bf16 = y->dtype == TTT_BF16,
              .partial = static_cast<float *>(launch->workspace)};
    w.across = blocks_for(w.p.n, TILE);
    w.tiles = blocks_for(w.p.m, TILE) * w.across;
    w.slices = blocks_for(w.p.k, DEPTH);
    w.parts = least(ENOUGH_TILES / (w.tiles * w.p.batches), w.p.terms * w.slices / LEAST_SLICES);
    w.parts = least(w.parts, MOST_PARTS);
    w.parts = w.parts > 1 ? w.parts : 1;
    return w;
}

static bool supports(const ttt_launch *launch, const char **why)
{
    if (!ttt_all_f32_or_bf16(launch, why))
        return false;
    const work w = work_of(launch);
    if (w.tiles * w.p.batches * w.parts <= INT32_MAX)
        return true;
    *why = "over 2^31 tiles";
    return false;
}

static size_t workspace(const ttt_launch *launch)
{
    const work w = work_of(launch);
    return w.parts > 1 ? (size_t)(w.parts * w.p.batches * w.p.m * w.p.n) * sizeof(float) : 0;
}

static ttt_status run(const ttt_launch *launch)
{
    const work w = work_of(launch);
    const dim3 grid((unsigned)(w.tiles * w.p.batches * w.parts));
    TRY(enqueue(launch, multiply, grid, THREADS, 0, w));
    if (w.parts == 1)
        return TTT_OK;
    return enqueue(launch, add_parts, grid_for(launch, w.p.batches * w.p.m * w.p.n, THREADS), THREADS, 0, w);
}

extern "C" const ttt_implementation ttt_matmul_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .run = run,
};
