/* The operators of optimiser.h, their attributes and their rows.  All operands are contiguous f32. */
#ifndef TTT_OPS_OPTIMISER_OPTIMISER_ROWS_H
#define TTT_OPS_OPTIMISER_OPTIMISER_ROWS_H

#include "ttt/graph/operator.h"
#include "ttt/ops/optimiser/optimiser.h"

/* gradient_norm: inputs are the gradients; output (1). */

/* adamw: inputs norm, loss, rate, steps, then parameter, gradient, mean, variance for each parameter;
 * output (1), whether the step was taken. */
enum ttt_adamw_input {
    TTT_ADAMW_NORM,
    TTT_ADAMW_LOSS,
    TTT_ADAMW_RATE,
    TTT_ADAMW_STEPS,
    TTT_ADAMW_FIRST,    /* the first parameter */
    TTT_ADAMW_EACH = 4, /* inputs for each */
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

/* moving_average: inputs taken, then average, parameter for each pair; no output. */
struct ttt_moving_average_attributes {
    double decay;
};

/* accumulate: inputs sum, x for each pair; clear: inputs are the variables; no outputs. */
struct ttt_accumulate_attributes {
    bool anew; /* sum = x, whatever it was */
};

extern const ttt_operator ttt_op_gradient_norm;
extern const ttt_operator ttt_op_adamw;
extern const ttt_operator ttt_op_moving_average;
extern const ttt_operator ttt_op_accumulate;
extern const ttt_operator ttt_op_clear;

extern const ttt_implementation ttt_gradient_norm_cpu;
extern const ttt_implementation ttt_adamw_cpu;
extern const ttt_implementation ttt_moving_average_cpu;
extern const ttt_implementation ttt_accumulate_cpu;
extern const ttt_implementation ttt_clear_cpu;
extern const ttt_implementation ttt_gradient_norm_cuda;
extern const ttt_implementation ttt_adamw_cuda;
extern const ttt_implementation ttt_moving_average_cuda;
extern const ttt_implementation ttt_accumulate_cuda;
extern const ttt_implementation ttt_clear_cuda;

#endif
