/* Fast weights along a sequence of chunks: each chunk is read with the weights as they stand, then moves
 * them.
 *
 * The recurrent form goes chunk after chunk and serves every variant.  Where the feature map is fixed, the
 * inner loss is a dot product and no norm is restored, the moved weights are a plain sum
 *
 *     W_c = W_0 + sum over j < c of condition(sum over i <= j of beta_(i+1) ... beta_j G_i),
 *     G_i = sum over the tokens of chunk i of rate phi(k)^T v
 *
 * and the parallel form computes all chunks at once.  Both forms are differentiable and agree to rounding.
 */
#ifndef TTT_FAST_CHUNKS_H
#define TTT_FAST_CHUNKS_H

#include "ttt/fast/lact.h"

/* Why the variant has no parallel form: a text that names the switch; NULL when it has one. */
const char *ttt_chunks_obstacle(const ttt_variant *variant);

/* Reads and moves `fast` along the tokens.
 *
 * tokens    (B, H, L, d), as in lact.h
 * chunk     tokens a chunk, at least 1; the last of the C = ceil(L / chunk) chunks may be shorter
 * momentum  (B or 1, H or 1, C): the factor of every chunk, or TTT_NONE
 * fast      becomes the fast weights and the momentum after the last chunk, from which another sequence may
 * go on
 *
 * Returns (B, H, L, d).  Fails with TTT_SHAPE or TTT_ARGUMENT for arguments that do not fit; the parallel
 * form with TTT_UNSUPPORTED, naming the switch, for a variant that has none.
 */
ttt_tensor ttt_chunks_recurrent(ttt_graph *g, const ttt_lact_options *options, ttt_lact_fast *fast,
                                const ttt_lact_tokens *tokens, int64_t chunk, ttt_tensor momentum);
ttt_tensor ttt_chunks_parallel(ttt_graph *g, const ttt_lact_options *options, ttt_lact_fast *fast,
                               const ttt_lact_tokens *tokens, int64_t chunk, ttt_tensor momentum);

/* The lower triangular matrix of products y[c, j] = beta[j+1] ... beta[c] for j <= c (1 on the diagonal), 0
 * above it, by doubling: log2(C) levels, no division, differentiable where factors are 0.
 *
 * beta  (B, H, C).  Returns (B, H, C, C). */
ttt_tensor ttt_chunks_decay(ttt_graph *g, ttt_tensor beta);

#endif
