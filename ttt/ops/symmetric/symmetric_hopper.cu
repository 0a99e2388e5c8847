/* The row "hopper" of symmetric: y is cut into squares of 256, and those below the diagonal or on it alone
 * are computed, and written twice, the second time transposed.
 *
 * A cluster of two blocks takes a square, each block an upper or lower half of its rows; the rows of b that
 * give its columns are loaded once for both.  In a block, one warp loads, and two warpgroups multiply 64 rows
 * each. Blocks stay and take square after square; a square is written while the next is multiplied, a box at
 * a time, as what all blocks write at once is more than memory takes at once.
 *
 * It reads a (and b) once for every 256 rows of y, from L2 where a matrix fits there, and writes y once.
 */
#include "ttt/device/hopper.cuh"

extern "C" {
#include "ttt/device/cuda_tensor_map.h"
#include "ttt/ops/symmetric/symmetric_rows.h"
}

enum {
    SQUARE = 256,
    HALF = SQUARE / 2,
    DEPTH = TILE_ROW, /* of a step along k */
    STAGES = 4,
    BOX = TILE_ROW, /* rows and columns of a box of y, which is written at a time */
    BOXES = SQUARE / BOX,
    WORKERS = 2,
    THREADS = (1 + WORKERS) * WARPGROUP,
    FEWEST = 48 /* squares: with fewer, the GPU is better filled by smaller tiles */
};

struct box {
    bf16 element[BOX][TILE_ROW];
};
union stage {
    struct {
        bf16 a[HALF][DEPTH], b[2][HALF][DEPTH];
    };
    box c[WORKERS][BOXES / 2]; /* of half the columns, at the end */
};
struct __align__(TILE_ALIGNMENT) shared
{
    stage stages[STAGES];
    box leaving[WORKERS][2]; /* on their way to y, and to its transpose */
    uint64_t full[STAGES], empty[STAGES];
};

struct symmetric_problem {
    CUtensorMap a, b, c, y;
    int squares;   /* along a matrix */
    int64_t count; /* of squares to compute, in all matrices */
    int steps;     /* along k */
    bool two;
    float alpha, beta, shift;
};

/* A worker's 64 rows of a square, from (row, column) on. */
struct strip {
    int matrix, row, column;
};

/* A lane's pairs of a box, as store_matrices takes them: [i][j] is of columns 16 i + 8 (j / 2) + 2 (lane % 4)
 * and the next, of row lane / 4 + 8 (j % 2) of its warp's 16. */
struct pairs {
    uint32_t at[4][4];
};

/* Of a step along k, or of half the columns of c: a stage, and the parity of the phase to wait for. */
struct place {
    unsigned stage, phase;
};

/* What one warpgroup keeps from strip to strip. */
struct worker {
    int number;
    place at;       /* of the next step */
    strip finished; /* being written: box by box of y */
    int boxes;      /* of it: on the diagonal or below it */
    int below;      /* of these: below it */
    pairs y[BOXES];
};

#if TTT_HOPPER

static __device__ inline int lane_of_warp()
{
    return (int)threadIdx.x % WARP;
}
static __device__ inline int warp_of_group()
{
    return (int)threadIdx.x % WARPGROUP / WARP;
}

/* The rows of square number i that block `rank` has: matrix by matrix, row by row of the lower triangle. */
static __device__ inline strip half_square(const symmetric_problem &p, int64_t i, int rank)
{
    const int each = p.squares * (p.squares + 1) / 2;
    int row = 0, column = (int)(i % each);
    while (column > row)
        column -= ++row;
    return {(int)(i / each), row * SQUARE + rank * HALF, column * SQUARE};
}

/* How many boxes of a worker's strip lie on the diagonal or below. */
static __device__ inline int boxes_of(const strip &s)
{
    return min(BOXES, (s.row - s.column) / BOX + 1);
}

static __device__ inline void move_on(place &at)
{
    at.stage = (at.stage + 1) % STAGES;
    at.phase ^= at.stage == 0;
}

