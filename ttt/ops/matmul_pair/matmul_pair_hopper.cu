/* The row "hopper" of matmul_pair: one product of twice the depth, in squares of 256.
 *
 * It reads a and c once for every 256 columns of y, b and d once for every 256 rows, from L2 where a matrix
 * fits there, and writes y once: what cuBLASLt writes of the first product, and reads again, is saved.
 */
#include "ttt/device/hopper_squares.cuh"

extern "C" {
#include "ttt/ops/matmul/product.h"
#include "ttt/ops/matmul_pair/matmul_pair.h"
}

struct pair_job {
    static constexpr bool B_TRANSPOSED = true;
    static constexpr int EXTRA = 0, OUTPUTS = BOXES;
    typedef worker<OUTPUTS> pair_worker;

    CUtensorMap left[TTT_PAIR], right[TTT_PAIR], y;
    int rows, columns; /* squares along y's sides */
    int64_t count;     /* of squares, in all matrices */
    int depth;         /* steps along k of one product */
    int n;             /* columns of y */
    float alpha;

#if TTT_HOPPER
    __device__ int steps() const
    {
        return TTT_PAIR * depth;
    }

    __device__ strip half_square(int64_t i, int rank) const
    {
        return half_square_in_rows(i, rank, rows, columns, SQUARE);
    }
    __device__ bool is_narrow(const strip &s) const
    {
        return n - s.column <= SQUARE / 2;
    }

    __device__ void load_step(stage &to, uint64_t *full, const strip &s, int rank, int k) const
    {
        const int product = k / depth, at = k % depth * DEPTH, half = rank * BOXES / 2;
        barrier_expect(full, sizeof(stage));
        load_box(to.a, &left[product], full, at, s.row, s.matrix);
        for (int i = half; i < half + BOXES / 2; i++)
            load_box_for(3, &to.b[i], &right[product], full, s.column + i * BOX, at, s.matrix);
    }

    __device__ void finish(squares_memory &, pair_worker &to, const strip &s, const float (&sum)[128]) const
    {
        to.boxes = is_narrow(s) ? BOXES / 2 : BOXES;
#pragma unroll
        for (int i = 0; i < BOXES; i++)
#pragma unroll
            for (int j = 0; j < 16; j++)
                to.y[i].at[j / 4][j % 4] =
                    bf16_pair(alpha * sum[32 * i + 2 * j], alpha * sum[32 * i + 2 * j + 1]);
    }

    __device__ void write_box(squares_memory &m, const pair_worker &from, int i, const pairs &box_of_y) const
    {
        const strip &s = from.finished;
        send_box(m, from.number, i, box_of_y, &y, s.column + i * BOX, s.row, s.matrix);
    }
#endif
};

/* Whether matrices are row-major, and evenly spaced in the one batch dimension that there may be. */
static bool is_laid_out(const ttt_product &p)
{
    const bool rows = p.a_column == 1 && p.b_column == 1 && p.a_row >= p.k && p.b_row >= p.n;
    const bool apart = p.n_batch == 0 || (p.n_batch == 1 && p.batch[0].a > 0 && p.batch[0].b > 0 &&
                                          (p.batch[0].a | p.batch[0].b) % 8 == 0);
    return rows && apart && p.terms == 1 && (p.a_row | p.b_row) % 8 == 0;
}

static bool are_bf16(const ttt_launch *launch)
{
    bool all = launch->out[0].dtype == TTT_BF16;
    for (int i = 0; i < launch->n_in; i++)
        all = all && launch->in[i].dtype == TTT_BF16;
    return all;
}

static bool supports(const ttt_launch *launch, const char **why)
{
    enum { FEWEST = 48 /* squares: with fewer, the GPU is better filled by smaller tiles */, MOST = 1 << 20 };
    const ttt_launch part[] = {ttt_matmul_pair_part(launch, 0), ttt_matmul_pair_part(launch, 1)};
    const ttt_product p = ttt_product_of(&part[0]), q = ttt_product_of(&part[1]);
    const int64_t squares = p.batches * blocks_for(p.m, SQUARE) * blocks_for(p.n, SQUARE);
    if (!are_bf16(launch))
        *why = "all operands must be bf16";
    else if (ttt_cuda_capability(launch->device) != 90)
        *why = "the GPU is not of compute capability 9.0";
    else if (!is_laid_out(p) || !is_laid_out(q) || p.n % 8 || p.k != q.k || p.m != q.m ||
             p.batches != q.batches)
        *why = "operands that do not lie row by row in chunks of 16 bytes, or products of two depths";
    else if (p.m > MOST || p.n > MOST || p.k > MOST || p.batches > MOST)
        *why = "a size over 2^20";
    else if (squares < FEWEST || 8 * p.batches * p.m * p.n < 5 * squares * SQUARE * SQUARE)
        *why = "too few squares to fill the GPU, or matrices too small to fill squares";
    else
        return true;
    return false;
}

static ttt_status map_of(const void *data, int64_t rows, int64_t columns, int64_t leading, int64_t count,
                         int64_t batch, int box_rows, CUtensorMap *map)
{
    const ttt_cuda_matrices matrices = {data, rows, columns, count, leading, batch, box_rows};
    return ttt_cuda_tensor_map(&matrices, map);
}

static ttt_status run(const ttt_launch *launch)
{
    pair_job job = {};
    job.alpha = static_cast<const ttt_matmul_pair_attributes *>(launch->attributes)->alpha;
    for (int i = 0; i < TTT_PAIR; i++) {
        const ttt_launch part = ttt_matmul_pair_part(launch, i);
        const ttt_product p = ttt_product_of(&part);
        const ttt_product_dimension batch =
            p.n_batch ? p.batch[0] : ttt_product_dimension{1, p.m * p.a_row, p.k * p.b_row};
        job.rows = (int)blocks_for(p.m, SQUARE);
        job.columns = (int)blocks_for(p.n, SQUARE);
        job.count = p.batches * job.rows * job.columns;
        job.depth = (int)blocks_for(p.k, DEPTH);
        job.n = (int)p.n;
        TRY(map_of(part.in[0].data, p.m, p.k, p.a_row, p.batches, batch.a, HALF, &job.left[i]));
        TRY(map_of(part.in[1].data, p.k, p.n, p.b_row, p.batches, batch.b, BOX, &job.right[i]));
        TRY(map_of(launch->out[0].data, p.m, p.n, p.n, p.batches, p.m * p.n, BOX, &job.y));
    }
    return enqueue_squares(launch, job);
}

extern "C" const ttt_implementation ttt_matmul_pair_hopper = {
    .name = "hopper",
    .device = TTT_CUDA,
    .supports = supports,
    .run = run,
};
