/* The optimiser's operators over all parameters of vittt_tiny, and what builders of cases share. */
#ifndef TOOLS_BENCH_OP_CASES_OPTIMISER_H
#define TOOLS_BENCH_OP_CASES_OPTIMISER_H

#include "tools/bench/op_cases.h"

/* The next input. */
ttt_tensor bench_op_input(struct bench_op_graph *g, ttt_dtype dtype, ttt_shape shape);

/* The same as an activation: in bf16 where the graph's activations are. */
ttt_tensor bench_op_activation(struct bench_op_graph *g, ttt_shape shape);

/* Builders of cases.  size[0] of adamw: whether averages are taken; the others take no sizes. */
void bench_op_gradient_norm(struct bench_op_graph *g, const int64_t *size);
void bench_op_adamw(struct bench_op_graph *g, const int64_t *size);
void bench_op_accumulate(struct bench_op_graph *g, const int64_t *size);
void bench_op_clear(struct bench_op_graph *g, const int64_t *size);

#endif
