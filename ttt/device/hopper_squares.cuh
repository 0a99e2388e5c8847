/* A kernel for Hopper that cuts products of bf16 matrices into squares of 256.
 *
 * A cluster of two blocks takes a square, each block an upper or lower half of its rows; what gives the
 * square's columns is loaded once for both.  In a block, one thread loads, and two warpgroups, the workers,
 * multiply a strip of 64 rows each.  Blocks stay and take square after square; what becomes of a strip is
 * written while the next is multiplied, a box at a time, as what all blocks write at once is more than memory
 * takes at once.  What that needs besides the sums may be fetched then too, into the boxes that leave.
 *
 * A job says what is multiplied and what becomes of it:
 *
 *   B_TRANSPOSED        whether b comes with its rows along k, columns in boxes of 64 (multiply_tiles)
 *   EXTRA               stages to load after the last step, for `finish` to take
 *   OUTPUTS             boxes that become of a strip, at most
 *   count               of squares
 *   steps()             along k, of DEPTH each
 *   half_square(i, rank)
 *                       the rows of square i that block `rank` of the cluster has
 *   is_narrow(strip)    whether its first 128 columns are all that is needed
 *   load_step(to, full, strip, rank, k), load_extra(to, full, strip, i) if there are any
 *                       one stage: expects the bytes of all that comes, and loads this block's share
 *   finish(m, worker, strip, sum)
 *                       makes boxes of the sums, which become the worker's finished ones
 *   fetch_box(m, worker, i)
 *                       need not be there: by one thread, expects on m.arriving[worker.number] and loads what
 *                       write_box finds, in m.leaving[worker.number], which are free
 *   write_box(m, worker, i, box)
 *                       sends a finished box on its way
 */
#ifndef TTT_DEVICE_HOPPER_SQUARES_CUH
#define TTT_DEVICE_HOPPER_SQUARES_CUH

#include "ttt/device/hopper.cuh"

extern "C" {
#include "ttt/device/cuda_tensor_map.h"
}

enum {
    SQUARE = 256,
    HALF = SQUARE / 2,
    DEPTH = TILE_ROW, /* of a step along k */
    STAGES = 4,
    BOX = TILE_ROW, /* rows and columns of a box */
    BOXES = SQUARE / BOX,
    WORKERS = 2,
    SQUARE_THREADS = (1 + WORKERS) * WARPGROUP,
};

struct box {
    bf16 element[BOX][TILE_ROW];
};
union stage {
    struct {
        box a[WORKERS]; /* rows of a, of each worker's strip */
        box b[BOXES]; /* rows of b^T, the square's columns; B_TRANSPOSED: DEPTH rows of b, 64 columns a box */
    };
    box extra[WORKERS][BOXES / 2];
};
struct __align__(TILE_ALIGNMENT) squares_memory
{
    stage stages[STAGES];
    box leaving[WORKERS][2];
    uint64_t full[STAGES], empty[STAGES], arriving[WORKERS];
};

/* 64 rows of a square, or a block's 128, from (row, column) on. */
struct strip {
    int matrix, row, column;
};

/* A lane's pairs of a box, as store_matrices takes them: [i][j] is of columns 16 i + 8 (j / 2) + 2 (lane % 4)
 * and the next, of row lane / 4 + 8 (j % 2) of its warp's 16. */
struct pairs {
    uint32_t at[4][4];
};

/* A stage, and the parity of the phase to wait for. */
struct place {
    unsigned stage, phase;
};

/* What one warpgroup keeps from strip to strip. */
template <int OUTPUTS> struct worker {
    int number;
    place at;       /* of the next step */
    strip finished; /* being written, box by box */
    int boxes;      /* of it */
    pairs y[OUTPUTS];
    unsigned fetches; /* so far, that have arrived */
};

#if TTT_HOPPER

/* The thread of a warpgroup that begins copies. */
__device__ inline bool issues()
{
    return threadIdx.x % WARPGROUP == 0;
}

/* half_square of squares in rows, so many rows and columns of them, each with `width` columns of y.  What is
 * read on the left then comes from L2 for all squares of a row but the first. */
__device__ inline strip half_square_in_rows(int64_t i, int rank, int rows, int columns, int width)
{
    const int each = rows * columns, at = (int)(i % each);
    return {(int)(i / each), at / columns * SQUARE + rank * HALF, at % columns * width};
}

/* ---- boxes ---- */

/* The 16 bytes of a box at (row, 8 chunk). */
__device__ inline bf16 *chunk_of(box &box, int row, int chunk)
{
    return &box.element[row][(chunk ^ row % 8) * 8];
}
/* Where a lane's row of four 8 x 8 matrices begins: columns 16 i to 16 i + 15 of its warp's rows. */
__device__ inline bf16 *lane_row(box &box, int i)
{
    const int matrix = lane_of_warp() / 8;
    return chunk_of(box, 16 * warp_of_group() + 8 * (matrix % 2) + lane_of_warp() % 8, 2 * i + matrix / 2);
}

