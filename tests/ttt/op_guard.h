/* Running a plan launch by launch, each one first on buffers of its own.
 *
 * Every operand gets memory of just its span between guard zones; what the operand does not cover, the
 * outputs and the workspace start as NaN.  So a read outside of a view, an element left unwritten, a write
 * outside of an output or beyond the workspace that was asked for, and a result that depends on what lies
 * around it all show.  This is the one test that looks into a plan.
 */
#ifndef TESTS_TTT_OP_GUARD_H
#define TESTS_TTT_OP_GUARD_H

#include "ttt/graph/plan.h"

/* Runs the plan; fails the running test when a launch oversteps or gives other bits on buffers of its own. */
void op_guard_run(ttt_plan *plan);

/* Runs the launches on buffers of their own alone: half the work, for a caller who compares what the plan
 * gives then with what it gives as it is.  Where that differs op_guard_run names the launch. */
void op_guard_run_apart(ttt_plan *plan);

/* How many nodes of the plan are of this operator and run by this row. */
int op_guard_count(const ttt_plan *plan, const char *op, const char *row);

#endif
