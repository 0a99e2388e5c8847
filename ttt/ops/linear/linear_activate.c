/* The activation of a block of a linear layer's output, while that is in cache. */
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

INLINE void activate_rows(ttt_activation activation, int64_t rows, int64_t columns, const float *x, float *y,
                          int64_t stride)
{
    for (int64_t i = 0; i < rows; i++) {
        if (activation == TTT_GELU)
            gelu_row(columns, x + i * stride, y + i * stride);
        else
            silu_row(columns, x + i * stride, y + i * stride);
    }
}

void ttt_linear_activate(ttt_activation activation, int64_t rows, int64_t columns, const float *x, float *y,
                         int64_t stride)
{
    if (activation == TTT_IDENTITY)
        return;
    if (columns == TTT_PANEL_WIDTH)
        activate_rows(activation, rows, TTT_PANEL_WIDTH, x, y, stride);
    else
        activate_rows(activation, rows, columns, x, y, stride);
}
