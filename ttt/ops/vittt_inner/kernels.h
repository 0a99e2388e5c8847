/* The launches that the rows of vittt_inner are made of. */
#ifndef TTT_OPS_VITTT_INNER_KERNELS_H
#define TTT_OPS_VITTT_INNER_KERNELS_H

#include "ttt/ops/vittt_inner/vittt_inner_operator.h"

/* Into how many parts the batch is split: each is summed in order by one block. */
int vittt_inner_parts(const ttt_launch *launch);

/* Bytes of shared memory that a block of the gated branch, the larger of both, takes for heads of d channels
 * over so many tokens. */
size_t vittt_inner_forward_shared(int64_t d, int64_t tokens);
size_t vittt_inner_backward_shared(int64_t d, int64_t tokens);

/* The gated branch: y's first C columns; dqkv's first 3C columns, and sums of the gradients of w1 and w2 for
 * each part of the batch, (parts, 2, H, d, d). */
ttt_status vittt_inner_glu(const ttt_launch *launch);
ttt_status vittt_inner_glu_backward(const ttt_launch *launch, float *partials);

/* The convolution branch: y's last d columns; dqkv's last 3d columns, and the gradient of w3 for each sample,
 * (B, d, 9). */
ttt_status vittt_inner_convolution(const ttt_launch *launch);
ttt_status vittt_inner_convolution_backward(const ttt_launch *launch, float *partials);

#endif
