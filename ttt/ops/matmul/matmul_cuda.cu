/* The row "cuda" of matmul: any strides, batches, terms and types, in f32 arithmetic on plain cores.
 *
 * A block computes a tile of 64 x 64 from slices of a and b, 16 deep, in shared memory; the next slices are
 * on their way to registers meanwhile.
 */
#include "ttt/ops/matmul/matmul_work.cuh"

enum {
    DEPTH = 16,
    SIDE = 16, /* threads along a tile's side, each with 4 x 4 results */
    EACH = 4,
    THREADS = SIDE * SIDE,
};

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

/* The slice of both operands that the block has come to. */
static __device__ void fetch_slices(const work &w, const place &at, slice &a, slice &b)
{
    const ttt_product &p = w.p;
    const int64_t k = (int64_t)at.slice * DEPTH;
    int64_t in_a = at.a + k * p.a_column, in_b = at.b + k * p.b_row;
    add_offsets(p.term, p.n_term, at.term, in_a, in_b);
    a.fetch(w.a, w.a_is_bf16, in_a, p.a_row, p.a_column, p.m - at.m, p.k - k);
    b.fetch(w.b, w.b_is_bf16, in_b, p.b_column, p.b_row, p.n - at.n, p.k - k);
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
    place at = place_of(w);
    const int row = (int)threadIdx.x / SIDE * EACH, column = (int)threadIdx.x % SIDE * EACH;
    float sum[EACH][EACH] = {};
    slice next_a, next_b;
    fetch_slices(w, at, next_a, next_b);
    for (int step = 0; step < at.steps; step++) {
        next_a.put(a, w.p.a_column);
        next_b.put(b, w.p.b_row);
        __syncthreads();
        if (step + 1 < at.steps) {
            next_slice(w, at);
            fetch_slices(w, at, next_a, next_b);
        }
        multiply_slices(a, b, row, column, sum);
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < EACH; i++)
#pragma unroll
        for (int j = 0; j < EACH; j += 2)
            write_pair(w, at, row + i, column + j, sum[i][j], sum[i][j + 1]);
}

static bool supports(const ttt_launch *launch, const char **why)
{
    if (!ttt_all_f32_or_bf16(launch, why))
        return false;
    const work w = matmul_work_of(launch, DEPTH);
    if (w.p.m <= INT32_MAX && w.p.n <= INT32_MAX && w.p.terms * w.p.k <= INT32_MAX &&
        matmul_blocks(w) <= INT32_MAX)
        return true;
    *why = "a size over 2^31";
    return false;
}

static size_t workspace(const ttt_launch *launch)
{
    return matmul_workspace(matmul_work_of(launch, DEPTH));
}

static ttt_status run(const ttt_launch *launch)
{
    return matmul_enqueue(launch, matmul_work_of(launch, DEPTH), multiply, THREADS);
}

extern "C" const ttt_implementation ttt_matmul_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .run = run,
};
