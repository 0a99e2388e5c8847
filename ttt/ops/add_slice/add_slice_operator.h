/* The operator "add_slice": inputs a and b, contiguous; output y, which may be a. */
#ifndef TTT_OPS_ADD_SLICE_ADD_SLICE_OPERATOR_H
#define TTT_OPS_ADD_SLICE_ADD_SLICE_OPERATOR_H

#include "ttt/graph/operator.h"

struct ttt_add_slice_attributes {
    int dimension;
    int64_t start;
};

/* a and y as rows that each hold one run, of consecutive elements, to which a row of b is added. */
struct ttt_add_slice_rows {
    int64_t count, length, first, run; /* rows; elements of a row; those before the run; those of it */
};
struct ttt_add_slice_rows ttt_add_slice_rows_of(const ttt_launch *launch);

extern const ttt_operator ttt_op_add_slice;
extern const ttt_implementation ttt_add_slice_cpu;
extern const ttt_implementation ttt_add_slice_cuda;

#endif