__device__ inline void put_box(box &to, const pairs &y)
{
#pragma unroll
    for (int i = 0; i < 4; i++)
        store_matrices(lane_row(to, i), y.at[i]);
}
__device__ inline void put_transposed(box &to, const pairs &y)
{
    const int matrix = lane_of_warp() / 8, chunk = 2 * warp_of_group() + matrix % 2;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        store_matrices_transposed(chunk_of(to, 16 * i + 8 * (matrix / 2) + lane_of_warp() % 8, chunk),
                                  y.at[i]);
    }
}

/* Sends a box on its way to (row, column); by turns through the two of its worker. */
__device__ inline void send_box(squares_memory &m, int number, int turn, const pairs &y,
                                const CUtensorMap *map, int column, int row, int matrix)
{
    box &to = m.leaving[number][turn % 2];
    if (issues())
        stores_have_read<1>();
    warpgroup_sync(1 + number);
    put_box(to, y);
    shared_is_written();
    warpgroup_sync(1 + number);
    if (!issues())
        return;
    store_box(map, &to, column, row, matrix);
    stores_commit();
}

/* ---- stages ---- */

__device__ inline void move_on(place &at)
{
    at.stage = (at.stage + 1) % STAGES;
    at.phase ^= at.stage == 0;
}

/* Leaves a stage to both blocks' loads. */
__device__ inline void release(squares_memory &m, unsigned stage)
{
    if (threadIdx.x % WARPGROUP < 2)
        barrier_arrive_at(&m.empty[stage % STAGES], (int)threadIdx.x % WARPGROUP);
}

/* An extra stage: once it is full, and when all lanes have read it. */
template <int OUTPUTS> __device__ inline void take_extra(squares_memory &m, const worker<OUTPUTS> &w)
{
    barrier_wait(&m.full[w.at.stage], w.at.phase);
}
template <int OUTPUTS> __device__ inline void leave_extra(squares_memory &m, worker<OUTPUTS> &w)
{
    warpgroup_sync(1 + w.number);
    release(m, w.at.stage);
    move_on(w.at);
}

template <class Job> __device__ void load_all(const Job &job, squares_memory &m, int rank)
{
    place at = {0, 1};
    for (int64_t i = blockIdx.x / 2; i < job.count; i += gridDim.x / 2) {
        const strip s = job.half_square(i, rank);
        for (int k = 0; k < job.steps(); k++, move_on(at)) {
            barrier_wait(&m.empty[at.stage], at.phase);
            job.load_step(m.stages[at.stage], &m.full[at.stage], s, rank, k);
        }
        if constexpr (Job::EXTRA > 0)
            for (int extra = 0; extra < Job::EXTRA; extra++, move_on(at)) {
                barrier_wait(&m.empty[at.stage], at.phase);
                job.load_extra(m.stages[at.stage], &m.full[at.stage], s, extra);
            }
    }
}

/* ---- the workers ---- */

template <class Job>
constexpr bool fetches = requires(const Job &job, squares_memory &m, const worker<Job::OUTPUTS> &w)
{
    job.fetch_box(m, w, 0);
};

/* Steps that each finished box has: it is written in the first, or fetched in the first and written in the
 * last. */
template <class Job> constexpr int STEPS_A_BOX = fetches<Job> ? 3 : Job::OUTPUTS > BOXES ? 1 : 2;

template <class Job>
__device__ inline void fetch_finished(const Job &job, squares_memory &m, const worker<Job::OUTPUTS> &w,
                                      int box)
{
    if (!issues())
        return;
    stores_have_read<0>();
    job.fetch_box(m, w, box);
}

template <class Job>
__device__ inline void write_finished(const Job &job, squares_memory &m, worker<Job::OUTPUTS> &w, int box)
{
    if constexpr (fetches<Job>)
        barrier_wait(&m.arriving[w.number], w.fetches++ % 2);
#pragma unroll
    for (int i = 0; i < Job::OUTPUTS; i++)
        if (i == box)
            job.write_box(m, w, i, w.y[i]);
}

/* What is done for the finished strip beside step k of the next. */
template <class Job>
__device__ inline void write_beside(const Job &job, squares_memory &m, worker<Job::OUTPUTS> &w, int k)
{
    constexpr int each = STEPS_A_BOX<Job>;
    const int box = k / each;
    if (box >= w.boxes)
        return;
    if constexpr (fetches<Job>)
        if (k % each == 0)
            fetch_finished(job, m, w, box);
    if (k % each == (fetches<Job> ? each - 1 : 0))
        write_finished(job, m, w, box);
}

