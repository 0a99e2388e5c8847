/* How the dimensions of a sum are walked. */
#ifndef TTT_OPS_REDUCE_LAYOUT_H
#define TTT_OPS_REDUCE_LAYOUT_H

#include "ttt/graph/operator.h"

struct ttt_sum_dimension {
    int64_t size, stride; /* in x */
    int64_t out;          /* stride in y; 0 where summed */
    bool summed;
};

/* Several dimensions, the last one fastest; `elements` is the product of their sizes. */
struct ttt_sum_dimensions {
    int rank;
    int64_t elements;
    struct ttt_sum_dimension at[TTT_MAX_RANK];
};

/* The dimensions of x, merged where memory allows it: the one with the smallest stride apart, the others by
 * whether they are summed.  A summed dimension of stride 0 becomes a factor. */
struct ttt_sum_layout {
    struct ttt_sum_dimension inner;
    struct ttt_sum_dimensions kept, summed;
    double factor;
};

struct ttt_sum_layout ttt_sum_layout_of(const ttt_launch *launch);

/* Offset in x of the index-th combination of dimensions; *out, unless NULL, is that in y. */
int64_t ttt_sum_offset(const struct ttt_sum_dimensions *dimensions, int64_t index, int64_t *out);

#endif