static __device__ inline void load_step(const symmetric_problem &p, shared &m, const place &at,
                                        const strip &s, int rank, int k)
{
    const bool swapped = k >= p.steps;
    const int column = k % p.steps * DEPTH;
    stage &to = m.stages[at.stage];
    barrier_expect(&m.full[at.stage], sizeof(stage));
    load_box(to.a, swapped ? &p.b : &p.a, &m.full[at.stage], column, s.row, s.matrix);
    load_box_for(3, to.b[rank], swapped ? &p.a : &p.b, &m.full[at.stage], column, s.column + rank * HALF,
                 s.matrix);
}

/* Two boxes of c for each worker, from number `first` on, as far as they are needed. */
static __device__ inline void load_c(const symmetric_problem &p, shared &m, const place &at, strip s,
                                     int first)
{
    uint32_t bytes = 0;
    for (int w = 0; w < WORKERS; w++)
        bytes += max(0, min(BOXES / 2, boxes_of({s.matrix, s.row + w * BOX, s.column}) - first)) *
                 (uint32_t)sizeof(box);
    barrier_expect(&m.full[at.stage], bytes);
    for (int w = 0; w < WORKERS; w++, s.row += BOX)
        for (int i = 0; i < BOXES / 2 && first + i < boxes_of(s); i++)
            load_box(&m.stages[at.stage].c[w][i], &p.c, &m.full[at.stage], s.column + (first + i) * BOX,
                     s.row, s.matrix);
}

template <bool ADDS> static __device__ void load_all(const symmetric_problem &p, shared &m, int rank)
{
    const int steps = p.two ? 2 * p.steps : p.steps;
    place at = {0, 1};
    for (int64_t i = blockIdx.x / 2; i < p.count; i += gridDim.x / 2) {
        const strip s = half_square(p, i, rank);
        for (int k = 0; k < steps; k++, move_on(at)) {
            barrier_wait(&m.empty[at.stage], at.phase);
            load_step(p, m, at, s, rank, k);
        }
        for (int first = 0; ADDS && first < BOXES; first += BOXES / 2, move_on(at)) {
            barrier_wait(&m.empty[at.stage], at.phase);
            load_c(p, m, at, s, first);
        }
    }
}

/* The 16 bytes of a box at (row, 8 chunk). */
static __device__ inline bf16 *chunk_of(box &box, int row, int chunk)
{
    return &box.element[row][(chunk ^ row % 8) * 8];
}
/* Where a lane's row of four 8 x 8 matrices begins: columns 16 i to 16 i + 15 of its warp's rows. */
static __device__ inline bf16 *lane_row(box &box, int i)
{
    const int matrix = lane_of_warp() / 8;
    return chunk_of(box, 16 * warp_of_group() + 8 * (matrix % 2) + lane_of_warp() % 8, 2 * i + matrix / 2);
}

/* A box of sums becomes y; ADDS: c is there; SHIFTS: the box is on the diagonal.  What is not there costs no
 * instruction: the tensor cores wait meanwhile. */
template <bool ADDS, bool SHIFTS>
static __device__ inline void finish_box(const symmetric_problem &p, box &c, const float *sum, pairs &y)
{
#pragma unroll
    for (int i = 0; i < 4; i++) {
        uint32_t add[4];
        if (ADDS)
            load_matrices(add, lane_row(c, i));
#pragma unroll
        for (int j = 0; j < 4; j++) {
            float x[2] = {p.alpha * sum[8 * i + 2 * j], p.alpha * sum[8 * i + 2 * j + 1]};
            if (ADDS) {
                bf16 pair[2];
                memcpy(pair, &add[j], sizeof pair);
                x[0] += p.beta * to_float(pair[0]);
                x[1] += p.beta * to_float(pair[1]);
            }
            if (SHIFTS) {
                const int row = 16 * warp_of_group() + 8 * (j % 2) + lane_of_warp() / 4,
                          column = 16 * i + 8 * (j / 2) + 2 * (lane_of_warp() % 4);
                x[0] += row == column ? p.shift : 0;
                x[1] += row == column + 1 ? p.shift : 0;
            }
            y.at[i][j] = bf16_pair(x[0], x[1]);
        }
    }
}

