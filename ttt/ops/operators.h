/* Every operator, for what goes over all of them: forced implementations, tests, benchmarks. */
#ifndef TTT_OPS_OPERATORS_H
#define TTT_OPS_OPERATORS_H

#include "ttt/graph/operator.h"

/* The operators, ending with NULL. */
extern const ttt_operator *const ttt_operators[];

/* Whether "op:row,op:row", as plan options and TTT_IMPL take it, names operators and rows that there are;
 * NULL and "" do.  TTT_ARGUMENT with the name that does not exist, and those that do. */
ttt_status ttt_implementations_check(const char *choices);

#endif
