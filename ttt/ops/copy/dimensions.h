/* The dimensions of a copy between two strided layouts. */
#ifndef TTT_OPS_COPY_DIMENSIONS_H
#define TTT_OPS_COPY_DIMENSIONS_H

#include "ttt/graph/graph.h"

struct ttt_copy_dimension {
    int64_t size, to, from; /* strides in elements */
};

/* The dimensions of `shape` that move, merged where both sides allow it; returns how many there are. */
int ttt_copy_merge(ttt_shape shape, const int64_t *to, const int64_t *from,
                   struct ttt_copy_dimension *merged);

#endif
