/* The end of a training step: gradient norm, AdamW with clipping and skipping, averages, accumulation.
 *
 * All of them go over every parameter in one node.  Those with effects write the variables they are given.
 */
#ifndef TTT_OPS_OPTIMISER_OPTIMISER_H
#define TTT_OPS_OPTIMISER_OPTIMISER_H

#include "ttt/graph/graph.h"

/* The L2 norm of all gradients together: (1).  Each may be any contiguous f32 tensor; summed in double. */
ttt_tensor ttt_gradient_norm(ttt_graph *g, const ttt_tensor *gradients, int count);

/* One parameter with what AdamW keeps for it; all f32, contiguous, of one shape. */
typedef struct ttt_adamw_parameter {
    ttt_tensor parameter, gradient; /* gradient: not a variable unless accumulated */
    ttt_tensor mean, variance;      /* variables: running means of the gradient and of its square */
    float weight_decay;
} ttt_adamw_parameter;

typedef struct ttt_adamw_options {
    float beta1, beta2, eps;
    float clip;      /* gradients are scaled by min(1, clip / (norm + 1e-6)); 0: never */
    float skip_over; /* the step is skipped when norm > skip_over * clip; 0: never */
} ttt_adamw_options;

/* p -= lr * (decay * p + m_hat / (sqrt(v_hat) + eps)), with bias corrections for the steps taken so far.
 *
 * norm   (1)  from ttt_gradient_norm
 * loss   (1)  the step is skipped, all variables untouched, when loss or norm is not finite
 * rate   (1)  learning rate of this step: an input
 * steps  (1)  f32 variable: steps taken so far; grows by 1 unless the step is skipped
 *
 * Returns (1): 1 when the step was taken, 0 when it was skipped.
 * Loshchilov, Hutter, "Decoupled Weight Decay Regularization", 2019; arithmetic as torch.optim.AdamW.
 */
ttt_tensor ttt_adamw(ttt_graph *g, const ttt_adamw_parameter *parameters, int count, ttt_tensor norm,
                     ttt_tensor loss, ttt_tensor rate, ttt_tensor steps, ttt_adamw_options options);

/* average += (1 - decay) * (parameter - average), for each pair of variables, when taken (1) is not 0. */
void ttt_moving_average(ttt_graph *g, const ttt_tensor *averages, const ttt_tensor *parameters, int count,
                        ttt_tensor taken, float decay);

/* sum += x, for each pair; sums are variables. */
void ttt_accumulate(ttt_graph *g, const ttt_tensor *sums, const ttt_tensor *x, int count);

/* Fills variables with zeros. */
void ttt_clear(ttt_graph *g, const ttt_tensor *variables, int count);

#endif
