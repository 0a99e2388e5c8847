/* What is done to a product's sums while they are in cache, for all rows on the CPU. */
#include "ttt/ops/matmul/matmul_rows.h"
#include "ttt/ops/pointwise/math.h"

/* Inlined with a constant number of columns where a block is one panel wide. */
#define INLINE static inline __attribute__((always_inline))

INLINE void scale_row(int64_t columns, float alpha, float *y)
{
#pragma omp simd
    for (int64_t j = 0; j < columns; j++)
        y[j] = alpha * y[j];
}

INLINE void add_row(int64_t columns, float alpha, float beta, const float *c, float *y)
{
#pragma omp simd
    for (int64_t j = 0; j < columns; j++)
        y[j] = alpha * y[j] + beta * c[j];
}

INLINE void gelu_grad_row(int64_t columns, float alpha, const float *c, float *y)
{
#pragma omp simd
    for (int64_t j = 0; j < columns; j++)
        y[j] = alpha * y[j] * ttt_fast_gelu_grad(c[j]);
}

INLINE void silu_grad_row(int64_t columns, float alpha, const float *c, float *y)
{
#pragma omp simd
    for (int64_t j = 0; j < columns; j++)
        y[j] = alpha * y[j] * ttt_fast_silu_grad(c[j], ttt_fast_sigmoid(c[j]));
}

INLINE void finish_rows(const struct ttt_matmul_epilogue *e, int64_t at, int64_t rows, int64_t columns)
{
    const float alpha = e->attributes->alpha, beta = e->attributes->beta;
    for (int64_t i = 0; i < rows; i++, at += e->n) {
        switch (e->attributes->finish) {
        case TTT_MATMUL_PLAIN:
            scale_row(columns, alpha, e->y + at);
            break;
        case TTT_MATMUL_ADD:
            add_row(columns, alpha, beta, e->c + at, e->y + at);
            break;
        case TTT_MATMUL_GELU_GRAD:
            gelu_grad_row(columns, alpha, e->c + at, e->y + at);
            break;
        case TTT_MATMUL_SILU_GRAD:
            silu_grad_row(columns, alpha, e->c + at, e->y + at);
            break;
        }
    }
}

static void finish(const void *context, int64_t row, int64_t rows, int64_t column, int64_t columns)
{
    const struct ttt_matmul_epilogue *e = context;
    const int64_t at = row * e->n + column;
    if (columns == TTT_PANEL_WIDTH)
        finish_rows(e, at, rows, TTT_PANEL_WIDTH);
    else
        finish_rows(e, at, rows, columns);
}

ttt_panel_finish *ttt_matmul_finisher(const struct ttt_matmul_epilogue *epilogue)
{
    const bool is_plain =
        epilogue->attributes->finish == TTT_MATMUL_PLAIN && epilogue->attributes->alpha == 1;
    return is_plain ? NULL : finish;
}
