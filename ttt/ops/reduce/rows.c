/* Sums of rows in double. */
#include "ttt/ops/reduce/rows.h"

enum { BLOCK = 256 }; /* columns whose double sums stay in the L1 cache */

void ttt_sum_rows(const float *x, int64_t rows, int64_t row_stride, int64_t columns, double factor, float *y,
                  int64_t y_stride)
{
    for (int64_t start = 0; start < columns; start += BLOCK) {
        const int64_t width = columns - start < BLOCK ? columns - start : BLOCK;
        double total[BLOCK] = {0};
        for (int64_t r = 0; r < rows; r++) {
            const float *row = x + r * row_stride + start;
#pragma omp simd
            for (int64_t c = 0; c < width; c++)
                total[c] += (double)row[c];
        }
        for (int64_t c = 0; c < width; c++)
            y[(start + c) * y_stride] = (float)(total[c] * factor);
    }
}
