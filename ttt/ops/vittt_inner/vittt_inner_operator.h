/* The operators "vittt_inner" and "vittt_inner_backward".
 *
 * vittt_inner           inputs qkv, w1, w2, w3; output y
 * vittt_inner_backward  inputs qkv, w1, w2, w3, dy; outputs dqkv, and dw1, dw2, dw3 in f32
 */
#ifndef TTT_OPS_VITTT_INNER_VITTT_INNER_OPERATOR_H
#define TTT_OPS_VITTT_INNER_VITTT_INNER_OPERATOR_H

#include "ttt/graph/operator.h"
#include "ttt/ops/vittt_inner/vittt_inner.h"

enum { TTT_VITTT_INNER_TOKENS = 256 }; /* most: q and k of a head lie in shared memory */

struct ttt_vittt_inner_attributes {
    int height, width, heads;
    ttt_vittt_inner_switches switches;
};

extern const ttt_operator ttt_op_vittt_inner;
extern const ttt_operator ttt_op_vittt_inner_backward;

extern const ttt_implementation ttt_vittt_inner_cpu;
extern const ttt_implementation ttt_vittt_inner_backward_cpu;
extern const ttt_implementation ttt_vittt_inner_cuda;
extern const ttt_implementation ttt_vittt_inner_backward_cuda;

#endif
