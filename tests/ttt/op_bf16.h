/* Mixed precision for tests: operands that would otherwise always be f32, as inputs and outputs of a graph
 * are.
 */
#ifndef TESTS_TTT_OP_BF16_H
#define TESTS_TTT_OP_BF16_H

#include "ttt/graph/operator.h"

/* What a problem's operands are kept in.  In bf16, all values that go in are rounded to bf16 beforehand, so
 * that only what is computed from them differs from the oracle. */
enum op_types {
    OP_F32,
    OP_BF16,  /* everything that the operator's masks allow */
    OP_MIXED, /* every other operand of what they allow; which half depends on the case */
};

const char *op_types_name(enum op_types types);

/* Whether an operator has anything to do with bf16. */
bool op_knows_bf16(const ttt_operator *op);

/* x, in bf16 where all that read it may take it. */
ttt_tensor op_as_bf16(ttt_graph *graph, ttt_tensor x);

/* x for reading back, which may have been bf16 before; `wanted`: and is where its operator may give that. */
ttt_tensor op_from_bf16(ttt_graph *graph, ttt_tensor x, bool wanted);

#endif
