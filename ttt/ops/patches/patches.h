/* Pictures to patches and back. */
#ifndef TTT_OPS_PATCHES_PATCHES_H
#define TTT_OPS_PATCHES_PATCHES_H

#include "ttt/graph/graph.h"

typedef enum ttt_patch_order {
    TTT_PATCH_CHANNEL_FIRST, /* inside a patch: channel, row, column, as a convolution's weight has it */
    TTT_PATCH_CHANNEL_LAST,  /* row, column, channel */
} ttt_patch_order;

/* Cuts pictures into square patches of side p.
 *
 * images  (B, C, H, W)  f32, contiguous; H and W multiples of p
 * Returns (B, H/p, W/p, C*p*p), contiguous.  Fails with TTT_SHAPE, naming the sizes that do not divide.
 */
ttt_tensor ttt_patches(ttt_graph *g, ttt_tensor images, int p, ttt_patch_order order);

/* The inverse: (B, H/p, W/p, C*p*p) to (B, C, H, W). */
ttt_tensor ttt_unpatches(ttt_graph *g, ttt_tensor patches, int p, ttt_patch_order order);

#endif
