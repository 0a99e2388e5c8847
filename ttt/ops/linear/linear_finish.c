/* Activation and residual of a block of a linear layer's output, while that is in cache. */
#include "ttt/ops/linear/linear_rows.h"
#include "ttt/ops/matmul/panel.h"
#include "ttt/ops/pointwise/math.h"

/* Inlined with a constant number of columns where a block is one panel wide. */
#define INLINE static inline __attribute__((always_inline))

INLINE void gelu_row(int64_t columns, const float *x, float *y)
{
#pragma omp simd
    for (int64_t j = 0; j < columns; j++)
        y[j] = ttt_fast_gelu(x[j]);
}

INLINE void silu_row(int64_t columns, const float *x, float *y)
{
#pragma omp simd
    for (int64_t j = 0; j < columns; j++)
        y[j] = x[j] * ttt_fast_sigmoid(x[j]);
}

INLINE void add_row(int64_t columns, const float *c, const float *x, float *y)
{
#pragma omp simd
    for (int64_t j = 0; j < columns; j++)
        y[j] = x[j] + c[j];
}

/* From element `at` on. */
INLINE void finish_rows(const struct ttt_linear_epilogue *e, int64_t at, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++, at += e->out) {
        if (e->activation == TTT_GELU)
            gelu_row(columns, e->sums + at, e->y + at);
        else if (e->activation == TTT_SILU)
            silu_row(columns, e->sums + at, e->y + at);
        else
            add_row(columns, e->c + at, e->sums + at, e->y + at);
    }
}

struct ttt_linear_epilogue ttt_linear_epilogue_of(const ttt_launch *launch)
{
    const struct ttt_linear_attributes *attributes = launch->attributes;
    const bool keeps_sums = launch->n_out > 1 && launch->out[1].data;
    return (struct ttt_linear_epilogue){
        .activation = attributes->activation,
        .c = attributes->adds ? launch->in[3].data : NULL,
        .sums = keeps_sums ? launch->out[1].data : launch->out[0].data,
        .y = launch->out[0].data,
        .out = launch->out[0].shape.size[1],
    };
}

void ttt_linear_finish(const struct ttt_linear_epilogue *epilogue, int64_t row, int64_t rows, int64_t column,
                       int64_t columns)
{
    const int64_t at = row * epilogue->out + column;
    if (epilogue->activation == TTT_IDENTITY && !epilogue->c)
        return;
    if (columns == TTT_PANEL_WIDTH)
        finish_rows(epilogue, at, rows, TTT_PANEL_WIDTH);
    else
        finish_rows(epilogue, at, rows, columns);
}
