/* The activation of a block of a linear layer's output, while that is in cache. */
#include "ttt/ops/linear/linear_rows.h"
#include "ttt/ops/pointwise/math.h"

static void gelu_row(int64_t columns, const float *x, float *y)
{
#pragma omp simd
    for (int64_t j = 0; j < columns; j++)
        y[j] = ttt_fast_gelu(x[j]);
}

static void silu_row(int64_t columns, const float *x, float *y)
{
#pragma omp simd
    for (int64_t j = 0; j < columns; j++)
        y[j] = x[j] * ttt_fast_sigmoid(x[j]);
}

void ttt_linear_activate(ttt_activation activation, int64_t rows, int64_t columns, const float *x, float *y,
                         int64_t stride)
{
    if (activation == TTT_IDENTITY)
        return;
    for (int64_t i = 0; i < rows; i++) {
        if (activation == TTT_GELU)
            gelu_row(columns, x + i * stride, y + i * stride);
        else
            silu_row(columns, x + i * stride, y + i * stride);
    }
}
