/* Every operator, for what goes over all of them: forced implementations, tests, benchmarks. */
#ifndef TTT_OPS_OPERATORS_H
#define TTT_OPS_OPERATORS_H

#include "ttt/graph/operator.h"

/* The operators, ending with NULL. */
extern const ttt_operator *const ttt_operators[];

#endif
