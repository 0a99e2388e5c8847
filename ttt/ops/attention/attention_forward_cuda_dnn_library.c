/* "attention" on CUDA by cuDNN's own operation for it, in bf16.  It takes part from cuDNN 9.13.1 on. */
#include "ttt/ops/attention/attention_cuda_dnn.h"

#ifdef TTT_HAVE_CUDNN
#if CUDNN_VERSION >= 91301

#include <math.h>

enum { Q, K, V, Y, LOG_SUM, SCALE, TENSORS };

static cudnnBackendDescriptor_t make_graph(struct ttt_dnn_plan *p, const ttt_launch *launch)
{
    cudnnBackendDescriptor_t tensor[TENSORS];
    for (int i = Q; i <= V; i++)
        tensor[i] = ttt_dnn_make_tensor(p, i, ttt_dnn_heads(&launch->in[i], false));
    tensor[Y] = ttt_dnn_make_tensor(p, Y, ttt_dnn_heads(&launch->out[0], true));
    tensor[LOG_SUM] = ttt_dnn_make_tensor(p, LOG_SUM, ttt_dnn_statistic(launch));
    tensor[SCALE] = ttt_dnn_make_tensor(p, SCALE, ttt_dnn_number());

    cudnnBackendDescriptor_t attention = ttt_dnn_make(p, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);
    ttt_dnn_refer(p, attention, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, tensor[Q]);
    ttt_dnn_refer(p, attention, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, tensor[K]);
    ttt_dnn_refer(p, attention, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, tensor[V]);
    ttt_dnn_refer(p, attention, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, tensor[Y]);
    ttt_dnn_refer(p, attention, CUDNN_ATTR_OPERATION_SDPA_FWD_STATSDESC, tensor[LOG_SUM]);
    ttt_dnn_refer(p, attention, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, tensor[SCALE]);
    ttt_dnn_finalize(p, attention);
    return ttt_dnn_make_graph(p, &attention, 1);
}

/* Engines for the forward pass need no memory that grows with the problem. */
static const struct ttt_dnn_request request = {
    .make_graph = make_graph,
    .most_workspace = 16 << 20,
    .others = {&ttt_attention_cuda_mma, &ttt_attention_cuda},
};

static bool supports(const ttt_launch *launch, const char **why)
{
    return ttt_dnn_supports(launch, &request, why);
}

/* The plan's, then log_sum where nobody reads it: the library writes it anyway. */
static size_t workspace(const ttt_launch *launch)
{
    return ttt_dnn_workspace(launch, &request) +
           (size_t)ttt_operand_elements(&launch->out[1]) * sizeof(float);
}

static ttt_status run(const ttt_launch *launch)
{
    float scale = 1 / sqrtf((float)launch->in[Q].shape.size[3]);
    char *unread = (char *)launch->workspace + ttt_dnn_workspace(launch, &request);
    void *pointers[TENSORS] = {launch->in[Q].data,  launch->in[K].data,  launch->in[V].data,
                               launch->out[0].data, launch->out[1].data, &scale};
    if (!pointers[LOG_SUM])
        pointers[LOG_SUM] = unread;
    return ttt_dnn_run(launch, &request, pointers, TENSORS);
}

#else

static bool supports(const ttt_launch *launch, const char **why)
{
    (void)launch;
    *why = "this build's cuDNN is older than 9.13.1";
    return false;
}

#endif

const ttt_implementation ttt_attention_cudnn = {
    .name = "cudnn",
    .device = TTT_CUDA,
    .supports = supports,
#if CUDNN_VERSION >= 91301
    .workspace = workspace,
    .run = run,
#endif
};

#endif