/* A strip's rows times N columns, while the strip before is written. */
template <int N, class Job>
__device__ inline void multiply(const Job &job, squares_memory &m, worker<Job::OUTPUTS> &w, float (&sum)[128])
{
    constexpr int next = Job::B_TRANSPOSED ? NEXT_16_ROWS : NEXT_16_COLUMNS;
    const int steps = job.steps();
    for (int k = 0; k < steps; k++, move_on(w.at)) {
        stage &from = m.stages[w.at.stage];
        barrier_wait(&m.full[w.at.stage], w.at.phase);
        const uint64_t a = tile_operand(&from.a[w.number]), b = tile_operand(from.b, sizeof(box));
        products_begin();
#pragma unroll
        for (int i = 0; i < DEPTH / 16; i++)
            multiply_tiles<N, Job::B_TRANSPOSED>(sum, a + NEXT_16_COLUMNS * i, b + next * i, k > 0 || i > 0);
        products_commit();
        write_beside(job, m, w, k);
        products_wait<1>();
        if (k > 0)
            release(m, w.at.stage + STAGES - 1);
    }
    products_wait<0>();
    release(m, w.at.stage + STAGES - 1);
    for (int k = steps; k < STEPS_A_BOX<Job> * Job::OUTPUTS; k++)
        write_beside(job, m, w, k);
}

template <class Job>
__device__ inline void work_on(const Job &job, squares_memory &m, worker<Job::OUTPUTS> &w, const strip &s)
{
    float sum[128];
    if (job.is_narrow(s))
        multiply<128>(job, m, w, sum);
    else
        multiply<256>(job, m, w, sum);
    job.finish(m, w, s, sum);
    w.finished = s;
}

template <class Job> __device__ void work_on_all(const Job &job, squares_memory &m, int rank, int number)
{
    worker<Job::OUTPUTS> w = {.number = number};
    for (int64_t i = blockIdx.x / 2; i < job.count; i += gridDim.x / 2) {
        strip s = job.half_square(i, rank);
        s.row += number * BOX;
        work_on(job, m, w, s);
    }
    for (int k = 0; k < STEPS_A_BOX<Job> * Job::OUTPUTS; k++)
        write_beside(job, m, w, k);
    stores_have_read<0>();
}

#endif

template <class Job>
static __global__ void __launch_bounds__(SQUARE_THREADS, 1) squares_kernel(const __grid_constant__ Job job)
{
#if TTT_HOPPER
    extern __shared__ unsigned char dynamic[];
    squares_memory &m = *reinterpret_cast<squares_memory *>(
        (reinterpret_cast<uintptr_t>(dynamic) + TILE_ALIGNMENT - 1) / TILE_ALIGNMENT * TILE_ALIGNMENT);
    const int rank = cluster_rank(), group = (int)threadIdx.x / WARPGROUP;
    if (threadIdx.x == 0) {
        for (int i = 0; i < STAGES; i++) {
            barrier_init(&m.full[i], 1);
            barrier_init(&m.empty[i], 2 * WORKERS);
        }
        for (uint64_t &barrier : m.arriving)
            barrier_init(&barrier, 1);
        barriers_are_ready();
    }
    cluster_sync();
    /* 168 registers of 384 threads, given out anew: 24 + 2 * 240 = 3 * 168 */
    if (group == 0) {
        leave_registers<24>();
        if (threadIdx.x == 0)
            load_all(job, m, rank);
    } else {
        take_registers<240>();
        work_on_all(job, m, rank, group - 1);
    }
    cluster_sync(); /* neither leaves while the other still arrives at its barriers */
#else
    (void)job;
    __trap();
#endif
}

/* ---- host ---- */

/* Launches as many clusters as are resident at a time, or as there are squares. */
template <class Job> ttt_status enqueue_squares(const ttt_launch *launch, const Job &job)
{
    const int64_t resident = ttt_cuda_multiprocessors(launch->device) / 2;
    return enqueue_in_clusters(launch, 2, squares_kernel<Job>,
                               dim3((unsigned)(2 * (job.count < resident ? job.count : resident))),
                               dim3(SQUARE_THREADS), sizeof(squares_memory) + TILE_ALIGNMENT, job);
}

/* Contiguous matrices, of x's last two dimensions, in boxes of so many rows. */
static inline ttt_status squares_map(const ttt_operand *x, int box_rows, CUtensorMap *map)
{
    const int rank = x->shape.rank;
    const int64_t rows = x->shape.size[rank - 2], columns = x->shape.size[rank - 1];
    const ttt_cuda_matrices matrices = {
        x->data, rows,           columns, ttt_operand_elements(x) / (rows * columns),
        columns, rows * columns, box_rows};
    return ttt_cuda_tensor_map(&matrices, map);
}

#endif
