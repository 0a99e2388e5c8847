/* Copies between two strided layouts of one shape. */
#ifndef TTT_OPS_COPY_STRIDED_H
#define TTT_OPS_COPY_STRIDED_H

#include "ttt/graph/graph.h"

/* to[i, j, ...] = from[i, j, ...] for every index of `shape`, on up to `threads` threads.
 *
 * to    element (i, j, ...) lies at to + i*to_stride[0] + j*to_stride[1] ...; strides fall from the first
 *       dimension to the last, as in a contiguous tensor or a slice of one
 * from  strides in elements, in any order; 0 repeats an element
 *
 * The two must not overlap.
 */
void ttt_copy_strided(ttt_shape shape, float *to, const int64_t *to_stride, const float *from,
                      const int64_t *from_stride, int threads);

#endif
