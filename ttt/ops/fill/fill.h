/* Constant tensors. */
#ifndef TTT_OPS_FILL_FILL_H
#define TTT_OPS_FILL_FILL_H

#include "ttt/graph/graph.h"

/* An f32 tensor with `value` in every element. */
ttt_tensor ttt_fill(ttt_graph *g, ttt_shape shape, float value);

#endif
