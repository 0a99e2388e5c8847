/* The row "hopper" of symmetric: of the squares of y, those below the diagonal or on it alone are computed,
 * and written twice, the second time transposed.
 *
 * It reads a (and b) once for every 256 rows of y, from L2 where a matrix fits there, and writes y once.
 */
#include "ttt/device/hopper_squares.cuh"

extern "C" {
#include "ttt/ops/symmetric/symmetric_rows.h"
}

enum { FEWEST = 48 }; /* squares: with fewer, the GPU is better filled by smaller tiles */

/* ADDS: c is there. */
template <bool ADDS> struct symmetric_job {
    static constexpr bool B_TRANSPOSED = false;
    static constexpr int EXTRA = ADDS ? 2 : 0, OUTPUTS = BOXES; /* extra: c, half of the columns each */
    typedef worker<OUTPUTS> symmetric_worker;

    CUtensorMap a, b, c, y;
    int squares;   /* along a matrix */
    int64_t count; /* of squares to compute, in all matrices */
    int depth;     /* steps along k of one product */
    bool two;
    float alpha, beta, shift;

#if TTT_HOPPER
    __device__ int steps() const
    {
        return two ? 2 * depth : depth;
    }

    /* Matrix by matrix, row by row of the lower triangle. */
    __device__ strip half_square(int64_t i, int rank) const
    {
        const int each = squares * (squares + 1) / 2;
        int row = 0, column = (int)(i % each);
        while (column > row)
            column -= ++row;
        return {(int)(i / each), row * SQUARE + rank * HALF, column * SQUARE};
    }

    /* How many boxes of a worker's strip lie on the diagonal or below. */
    static __device__ int boxes_of(const strip &s)
    {
        return min(BOXES, (s.row - s.column) / BOX + 1);
    }
    __device__ bool is_narrow(const strip &s) const
    {
        return boxes_of(s) <= BOXES / 2;
    }

    __device__ void load_step(stage &to, uint64_t *full, const strip &s, int rank, int k) const
    {
        const bool swapped = k >= depth;
        const int column = k % depth * DEPTH;
        barrier_expect(full, sizeof(stage));
        load_box(to.a, swapped ? &b : &a, full, column, s.row, s.matrix);
        load_box_for(3, &to.b[rank * BOXES / 2], swapped ? &a : &b, full, column, s.column + rank * HALF,
                     s.matrix);
    }

    /* Two boxes of c for each worker, as far as they are needed. */
    __device__ void load_extra(stage &to, uint64_t *full, strip s, int half) const
    {
        const int first = half * BOXES / 2;
        uint32_t bytes = 0;
        for (int w = 0; w < WORKERS; w++)
            bytes += max(0, min(BOXES / 2, boxes_of({s.matrix, s.row + w * BOX, s.column}) - first)) *
                     (uint32_t)sizeof(box);
        barrier_expect(full, bytes);
        for (int w = 0; w < WORKERS; w++, s.row += BOX)
            for (int i = 0; i < BOXES / 2 && first + i < boxes_of(s); i++)
                load_box(&to.extra[w][i], &c, full, s.column + (first + i) * BOX, s.row, s.matrix);
    }

    /* A box of sums becomes y; SHIFTS: the box is on the diagonal.  What is not there costs no instruction:
     * the tensor cores wait meanwhile. */
    template <bool SHIFTS> __device__ void finish_box(box &add_box, const float *sum, pairs &to) const
    {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            uint32_t add[4];
            if (ADDS)
                load_matrices(add, lane_row(add_box, i));
#pragma unroll
            for (int j = 0; j < 4; j++) {
                float x[2] = {alpha * sum[8 * i + 2 * j], alpha * sum[8 * i + 2 * j + 1]};
                if (ADDS) {
                    bf16 pair[2];
                    memcpy(pair, &add[j], sizeof pair);
                    x[0] += beta * to_float(pair[0]);
                    x[1] += beta * to_float(pair[1]);
                }
                if (SHIFTS) {
                    const int row = 16 * warp_of_group() + 8 * (j % 2) + lane_of_warp() / 4,
                              column = 16 * i + 8 * (j / 2) + 2 * (lane_of_warp() % 4);
                    x[0] += row == column ? shift : 0;
                    x[1] += row == column + 1 ? shift : 0;
                }
                to.at[i][j] = bf16_pair(x[0], x[1]);
            }
        }
    }

    __device__ void finish(squares_memory &m, symmetric_worker &w, const strip &s,
                           const float (&sum)[128]) const
    {
        const int from_diagonal = (s.row - s.column) / BOX;
        w.boxes = boxes_of(s);
#pragma unroll
        for (int i = 0; i < BOXES; i++) {
            box &add = m.stages[w.at.stage].extra[w.number][i % 2];
            if (i % 2 == 0 && ADDS)
                take_extra(m, w);
            if (i == from_diagonal && shift != 0)
                finish_box<true>(add, sum + 32 * i, w.y[i]);
            else if (i < w.boxes)
                finish_box<false>(add, sum + 32 * i, w.y[i]);
            if (i % 2 == 1 && ADDS)
                leave_extra(m, w);
        }
    }

    /* Below the diagonal also to where its transpose goes. */
    __device__ void write_box(squares_memory &m, const symmetric_worker &w, int i,
                              const pairs &box_of_y) const
    {
        const int row = w.finished.row, column = w.finished.column + i * BOX;
        box *to = m.leaving[w.number];
        if (issues())
            stores_have_read<0>();
        warpgroup_sync(1 + w.number);
        put_box(to[0], box_of_y);
        if (row > column)
            put_transposed(to[1], box_of_y);
        shared_is_written();
        warpgroup_sync(1 + w.number);
        if (!issues())
            return;
        store_box(&y, &to[0], column, row, w.finished.matrix);
        if (row > column)
            store_box(&y, &to[1], row, column, w.finished.matrix);
        stores_commit();
    }
