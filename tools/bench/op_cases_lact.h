/* What LaCT does with its fast weights. */
#ifndef TOOLS_BENCH_OP_CASES_LACT_H
#define TOOLS_BENCH_OP_CASES_LACT_H

#include "tools/bench/op_cases.h"

/* Builders of cases. */
void bench_op_symmetric(struct bench_op_graph *g, const int64_t *n);
void bench_op_matmul_pair(struct bench_op_graph *g, const int64_t *n);
void bench_op_swiglu(struct bench_op_graph *g, const int64_t *n);
void bench_op_l2norm(struct bench_op_graph *g, const int64_t *n);
void bench_op_weight_norm(struct bench_op_graph *g, const int64_t *n);
void bench_op_weight_norm_transposed(struct bench_op_graph *g, const int64_t *n);

#endif
