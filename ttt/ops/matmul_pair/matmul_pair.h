/* The sum of two batched products, which the planner makes of a product that another is added to. */
#ifndef TTT_OPS_MATMUL_PAIR_MATMUL_PAIR_H
#define TTT_OPS_MATMUL_PAIR_MATMUL_PAIR_H

#include "ttt/graph/operator.h"

/* Input and output of the operator "matmul_pair"
 *
 * in   a, b, c, d  as "matmul" takes them (../matmul/matmul_rows.h), a b shaped as c d
 * out  y = alpha (a b + c d), contiguous
 */
struct ttt_matmul_pair_attributes {
    float alpha;
};

extern const ttt_operator ttt_op_matmul_pair;
extern const ttt_implementation ttt_matmul_pair_hopper; /* one product of twice the depth */
extern const ttt_implementation ttt_matmul_pair_cublas; /* one after the other */

/* The products of a launch, as two launches of "matmul" would ask for them. */
enum { TTT_PAIR = 2 };
ttt_launch ttt_matmul_pair_part(const ttt_launch *launch, int i);

/* A node by itself: a b + c d.  Fails with TTT_SHAPE as ttt_matmul does, and where the shapes differ. */
ttt_tensor ttt_matmul_pair(ttt_graph *g, ttt_tensor a, ttt_tensor b, ttt_tensor c, ttt_tensor d);

#endif
