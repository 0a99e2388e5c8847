/* A tensor that is read whole and as a slice. */
#ifndef TTT_OPS_ADD_SLICE_ADD_SLICE_H
#define TTT_OPS_ADD_SLICE_ADD_SLICE_H

#include "ttt/graph/graph.h"

/* a, with b added to its slice start ... start + (b's size) of a dimension (negative: from the last).
 *
 * a, b  f32, alike in shape but for that dimension, of which b has at most start less than a
 *
 * Returns a tensor shaped as a, contiguous.  Fails with TTT_SHAPE when b does not fit into a there. */
ttt_tensor ttt_add_slice(ttt_graph *g, ttt_tensor a, ttt_tensor b, int dimension, int64_t start);

/* x as *whole, and elements start ... start + length of a dimension as *slice: views.  As ttt_slice, but
 * where both have readers, the gradient of x is ttt_add_slice of theirs. */
void ttt_whole_and_slice(ttt_graph *g, ttt_tensor x, int dimension, int64_t start, int64_t length,
                         ttt_tensor *whole, ttt_tensor *slice);

#endif
