/* Pointwise programs as the source of CUDA kernels. */
#ifndef TTT_OPS_POINTWISE_SOURCE_H
#define TTT_OPS_POINTWISE_SOURCE_H

#include "ttt/ops/pointwise/program.h"

/* How a program is spread over threads: each takes `unroll` groups of `width` consecutive elements. */
struct pointwise_kernel {
    int width;        /* 1, 2, 4, 8: divides the innermost dimension, and what operands step by around it */
    int unroll;       /* so many that enough bytes are under way */
    bool wide;        /* offsets need 64 bits */
    bool approximate; /* all results become bf16: CUDA's fast division and square root will do */
    int64_t groups;
    bool vector[POINTWISE_MOST_INPUTS]; /* read by groups: data must be aligned to min(16, group) bytes */
};

enum { POINTWISE_THREADS = 256 };

/* What kernels take, ahead of the number of groups (uint64_t). */
struct pointwise_operands {
    const void *in[POINTWISE_MOST_INPUTS];
    void *out[POINTWISE_MOST_OUTPUTS]; /* NULL: not wanted */
};

struct pointwise_kernel pointwise_kernel_of(const ttt_launch *launch);

/* The source of `pointwise(struct pointwise_operands, uint64_t groups)`, for the caller to free; NULL when
 * memory is out.  It needs no headers, and names no sizes unless operands are strided. */
char *pointwise_source(const ttt_launch *launch, const struct pointwise_kernel *kernel);

#endif
