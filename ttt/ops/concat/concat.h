/* Joining tensors along a dimension. */
#ifndef TTT_OPS_CONCAT_CONCAT_H
#define TTT_OPS_CONCAT_CONCAT_H

#include "ttt/graph/graph.h"

/* The parts one after another along `dimension` (negative: from the end).
 *
 * parts  f32, any strides, equal in every other dimension.  Returns a contiguous tensor.
 */
ttt_tensor ttt_concat(ttt_graph *g, const ttt_tensor *parts, int count, int dimension);

#endif
