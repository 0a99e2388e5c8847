/* The operators of optimiser.h, their attributes and their rows.  All operands are contiguous f32. */
#ifndef TTT_OPS_OPTIMISER_OPTIMISER_ROWS_H
#define TTT_OPS_OPTIMISER_OPTIMISER_ROWS_H

#include "ttt/graph/operator.h"
#include "ttt/ops/optimiser/optimiser.h"

/* gradient_norm: inputs are the gradients; output (1). */

/* adamw: inputs norm, loss, rate, steps, then parameter, gradient, mean, variance and, where averages are
 * taken, average for each parameter; output (1), whether the step was taken. */
enum ttt_adamw_input {
    TTT_ADAMW_NORM,
    TTT_ADAMW_LOSS,
    TTT_ADAMW_RATE,
    TTT_ADAMW_STEPS,
    TTT_ADAMW_FIRST, /* the first parameter */
};

/* Parameters of one decay stand together: those from the last group's end to `end` decay by `decay`. */
struct ttt_adamw_group {
    int end;
    float decay;
};

struct ttt_adamw_attributes {
    ttt_adamw_options options;
    struct ttt_adamw_group groups[TTT_ADAMW_DECAYS];
};

/* Inputs for each parameter, and the last of them where averages are taken. */
enum { TTT_ADAMW_AVERAGE = 4, TTT_ADAMW_MOST_EACH };
static inline int ttt_adamw_each(const struct ttt_adamw_attributes *attributes)
{
    return attributes->options.average_decay > 0 ? TTT_ADAMW_MOST_EACH : TTT_ADAMW_AVERAGE;
}

/* The decay of the i-th parameter that is listed. */
static inline float ttt_adamw_decay(const struct ttt_adamw_attributes *attributes, int i)
{
    const struct ttt_adamw_group *group = attributes->groups;
    while (i >= group->end)
        group++;
    return group->decay;
}

/* accumulate: inputs sum, x for each pair; clear: inputs are the variables; no outputs. */
struct ttt_accumulate_attributes {
    bool anew; /* sum = x, whatever it was */
};

extern const ttt_operator ttt_op_gradient_norm;
extern const ttt_operator ttt_op_adamw;
extern const ttt_operator ttt_op_accumulate;
extern const ttt_operator ttt_op_clear;

extern const ttt_implementation ttt_gradient_norm_cpu;
extern const ttt_implementation ttt_adamw_cpu;
extern const ttt_implementation ttt_accumulate_cpu;
extern const ttt_implementation ttt_clear_cpu;
extern const ttt_implementation ttt_gradient_norm_cuda;
extern const ttt_implementation ttt_adamw_cuda;
extern const ttt_implementation ttt_accumulate_cuda;
extern const ttt_implementation ttt_clear_cuda;

#endif
