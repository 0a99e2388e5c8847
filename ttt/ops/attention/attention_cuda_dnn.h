/* Plans of cuDNN, as attention's rows ask for them: made of a graph of its operations, kept with the device,
 * run.
 *
 * Functions that make a plan do nothing once one of them has failed.
 */
#ifndef TTT_OPS_ATTENTION_ATTENTION_CUDA_DNN_H
#define TTT_OPS_ATTENTION_ATTENTION_CUDA_DNN_H

#include "ttt/ops/attention/attention_operator.h"

#ifdef TTT_HAVE_CUDNN
#include <cudnn.h>

struct ttt_dnn_plan;

/* What a row asks for.  Of the two others, of our own, the first that takes a launch runs it where a plan
 * cannot. */
struct ttt_dnn_request {
    cudnnBackendDescriptor_t (*make_graph)(struct ttt_dnn_plan *p, const ttt_launch *launch);
    int64_t most_workspace; /* bytes; plans that need more are passed over */
    const ttt_implementation *others[2];
};

/* Making a graph: descriptors, their attributes, tensors, and the graph of some operations. */
cudnnBackendDescriptor_t ttt_dnn_make(struct ttt_dnn_plan *p, cudnnBackendDescriptorType_t type);
void ttt_dnn_set(struct ttt_dnn_plan *p, cudnnBackendDescriptor_t of, cudnnBackendAttributeName_t name,
                 cudnnBackendAttributeType_t type, int64_t count, const void *values);
void ttt_dnn_refer(struct ttt_dnn_plan *p, cudnnBackendDescriptor_t of, cudnnBackendAttributeName_t name,
                   cudnnBackendDescriptor_t to);
void ttt_dnn_finalize(struct ttt_dnn_plan *p, cudnnBackendDescriptor_t made);
cudnnBackendDescriptor_t ttt_dnn_make_graph(struct ttt_dnn_plan *p,
                                            const cudnnBackendDescriptor_t *operations, int count);

enum ttt_dnn_place { TTT_DNN_MEMORY, TTT_DNN_BY_VALUE, TTT_DNN_VIRTUAL };
struct ttt_dnn_tensor {
    enum ttt_dnn_place place;
    cudnnDataType_t type;
    int64_t size[4], stride[4]; /* elements */
};

/* The names of tensors in memory and of values are 0, 1, ...: their order in ttt_dnn_run.  Virtual ones name
 * themselves. */
cudnnBackendDescriptor_t ttt_dnn_make_tensor(struct ttt_dnn_plan *p, int name, struct ttt_dnn_tensor x);

/* Heads in bf16, as (B, H, rows, d); `joined`: the dimensions of x are (B, rows, H, d). */
struct ttt_dnn_tensor ttt_dnn_heads(const ttt_operand *x, bool joined);

/* A statistic of each query, (B, H, M, 1) f32, without gaps. */
struct ttt_dnn_tensor ttt_dnn_statistic(const ttt_launch *launch);

/* A number in the host's memory. */
struct ttt_dnn_tensor ttt_dnn_number(void);

/* Whether there is a plan for a launch whose heads are its operands of four dimensions.  Making one takes
 * most of a second; all nodes alike share it. */
bool ttt_dnn_supports(const ttt_launch *launch, const struct ttt_dnn_request *request, const char **why);

/* The bytes that the plan needs, rounded up for others to follow. */
size_t ttt_dnn_workspace(const ttt_launch *launch, const struct ttt_dnn_request *request);

/* Runs the plan, or, where nobody reads some of the heads or an operand begins between two multiples of 16
 * bytes, which planning cannot see, a row of our own. */
ttt_status ttt_dnn_run(const ttt_launch *launch, const struct ttt_dnn_request *request, void *const *pointers,
                       int count);

#endif
#endif
