/* "add_slice" on the CPU: rows are shared out in pieces. */
#include <string.h>

#include "ttt/ops/add_slice/add_slice_operator.h"

enum { PIECE = 1 << 12 }; /* elements of a row that a thread does at a time */

/* y is a, or lies apart from it. */
static void add(const float *a, const float *b, float *y, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        y[i] = a[i] + b[i];
}

static ttt_status run(const ttt_launch *launch)
{
    const struct ttt_add_slice_rows rows = ttt_add_slice_rows_of(launch);
    const float *a = launch->in[0].data, *b = launch->in[1].data;
    float *y = launch->out[0].data;
    const int64_t pieces = (rows.run + PIECE - 1) / PIECE, after = rows.first + rows.run;
    const int threads = rows.count * rows.run < PIECE ? 1 : launch->threads;
#pragma omp parallel for schedule(static) collapse(2) num_threads(threads)
    for (int64_t row = 0; row < rows.count; row++)
        for (int64_t piece = 0; piece < pieces; piece++) {
            const int64_t at = piece * PIECE, left = rows.run - at, to = row * rows.length;
            if (y != a && piece == 0) {
                memcpy(y + to, a + to, (size_t)rows.first * sizeof *y);
                memcpy(y + to + after, a + to + after, (size_t)(rows.length - after) * sizeof *y);
            }
            add(a + to + rows.first + at, b + row * rows.run + at, y + to + rows.first + at,
                left < PIECE ? left : PIECE);
        }
    return TTT_OK;
}

const ttt_implementation ttt_add_slice_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .run = run,
};
