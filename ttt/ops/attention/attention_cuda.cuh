/* What the rows of attention on CUDA share: where heads lie in memory. */
#ifndef TTT_OPS_ATTENTION_ATTENTION_CUDA_CUH
#define TTT_OPS_ATTENTION_ATTENTION_CUDA_CUH

#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/attention/attention_operator.h"
}

/* A tensor (B, H, rows, d), by its strides in elements; rows are of unit stride.  data is NULL for an output
 * that nobody reads. */
struct attention_heads {
    void *data;
    bool is_bf16;
    int64_t sample, head, row;
};

/* `joined` tensors have dimensions (B, rows, H, d). */
static inline attention_heads attention_heads_of(const ttt_operand *x, bool joined)
{
    return {x->data, x->dtype == TTT_BF16, x->stride[0], x->stride[joined ? 2 : 1],
            x->stride[joined ? 1 : 2]};
}

/* Elements from x's first to row `first` of head i of all B * H, fewer than 2^31 as there are blocks for
 * them. */
__device__ inline int64_t attention_row(const attention_heads &x, int64_t heads, int64_t i, int64_t first)
{
    const unsigned sample = (unsigned)i / (unsigned)heads, head = (unsigned)i % (unsigned)heads;
    return sample * x.sample + head * x.head + first * x.row;
}

/* The sizes that both directions work with. */
struct attention_sizes {
    int64_t batch_heads; /* B * H */
    int64_t heads, queries, keys;
    int d;
    float scale; /* of q . k */
};

static inline attention_sizes attention_sizes_of(const ttt_launch *launch)
{
    const ttt_shape q = launch->in[0].shape, k = launch->in[1].shape;
    const int d = (int)q.size[3];
    return {q.size[0] * q.size[1], q.size[1], q.size[2], k.size[2], d, 1 / sqrtf((float)d)};
}

/* The inputs of "attention_backward"; the first three are those of "attention". */
enum { ATTENTION_Q, ATTENTION_K, ATTENTION_V, ATTENTION_Y, ATTENTION_LOG_SUM, ATTENTION_DY };

/* What the kernels of the backward pass read.  The first of them leaves sum over d of (dy y) in `shared`. */
struct attention_sources {
    attention_heads q, k, v, y, dy;
    const float *log_sum; /* (B, H, M) */
    float *shared;        /* (B, H, M), the workspace */
    attention_sizes n;
};

static inline attention_sources attention_sources_of(const ttt_launch *launch)
{
    const ttt_operand *in = launch->in;
    return {
        attention_heads_of(&in[ATTENTION_Q], false), attention_heads_of(&in[ATTENTION_K], false),
        attention_heads_of(&in[ATTENTION_V], false), attention_heads_of(&in[ATTENTION_Y], true),
        attention_heads_of(&in[ATTENTION_DY], true), static_cast<const float *>(in[ATTENTION_LOG_SUM].data),
        static_cast<float *>(launch->workspace),     attention_sizes_of(launch),
    };
}

static inline size_t attention_backward_workspace(const ttt_launch *launch)
{
    return (size_t)ttt_operand_elements(&launch->in[ATTENTION_LOG_SUM]) * sizeof(float);
}

#endif