/* A box of y into shared memory, and transposed. */
static __device__ inline void put_box(box &to, const pairs &y)
{
#pragma unroll
    for (int i = 0; i < 4; i++)
        store_matrices(lane_row(to, i), y.at[i]);
}
static __device__ inline void put_transposed(box &to, const pairs &y)
{
    const int matrix = lane_of_warp() / 8, chunk = 2 * warp_of_group() + matrix % 2;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        store_matrices_transposed(chunk_of(to, 16 * i + 8 * (matrix / 2) + lane_of_warp() % 8, chunk),
                                  y.at[i]);
    }
}

/* Sends box i of the finished strip on its way, and, below the diagonal, to where its transpose goes. */
static __device__ inline void write_box(const symmetric_problem &p, shared &m, const worker &w, int i,
                                        const pairs &y)
{
    const bool issues = threadIdx.x % WARPGROUP == 0, is_below = i < w.below;
    box *to = m.leaving[w.number];
    if (issues)
        stores_have_read();
    warpgroup_sync(1 + w.number);
    put_box(to[0], y);
    if (is_below)
        put_transposed(to[1], y);
    shared_is_written();
    warpgroup_sync(1 + w.number);
    if (!issues)
        return;
    const int row = w.finished.row, column = w.finished.column + i * BOX;
    store_box(&p.y, &to[0], column, row, w.finished.matrix);
    if (is_below)
        store_box(&p.y, &to[1], row, column, w.finished.matrix);
    stores_commit();
}

static __device__ inline void write_finished(const symmetric_problem &p, shared &m, const worker &w, int box)
{
#pragma unroll
    for (int i = 0; i < BOXES; i++)
        if (i == box && i < w.boxes)
            write_box(p, m, w, i, w.y[i]);
}

/* Leaves a stage to both blocks' loads. */
static __device__ inline void release(shared &m, unsigned stage)
{
    if (threadIdx.x % WARPGROUP < 2)
        barrier_arrive_at(&m.empty[stage % STAGES], (int)threadIdx.x % WARPGROUP);
}

/* A strip's rows times N columns, while the strip before is written: a box in every other step. */
template <int N>
static __device__ inline void multiply(const symmetric_problem &p, shared &m, worker &w, float (&sum)[128])
{
    const int steps = p.two ? 2 * p.steps : p.steps;
    for (int k = 0; k < steps; k++, move_on(w.at)) {
        stage &from = m.stages[w.at.stage];
        barrier_wait(&m.full[w.at.stage], w.at.phase);
        const uint64_t a = tile_operand(from.a[w.number * BOX]), b = tile_operand(from.b);
        products_begin();
#pragma unroll
        for (int i = 0; i < DEPTH / 16; i++)
            multiply_tiles<N>(sum, a + 2 * i, b + 2 * i, k > 0 || i > 0);
        products_commit();
        if (k < 2 * BOXES && k % 2 == 0)
            write_finished(p, m, w, k / 2);
        products_wait<1>();
        if (k > 0)
            release(m, w.at.stage + STAGES - 1);
    }
    products_wait<0>();
    release(m, w.at.stage + STAGES - 1);
    for (int box = (steps + 1) / 2; box < BOXES; box++)
        write_finished(p, m, w, box);
}

/* The strip's sums become y, and the strip the finished one. */
template <bool ADDS>
static __device__ inline void finish(const symmetric_problem &p, shared &m, worker &w, const strip &s,
                                     const float (&sum)[128])
{
    const int from_diagonal = (s.row - s.column) / BOX;
    w.finished = s;
    w.boxes = boxes_of(s);
    w.below = min(BOXES, from_diagonal);
#pragma unroll
    for (int i = 0; i < BOXES; i++) {
        box &c = m.stages[w.at.stage].c[w.number][i % 2];
        if (i % 2 == 0 && ADDS)
            barrier_wait(&m.full[w.at.stage], w.at.phase);
        if (i == from_diagonal && p.shift != 0)
            finish_box<ADDS, true>(p, c, sum + 32 * i, w.y[i]);
        else if (i < w.boxes)
            finish_box<ADDS, false>(p, c, sum + 32 * i, w.y[i]);
        if (i % 2 == 1 && ADDS) {
            warpgroup_sync(1 + w.number);
            release(m, w.at.stage);
            move_on(w.at);
        }
    }
}

