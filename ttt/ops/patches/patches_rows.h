/* The two operators of patches.h, their attributes and their rows. */
#ifndef TTT_OPS_PATCHES_PATCHES_ROWS_H
#define TTT_OPS_PATCHES_PATCHES_ROWS_H

#include "ttt/graph/operator.h"
#include "ttt/ops/patches/patches.h"

/* patches: (B, C, H, W) to (B, H/p, W/p, C*p*p); unpatches: back.  All contiguous. */
struct ttt_patches_attributes {
    int64_t p;
    ttt_patch_order order;
};

extern const ttt_operator ttt_op_patches;
extern const ttt_operator ttt_op_unpatches;

extern const ttt_implementation ttt_patches_cpu;
extern const ttt_implementation ttt_unpatches_cpu;
extern const ttt_implementation ttt_patches_cuda;
extern const ttt_implementation ttt_unpatches_cuda;

#endif
