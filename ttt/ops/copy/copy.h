/* A contiguous copy of a strided view. */
#ifndef TTT_OPS_COPY_COPY_H
#define TTT_OPS_COPY_COPY_H

#include "ttt/graph/graph.h"

/* x's elements in order, in memory of their own.  x: f32, any strides. */
ttt_tensor ttt_copy(ttt_graph *g, ttt_tensor x);

#endif