template <bool ADDS>
static __device__ inline void work_on(const symmetric_problem &p, shared &m, worker &w, const strip &s)
{
    float sum[128];
    if (boxes_of(s) > 2)
        multiply<256>(p, m, w, sum);
    else
        multiply<128>(p, m, w, sum);
    finish<ADDS>(p, m, w, s, sum);
}

template <bool ADDS>
static __device__ void work_on_all(const symmetric_problem &p, shared &m, int rank, int number)
{
    worker w = {.number = number};
    for (int64_t i = blockIdx.x / 2; i < p.count; i += gridDim.x / 2) {
        strip s = half_square(p, i, rank);
        s.row += number * BOX;
        work_on<ADDS>(p, m, w, s);
    }
    for (int box = 0; box < BOXES; box++)
        write_finished(p, m, w, box);
    stores_have_read();
}

#endif

template <bool ADDS>
static __global__ void __launch_bounds__(THREADS, 1)
    symmetric_products(const __grid_constant__ symmetric_problem p)
{
#if TTT_HOPPER
    extern __shared__ unsigned char dynamic[];
    shared &m = *reinterpret_cast<shared *>((reinterpret_cast<uintptr_t>(dynamic) + TILE_ALIGNMENT - 1) /
                                            TILE_ALIGNMENT * TILE_ALIGNMENT);
    const int rank = cluster_rank(), group = (int)threadIdx.x / WARPGROUP;
    if (threadIdx.x == 0) {
        for (int i = 0; i < STAGES; i++) {
            barrier_init(&m.full[i], 1);
            barrier_init(&m.empty[i], 2 * WORKERS);
        }
        barriers_are_ready();
    }
    cluster_sync();
    if (group == 0) {
        leave_registers<24>();
        if (threadIdx.x == 0)
            load_all<ADDS>(p, m, rank);
    } else {
        take_registers<240>();
        work_on_all<ADDS>(p, m, rank, group - 1);
    }
    cluster_sync(); /* neither leaves while the other still arrives at its barriers */
#else
    (void)p;
    __trap();
#endif
}

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

static ttt_status map_of(const ttt_operand *x, int box_rows, CUtensorMap *map)
{
    const int rank = x->shape.rank;
    const int64_t rows = x->shape.size[rank - 2], columns = x->shape.size[rank - 1];
    const ttt_cuda_matrices matrices = {
        x->data, rows,           columns, ttt_operand_elements(x) / (rows * columns),
        columns, rows * columns, box_rows};
    return ttt_cuda_tensor_map(&matrices, map);
}

static ttt_status run(const ttt_launch *launch)
{
    const ttt_symmetric_attributes *attributes =
        static_cast<const ttt_symmetric_attributes *>(launch->attributes);
    const struct ttt_symmetric_size size = ttt_symmetric_size_of(launch);
    const bool two = launch->in[1].dtype != 0, adds = launch->in[2].dtype != 0;
    const int squares = (int)((size.n + SQUARE - 1) / SQUARE);
    symmetric_problem p = {.squares = squares,
                           .count = size.batches * squares * (squares + 1) / 2,
                           .steps = (int)((size.k + DEPTH - 1) / DEPTH),
                           .two = two,
                           .alpha = attributes->alpha,
                           .beta = attributes->beta,
                           .shift = attributes->shift};
    TRY(map_of(&launch->in[0], HALF, &p.a));
    TRY(map_of(&launch->in[two ? 1 : 0], HALF, &p.b));
    TRY(map_of(&launch->in[adds ? 2 : 0], BOX, &p.c));
    TRY(map_of(&launch->out[0], BOX, &p.y));
    const int64_t clusters = ttt_cuda_multiprocessors(launch->device) / 2;
    return enqueue_in_clusters(launch, 2, adds ? symmetric_products<true> : symmetric_products<false>,
                               dim3((unsigned)(2 * (p.count < clusters ? p.count : clusters))), dim3(THREADS),
                               sizeof(shared) + TILE_ALIGNMENT, p);
}

extern "C" const ttt_implementation ttt_symmetric_hopper = {
    .name = "hopper",
    .device = TTT_CUDA,
    .supports = supports,
    .run = run,
};
