/* The launches that the rows of vittt_inner are made of. */
#ifndef TTT_OPS_VITTT_INNER_KERNELS_H
#define TTT_OPS_VITTT_INNER_KERNELS_H

#include "ttt/ops/vittt_inner/vittt_inner_operator.h"

/* Sums of weight gradients, f32: one after another for each part of the batch. */
struct vittt_inner_partials {
    float *glu;         /* (parts, 2, H, d, d): of w1 and w2 */
    float *convolution; /* (B, d, 9): of w3 */
};

/* Into how many parts the batch is split: each is summed in order by one block. */
int vittt_inner_parts(const ttt_launch *launch);

/* Bytes of shared memory that a block of the larger kernel takes. */
size_t vittt_inner_forward_shared(const ttt_launch *launch);
size_t vittt_inner_backward_shared(const ttt_launch *launch);

/* The gated branch: y's first C columns; dqkv's first 3C columns and the partial sums. */
ttt_status vittt_inner_glu(const ttt_launch *launch);
ttt_status vittt_inner_glu_backward(const ttt_launch *launch, float *partials);

/* The convolution branch: y's last d columns; dqkv's last 3d columns and the partial sums. */
ttt_status vittt_inner_convolution(const ttt_launch *launch);
ttt_status vittt_inner_convolution_backward(const ttt_launch *launch, float *partials);

#endif
