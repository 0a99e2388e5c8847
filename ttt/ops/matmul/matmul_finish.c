/* What is done to a block of a product's sums while it is in cache, for all rows on the CPU. */
#include "ttt/ops/matmul/matmul_rows.h"
#include "ttt/ops/matmul/panel.h"
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

INLINE void finish_rows(const struct ttt_matmul_attributes *attributes, int64_t rows, int64_t columns,
                        const float *c, float *y, int64_t stride)
{
    const float alpha = attributes->alpha, beta = attributes->beta;
    for (int64_t at = 0; at < rows * stride; at += stride) {
        switch (attributes->finish) {
        case TTT_MATMUL_PLAIN:
            scale_row(columns, alpha, y + at);
            break;
        case TTT_MATMUL_ADD:
            add_row(columns, alpha, beta, c + at, y + at);
            break;
        case TTT_MATMUL_GELU_GRAD:
            gelu_grad_row(columns, alpha, c + at, y + at);
            break;
        case TTT_MATMUL_SILU_GRAD:
            silu_grad_row(columns, alpha, c + at, y + at);
            break;
        }
    }
}

bool ttt_matmul_is_plain(const struct ttt_matmul_attributes *attributes)
{
    return attributes->finish == TTT_MATMUL_PLAIN && attributes->alpha == 1;
}

void ttt_matmul_finish_block(const struct ttt_matmul_attributes *attributes, int64_t rows, int64_t columns,
                             const float *c, float *y, int64_t stride)
{
    if (ttt_matmul_is_plain(attributes))
        return;
    if (columns == TTT_PANEL_WIDTH)
        finish_rows(attributes, rows, TTT_PANEL_WIDTH, c, y, stride);
    else
        finish_rows(attributes, rows, columns, c, y, stride);
}
