/* Sums of rows of numbers with a fixed order, shared by operators that sum over many rows. */
#ifndef TTT_OPS_REDUCE_ROWS_H
#define TTT_OPS_REDUCE_ROWS_H

#include <stdint.h>

/* Rows that are summed in f32 before their sum goes on in double.  A fixed number, so that results do not
 * depend on how threads share the rows. */
enum { TTT_ROWS_PER_CHUNK = 64 };

/* y[c * y_stride] = factor * sum over r of x[r * row_stride + c], in double, r rising. */
void ttt_sum_rows(const float *x, int64_t rows, int64_t row_stride, int64_t columns, double factor, float *y,
                  int64_t y_stride);

#endif
