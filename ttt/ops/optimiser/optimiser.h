/* The end of a training step: gradient norm, AdamW with clipping, skipping and averages; accumulation.
 *
 * All of them go over every parameter in one node.  Those with effects write the variables they are given.
 */
#ifndef TTT_OPS_OPTIMISER_OPTIMISER_H
#define TTT_OPS_OPTIMISER_OPTIMISER_H

#include "ttt/graph/graph.h"

/* The L2 norm of all gradients together: (1).  Each may be any f32 tensor; TTT_NONE counts as zero.  Summed
 * in double, in an order that depends on the shapes alone. */
ttt_tensor ttt_gradient_norm(ttt_graph *g, const ttt_tensor *gradients, int count);

/* One parameter with what AdamW keeps for it; all f32, of one shape. */
typedef struct ttt_adamw_parameter {
    ttt_tensor parameter;      /* variable */
    ttt_tensor gradient;       /* any tensor; TTT_NONE leaves all of these as they are, without decay */
    ttt_tensor mean, variance; /* variables: running means of the gradient and of its square */
    ttt_tensor average;        /* variable: moving average of the parameter, where averages are taken */
    float weight_decay;        /* at most TTT_ADAMW_DECAYS different values among all parameters */
} ttt_adamw_parameter;

#define TTT_ADAMW_DECAYS 16

typedef struct ttt_adamw_options {
    double beta1, beta2; /* 1 - beta2 of an f32 would be off by 1e-5 */
    float eps;
    float clip;           /* gradients are scaled by min(1, clip / (norm + 1e-6)); 0: never */
    float skip_over;      /* the step is skipped when norm > skip_over * clip; 0: never */
    double average_decay; /* of the parameters' moving averages; 0: none are taken */
} ttt_adamw_options;

/* p -= lr * (decay * p + m_hat / (sqrt(v_hat) + eps)), with bias corrections for the steps taken so far;
 * then, where averages are taken, average += (1 - average_decay) * (p - average).
 *
 * norm   (1)  from ttt_gradient_norm
 * loss   (1)  the step is skipped, all variables untouched, when loss or norm is not finite
 * rate   (1)  learning rate of this step: an input
 * steps  (1)  f32 variable: steps taken so far; grows by 1 unless the step is skipped
 *
 * Returns (1): 1 when the step was taken, 0 when it was skipped.  Fails with TTT_SHAPE when a parameter's
 * tensors differ in shape, TTT_ARGUMENT for options out of range, TTT_UNSUPPORTED for too many decays.
 * Loshchilov, Hutter, "Decoupled Weight Decay Regularization", 2019; arithmetic as torch.optim.AdamW.
 */
ttt_tensor ttt_adamw(ttt_graph *g, const ttt_adamw_parameter *parameters, int count, ttt_tensor norm,
                     ttt_tensor loss, ttt_tensor rate, ttt_tensor steps, ttt_adamw_options options);

/* sum += x, for each pair; sums are variables, x any tensors or TTT_NONE for zero. */
void ttt_accumulate(ttt_graph *g, const ttt_tensor *sums, const ttt_tensor *x, int count);

/* variable = x, for each pair; what is TTT_NONE leaves its variable as it is. */
void ttt_assign(ttt_graph *g, const ttt_tensor *variables, const ttt_tensor *x, int count);

/* Fills variables with zeros. */
void ttt_clear(ttt_graph *g, const ttt_tensor *variables, int count);

#endif
