/* The row "tensor" of matmul: small matrices in bf16, that lie so that cuBLASLt would take several calls.
 *
 * Such batches are bound by memory: each operand is read once for every tile of the other's side, of which
 * there are at most four, and y written once.  A block of four warps computes a tile of 64 x 64, each warp a
 * quarter.  Slices of a and b, 64 deep, come to shared memory by 16-byte copies, one ahead of the one in use.
 * A slice is kept as it lies in memory: 64 rows of 64 elements in order, that is 8 chunks of 16 bytes, chunk
 * c of row r at place c ^ (r % 8), so that the eight rows of a chunk that a warp reads at a time lie in
 * different banks.
 */
#include "ttt/ops/matmul/matmul_work.cuh"

enum {
    TENSOR_DEPTH = 64,
    TENSOR_THREADS = 4 * WARP,
    CHUNK = 8,             /* elements of 16 bytes */
    CHUNKS = TILE / CHUNK, /* of a row of a slice */
    SLICE = TILE * TILE,   /* elements */
    QUARTER = TILE / 2,    /* rows and columns of a warp's results */
    TALL = QUARTER / 16,   /* products of a warp down */
    WIDE = QUARTER / 8,    /* and across */
};

static __device__ int chunk_place(int row, int chunk)
{
    return (row * CHUNKS + (chunk ^ (row % CHUNKS))) * CHUNK;
}

/* Starts copying a slice; x is its first element.  Its rows go along the tile if `deep`, where depth is in
 * order in memory, else along the depth; `stride` is from one to the next.  `rows` and `columns` are what
 * there is of both, columns a multiple of a chunk; beyond there are zeros. */
static __device__ void copy_slice(bf16 *to, const bf16 *x, int64_t stride, int64_t rows, int64_t columns)
{
#pragma unroll
    for (int i = 0; i < TILE * CHUNKS / TENSOR_THREADS; i++) {
        const int at = (int)threadIdx.x + i * TENSOR_THREADS, row = at / CHUNKS, chunk = at % CHUNKS;
        const bool inside = row < rows && chunk * CHUNK < columns;
        copy_async(to + chunk_place(row, chunk), inside ? x + row * stride + chunk * CHUNK : x, inside);
    }
}

/* Starts copying the slice of both operands that the block has come to. */
template <bool a_deep, bool b_deep>
static __device__ void copy_slices(const work &w, const place &at, bf16 *a, bf16 *b)
{
    const ttt_product &p = w.p;
    const int64_t k = (int64_t)at.slice * TENSOR_DEPTH, depth = p.k - k, down = p.m - at.m,
                  across = p.n - at.n;
    int64_t in_a = at.a + k * p.a_column, in_b = at.b + k * p.b_row;
    add_offsets(p.term, p.n_term, at.term, in_a, in_b);
    copy_slice(a, static_cast<const bf16 *>(w.a) + in_a, a_deep ? p.a_row : p.a_column, a_deep ? down : depth,
               a_deep ? depth : down);
    copy_slice(b, static_cast<const bf16 *>(w.b) + in_b, b_deep ? p.b_column : p.b_row,
               b_deep ? across : depth, b_deep ? depth : across);
    copy_commit();
}

/* Four matrices of 8 x 8 that together are 16 x 16 of a slice from (side, depth) on, so turned that pairs go
 * along the depth.  `side_first`: the second matrix is the next along the side, else along the depth. */
template <bool deep, bool side_first>
static __device__ void load_fragment(uint32_t (&r)[4], const bf16 *slice, int side, int depth)
{
    const int lane = (int)threadIdx.x % WARP, matrix = lane / 8;
    side += 8 * (side_first ? matrix % 2 : matrix / 2);
    depth += 8 * (side_first ? matrix / 2 : matrix % 2);
    if (deep)
        load_matrices(r, slice + chunk_place(side + lane % 8, depth / CHUNK));
    else
        load_matrices_transposed(r, slice + chunk_place(depth + lane % 8, side / CHUNK));
}

template <bool a_deep, bool b_deep>
static __device__ void multiply_fragments(const bf16 *a, const bf16 *b, int row, int column,
                                          float (&sum)[TALL][WIDE][4])
{
#pragma unroll 1 /* more would not fit the registers of four blocks a multiprocessor */
    for (int k = 0; k < TENSOR_DEPTH; k += 16) {
        uint32_t left[TALL][4], right[WIDE / 2][4];
#pragma unroll
        for (int i = 0; i < TALL; i++)
            load_fragment<a_deep, true>(left[i], a, row + 16 * i, k);
#pragma unroll
        for (int j = 0; j < WIDE / 2; j++)
            load_fragment<b_deep, false>(right[j], b, column + 16 * j, k);
#pragma unroll
        for (int i = 0; i < TALL; i++)
#pragma unroll
            for (int j = 0; j < WIDE; j++)
                multiply_add(sum[i][j], left[i], right[j / 2][j % 2 * 2], right[j / 2][j % 2 * 2 + 1]);
    }
}

