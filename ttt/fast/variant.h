/* Switches of a TTT layer, and the named settings of the paper's Tables 1 and 2.
 *
 * A variant is a point in a small product space; a name is a shorthand for a set of switches.  A switch
 * that a layer does not have (weight norm, token rates and momentum in ViTTT) leaves it as it is.
 * "Test-Time Training with KV Binding Is Secretly Linear Attention", arXiv 2602.21204.
 */
#ifndef TTT_FAST_VARIANT_H
#define TTT_FAST_VARIANT_H

#include <stdbool.h>

#include "ttt/base/status.h"

/* Which fast weights the inner loop moves. */
typedef enum ttt_update {
    TTT_UPDATE_ALL,
    TTT_UPDATE_LAST, /* the final layer only */
} ttt_update;

/* The feature map in front of the final layer. */
typedef enum ttt_kernel {
    TTT_KERNEL_SWIGLU,
    TTT_KERNEL_LINEAR, /* none */
} ttt_kernel;

/* The inner loss. */
typedef enum ttt_inner_loss {
    TTT_LOSS_DOT, /* -<f(k), v> */
    TTT_LOSS_MSE, /* 1/2 |f(k) - v|^2 */
} ttt_inner_loss;

/* Which way the inner loop goes along the gradient. */
typedef enum ttt_direction {
    TTT_DESCENT,
    TTT_ASCENT,
} ttt_direction;

/* What the moved fast weights are read with. */
typedef enum ttt_query {
    TTT_QUERY_Q,
    TTT_QUERY_K,
} ttt_query;

typedef struct ttt_variant {
    ttt_update update;
    ttt_kernel kernel;
    ttt_inner_loss loss;
    ttt_direction direction;
    ttt_query query;
    bool weight_norm;        /* LaCT: restore every fast-weight column to its initial L2 norm */
    bool token_lr;           /* LaCT: a learned rate per token and head; off: 1 */
    bool momentum;           /* LaCT on chunks: heavy-ball momentum over the chunk gradients */
    bool condition_gradient; /* LaCT: Newton-Schulz; ViTTT: divide each gradient column by (its norm + 1) */
    int inner_steps;         /* steps on the same tokens, at least 1 */
} ttt_variant;

/* The setting called `name`: "baseline", "variant1" ... "variant6", "gradient_ascent",
 * "replace_q_with_k", "mse".  Fails with TTT_ARGUMENT and the list of names. */
ttt_status ttt_variant_named(const char *name, ttt_variant *variant);

/* The i-th name and what it stands for, in the paper's order; NULL past the end. */
const char *ttt_variant_name(int i);
const char *ttt_variant_meaning(int i);

#endif