#endif
};

static bool supports(const ttt_launch *launch, const char **why)
{
    const ttt_operand *c = &launch->in[2];
    const struct ttt_symmetric_size size = ttt_symmetric_size_of(launch);
    const int64_t squares = (size.n + SQUARE - 1) / SQUARE, in_matrix = squares * (squares + 1) / 2;
    for (int i = 0; i <= launch->n_in; i++) {
        const ttt_operand *x = i < launch->n_in ? &launch->in[i] : &launch->out[0];
        if (x->dtype && x->dtype != TTT_BF16) {
            *why = "all operands must be bf16";
            return false;
        }
    }
    if (ttt_cuda_capability(launch->device) != 90)
        *why = "the GPU is not of compute capability 9.0";
    else if (size.n % 8 || size.k % 8 || size.n > 1 << 20 || size.k > 1 << 20 || size.batches > 1 << 20)
        *why = "rows must be multiples of 16 bytes, sizes at most 2^20";
    else if (c->dtype && !c->symmetric)
        *why = "what is added is not known to be symmetric";
    else if (size.batches * in_matrix < FEWEST)
        *why = "too few matrices to fill the GPU";
    else if (8 * size.n * size.n < 7 * in_matrix * SQUARE * SQUARE) /* of what is computed, 7/16 count */
        *why = "matrices too small to fill squares";
    else
        return true;
    return false;
}

template <bool ADDS> static ttt_status run_job(const ttt_launch *launch)
{
    const ttt_symmetric_attributes *attributes =
        static_cast<const ttt_symmetric_attributes *>(launch->attributes);
    const struct ttt_symmetric_size size = ttt_symmetric_size_of(launch);
    const bool two = launch->in[1].dtype != 0;
    const int squares = (int)blocks_for(size.n, SQUARE);
    symmetric_job<ADDS> job = {.squares = squares,
                               .count = size.batches * squares * (squares + 1) / 2,
                               .depth = (int)blocks_for(size.k, DEPTH),
                               .two = two,
                               .alpha = attributes->alpha,
                               .beta = attributes->beta,
                               .shift = attributes->shift};
    TRY(squares_map(&launch->in[0], HALF, &job.a));
    TRY(squares_map(&launch->in[two ? 1 : 0], HALF, &job.b));
    if (ADDS)
        TRY(squares_map(&launch->in[2], BOX, &job.c));
    TRY(squares_map(&launch->out[0], BOX, &job.y));
    return enqueue_squares(launch, job);
}

static ttt_status run(const ttt_launch *launch)
{
    return launch->in[2].dtype ? run_job<true>(launch) : run_job<false>(launch);
}

extern "C" const ttt_implementation ttt_symmetric_hopper = {
    .name = "hopper",
    .device = TTT_CUDA,
    .supports = supports,
    .run = run,
};