template <bool a_deep, bool b_deep>
static __global__ void __launch_bounds__(TENSOR_THREADS, 4) multiply_small(const __grid_constant__ work w)
{
    __shared__ __align__(128) bf16 a[2][SLICE], b[2][SLICE];
    place at = place_of(w);
    const int warp = (int)threadIdx.x / WARP, row = warp / 2 * QUARTER, column = warp % 2 * QUARTER;
    float sum[TALL][WIDE][4] = {};
    copy_slices<a_deep, b_deep>(w, at, a[0], b[0]);
    for (int step = 0; step < at.steps; step++) {
        const int now = step % 2;
        if (step + 1 < at.steps) {
            next_slice(w, at);
            copy_slices<a_deep, b_deep>(w, at, a[1 - now], b[1 - now]);
            copy_wait<1>();
        } else {
            copy_wait<0>();
        }
        __syncthreads();
        multiply_fragments<a_deep, b_deep>(a[now], b[now], row, column, sum);
        __syncthreads();
    }
    const int lane = (int)threadIdx.x % WARP;
#pragma unroll
    for (int i = 0; i < TALL; i++)
#pragma unroll
        for (int j = 0; j < WIDE; j++)
#pragma unroll
            for (int half = 0; half < 2; half++)
                write_pair(w, at, row + 16 * i + 8 * half + lane / 4, column + 8 * j + 2 * (lane % 4),
                           sum[i][j][2 * half], sum[i][j][2 * half + 1]);
}

/* How an operand's slices lie in chunks. */
enum lie { SCATTERED, ALONG, DEEP };

static lie lie_of(int64_t side, int64_t side_stride, int64_t depth, int64_t depth_stride)
{
    if (depth_stride == 1 && depth % CHUNK == 0 && (side_stride % CHUNK == 0 || side == 1))
        return DEEP;
    if (side_stride == 1 && side % CHUNK == 0 && (depth_stride % CHUNK == 0 || depth == 1))
        return ALONG;
    return SCATTERED;
}

static bool all_in_chunks(const ttt_product_dimension *list, int count)
{
    for (int i = 0; i < count; i++)
        if (list[i].a % CHUNK || list[i].b % CHUNK)
            return false;
    return true;
}

static bool lie_in_chunks(const ttt_product *p)
{
    return lie_of(p->m, p->a_row, p->k, p->a_column) != SCATTERED &&
           lie_of(p->n, p->b_column, p->k, p->b_row) != SCATTERED && all_in_chunks(p->batch, p->n_batch) &&
           all_in_chunks(p->term, p->n_term);
}

enum { MOST_SIDE = 256 }; /* larger matrices are worth a call each */

static bool supports(const ttt_launch *launch, const char **why)
{
    const ttt_product p = ttt_product_of(launch);
    const int largest = ttt_product_largest_batch(&p);
    const int64_t calls = p.terms * p.batches / (largest < 0 ? 1 : p.batch[largest].size);
    if (launch->in[0].dtype != TTT_BF16 || launch->in[1].dtype != TTT_BF16)
        *why = "operands that are not bf16";
    else if (!lie_in_chunks(&p))
        *why = "operands that do not lie in chunks of 16 bytes";
    else if (calls == 1 || p.m > MOST_SIDE || p.n > MOST_SIDE)
        *why = "cuBLASLt is faster";
    else
        return ttt_matmul_cuda.supports(launch, why);
    return false;
}

/* Of whichever kernel it will be. */
static size_t workspace(const ttt_launch *launch)
{
    const size_t tensor = matmul_workspace(matmul_work_of(launch, TENSOR_DEPTH));
    const size_t plain = ttt_matmul_cuda.workspace(launch);
    return tensor > plain ? tensor : plain;
}

static void (*kernel_for(const ttt_product *p))(work)
{
    const bool a_deep = lie_of(p->m, p->a_row, p->k, p->a_column) == DEEP;
    const bool b_deep = lie_of(p->n, p->b_column, p->k, p->b_row) == DEEP;
    if (a_deep)
        return b_deep ? multiply_small<true, true> : multiply_small<true, false>;
    return b_deep ? multiply_small<false, true> : multiply_small<false, false>;
}

/* Operands at odd addresses, which are not known before, go to plain cores. */
static ttt_status run(const ttt_launch *launch)
{
    const work w = matmul_work_of(launch, TENSOR_DEPTH);
    if (((uintptr_t)w.a | (uintptr_t)w.b) % 16)
        return ttt_matmul_cuda.run(launch);
    return matmul_enqueue(launch, w, kernel_for(&w.p), TENSOR_THREADS);
}

extern "C" const ttt_implementation ttt_matmul_tensor = {
    .name = "tensor",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .run = run,
};
