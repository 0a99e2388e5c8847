/* Work over the elements of many tensors, shared evenly among threads. */
#include "ttt/ops/optimiser/pieces.h"

#include <omp.h>

#include "ttt/ops/optimiser/builders.h"

/* 64 KiB of each tensor: small enough to balance a few threads, large enough to stream. */
enum { CHUNK = 16384 };

int64_t ttt_chunk_count(const ttt_launch *launch, int first, int step)
{
    return (ttt_elements_of_all(launch, first, step) + CHUNK - 1) / CHUNK;
}

/* Elements `at` to `end` of the row of tensors. */
static void work_on_range(const ttt_launch *launch, int first, int step, int64_t at, int64_t end,
                          ttt_piece_work *work, const void *context)
{
    int64_t begin = 0; /* of tensor i, in the row */
    for (int i = 0; first + i * step < launch->n_in && at < end; i++) {
        const int64_t size = ttt_operand_elements(&launch->in[first + i * step]);
        while (at < begin + size && at < end) {
            const int64_t chunk = at / CHUNK, chunk_end = (chunk + 1) * CHUNK;
            int64_t stop = chunk_end < begin + size ? chunk_end : begin + size;
            stop = stop < end ? stop : end;
            work(launch, &(struct ttt_piece){i, chunk, at - begin, stop - at}, context);
            at = stop;
        }
        begin += size;
    }
}

void ttt_for_each_piece(const ttt_launch *launch, int first, int step, ttt_piece_work *work,
                        const void *context)
{
    const int64_t elements = ttt_elements_of_all(launch, first, step);
    const int64_t chunks = ttt_chunk_count(launch, first, step);
#pragma omp parallel num_threads(launch->threads)
    {
        const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
        const int64_t at = chunks * thread / threads * CHUNK, end = chunks * (thread + 1) / threads * CHUNK;
        work_on_range(launch, first, step, at, end < elements ? end : elements, work, context);
    }
}
