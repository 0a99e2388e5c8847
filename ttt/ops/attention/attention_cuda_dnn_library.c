/* "attention" on CUDA by cuDNN's own operation for it, in bf16.  It takes part from cuDNN 9.13.1 on, where an
 * engine is found that is deterministic and needs little memory.
 *
 * Its operation for the gradient has engines for Blackwell alone (9.19): the gradient is ours.
 */
#include <cudnn.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ttt/device/cuda.h"
#include "ttt/ops/attention/attention_operator.h"

#if CUDNN_VERSION >= 91301

enum { Q, K, V, Y, LOG_SUM, SCALE, TENSORS };

/* A plan may use MOST_WORKSPACE bytes. */
enum { MOST_WORKSPACE = 16 << 20, MOST_DESCRIPTORS = 48, MOST_ENGINES = 8, ALIGNMENT = 16 };

/* A plan being made, or made: with all it refers to. */
struct library_plan {
    cudnnHandle_t dnn;
    cudnnStatus_t status; /* the first failure */
    cudnnBackendDescriptor_t made[MOST_DESCRIPTORS];
    int n_made;
    cudnnBackendDescriptor_t plan;
};

static cudnnBackendDescriptor_t make(struct library_plan *p, cudnnBackendDescriptorType_t type)
{
    cudnnBackendDescriptor_t made = NULL;
    if (p->status == CUDNN_STATUS_SUCCESS && p->n_made == MOST_DESCRIPTORS)
        p->status = CUDNN_STATUS_NOT_SUPPORTED;
    if (p->status == CUDNN_STATUS_SUCCESS)
        p->status = cudnnBackendCreateDescriptor(type, &made);
    if (p->status == CUDNN_STATUS_SUCCESS)
        p->made[p->n_made++] = made;
    return made;
}

static void set(struct library_plan *p, cudnnBackendDescriptor_t of, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    if (p->status == CUDNN_STATUS_SUCCESS)
        p->status = cudnnBackendSetAttribute(of, name, type, count, values);
}

static void refer(struct library_plan *p, cudnnBackendDescriptor_t of, cudnnBackendAttributeName_t name,
                  cudnnBackendDescriptor_t to)
{
    set(p, of, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &to);
}

static void finalize(struct library_plan *p, cudnnBackendDescriptor_t made)
{
    if (p->status == CUDNN_STATUS_SUCCESS)
        p->status = cudnnBackendFinalize(made);
}

/* The library's names for the tensors. */
static const int64_t names[TENSORS] = {Q + 1, K + 1, V + 1, Y + 1, LOG_SUM + 1, SCALE + 1};

static cudnnBackendDescriptor_t make_tensor(struct library_plan *p, int tensor, cudnnDataType_t type,
                                            const int64_t size[4], const int64_t stride[4])
{
    const bool by_value = tensor == SCALE;
    const int64_t alignment = type == CUDNN_DATA_BFLOAT16 ? ALIGNMENT : (int64_t)sizeof(float);
    cudnnBackendDescriptor_t x = make(p, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set(p, x, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &names[tensor]);
    set(p, x, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(p, x, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, size);
    set(p, x, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, stride);
    set(p, x, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    if (by_value)
        set(p, x, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &by_value);
    finalize(p, x);
    return x;
}

/* q, k, v or y, as (B, H, rows, d); `joined`: its dimensions are (B, rows, H, d). */
static cudnnBackendDescriptor_t make_heads(struct library_plan *p, int tensor, const ttt_operand *x,
                                           bool joined)
{
    const int head = joined ? 2 : 1, row = joined ? 1 : 2;
    const int64_t size[] = {x->shape.size[0], x->shape.size[head], x->shape.size[row], x->shape.size[3]};
    const int64_t stride[] = {x->stride[0], x->stride[head], x->stride[row], 1};
    return make_tensor(p, tensor, CUDNN_DATA_BFLOAT16, size, stride);
}

static cudnnBackendDescriptor_t make_graph(struct library_plan *p, const ttt_launch *launch)
{
    const int64_t batch = launch->in[Q].shape.size[0], heads = launch->in[Q].shape.size[1],
                  queries = launch->in[Q].shape.size[2];
    const int64_t sums[] = {batch, heads, queries, 1}, sum_stride[] = {heads * queries, queries, 1, 1};
    const int64_t one[] = {1, 1, 1, 1};
    cudnnBackendDescriptor_t tensor[TENSORS];
    for (int i = Q; i <= V; i++)
        tensor[i] = make_heads(p, i, &launch->in[i], false);
    tensor[Y] = make_heads(p, Y, &launch->out[0], true);
    tensor[LOG_SUM] = make_tensor(p, LOG_SUM, CUDNN_DATA_FLOAT, sums, sum_stride);
    tensor[SCALE] = make_tensor(p, SCALE, CUDNN_DATA_FLOAT, one, one);

    cudnnBackendDescriptor_t attention = make(p, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);
    refer(p, attention, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, tensor[Q]);
    refer(p, attention, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, tensor[K]);
    refer(p, attention, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, tensor[V]);
    refer(p, attention, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, tensor[Y]);
    refer(p, attention, CUDNN_ATTR_OPERATION_SDPA_FWD_STATSDESC, tensor[LOG_SUM]);
    refer(p, attention, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, tensor[SCALE]);
    finalize(p, attention);

    cudnnBackendDescriptor_t graph = make(p, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    refer(p, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, attention);
    set(p, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &p->dnn);
    finalize(p, graph);
    return graph;
}

static bool is_deterministic(struct library_plan *p, cudnnBackendDescriptor_t configuration)
{
    cudnnBackendNumericalNote_t note[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    cudnnBackendDescriptor_t engine = make(p, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    int64_t count = 0;
    if (p->status != CUDNN_STATUS_SUCCESS ||
        cudnnBackendGetAttribute(configuration, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                                 &count, &engine) != CUDNN_STATUS_SUCCESS ||
        cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                 CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count, note) != CUDNN_STATUS_SUCCESS)
        return false;
    for (int64_t i = 0; i < count && i < CUDNN_NUMERICAL_NOTE_TYPE_COUNT; i++)
        if (note[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)
            return false;
    return true;
}

/* Makes p->plan of one engine's configuration; false when that does not work or takes too much memory. */
static bool try_engine(struct library_plan *p, cudnnBackendDescriptor_t configuration)
{
    cudnnBackendDescriptor_t plan = make(p, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    int64_t bytes = 0, count = 0;
    if (p->status != CUDNN_STATUS_SUCCESS || !is_deterministic(p, configuration))
        return false;
    set(p, plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &p->dnn);
    refer(p, plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
    finalize(p, plan);
    const bool made = p->status == CUDNN_STATUS_SUCCESS &&
                      cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                               CUDNN_TYPE_INT64, 1, &count, &bytes) == CUDNN_STATUS_SUCCESS &&
                      bytes <= MOST_WORKSPACE;
    p->status = CUDNN_STATUS_SUCCESS;
    p->plan = made ? plan : NULL;
    return made;
}

/* The first of the library's proposals, best first, that works. */
static void choose_engine(struct library_plan *p, cudnnBackendDescriptor_t graph)
{
    const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
    cudnnBackendDescriptor_t configuration[MOST_ENGINES];
    int64_t count = 0;
    cudnnBackendDescriptor_t heuristic = make(p, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    refer(p, heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    set(p, heuristic, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    finalize(p, heuristic);
    for (int i = 0; i < MOST_ENGINES; i++)
        configuration[i] = make(p, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    if (p->status == CUDNN_STATUS_SUCCESS)
        p->status =
            cudnnBackendGetAttribute(heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                     MOST_ENGINES, &count, configuration);
    for (int64_t i = 0; i < count && i < MOST_ENGINES && p->status == CUDNN_STATUS_SUCCESS; i++)
        if (try_engine(p, configuration[i]))
            return;
    if (p->status == CUDNN_STATUS_SUCCESS)
        p->status = CUDNN_STATUS_NOT_SUPPORTED;
}

static void release(void *made)
{
    struct library_plan *p = made;
    for (int i = p->n_made; i > 0; i--)
        cudnnBackendDestroyDescriptor(p->made[i - 1]);
    free(p);
}

/* What a plan depends on: q's, k's, v's and y's sizes and strides. */
struct problem {
    const ttt_implementation *row;
    int64_t size[4][4], stride[4][4];
};

static struct problem problem_of(const ttt_launch *launch)
{
    struct problem problem = {.row = &ttt_attention_cudnn};
    for (int i = Q; i <= Y; i++) {
        const ttt_operand *x = i == Y ? &launch->out[0] : &launch->in[i];
        memcpy(problem.size[i], x->shape.size, sizeof problem.size[i]);
        memcpy(problem.stride[i], x->stride, sizeof problem.stride[i]);
    }
    return problem;
}

/* The plan of all nodes alike; making one takes most of a second.  Where the library has none, the reason is
 * in its status. */
static ttt_status find_plan(const ttt_launch *launch, const struct library_plan **found)
{
    const struct problem problem = problem_of(launch);
    struct library_plan *p = ttt_cuda_find(launch->device, &problem, sizeof problem);
    *found = p;
    if (p)
        return TTT_OK;
    ttt_status status;
    cudnnHandle_t dnn = ttt_cuda_dnn(launch->device, &status);
    TRY(status);
    p = calloc(1, sizeof *p);
    if (!p)
        return ttt_fail(TTT_MEMORY, "no memory for a plan of cuDNN");
    p->dnn = dnn;
    choose_engine(p, make_graph(p, launch));
    TRY(ttt_cuda_keep(launch->device, &problem, sizeof problem, p, release));
    *found = p;
    return TTT_OK;
}

/* Whether all rows begin on ALIGNMENT bytes if the first does. */
static bool keeps_alignment(const ttt_operand *x)
{
    const int64_t each = ALIGNMENT / (int64_t)ttt_dtype_size(TTT_BF16);
    bool keeps = x->shape.size[3] % each == 0;
    for (int i = 0; i < 3; i++)
        keeps &= x->stride[i] % each == 0;
    return keeps;
}

static bool supports(const ttt_launch *launch, const char **why)
{
    const ttt_operand *operands[] = {&launch->in[Q], &launch->in[K], &launch->in[V], &launch->out[0]};
    for (int i = 0; i < 4; i++) {
        if (operands[i]->dtype != TTT_BF16 || !keeps_alignment(operands[i])) {
            *why = "q, k, v and y must be bf16, in rows that begin on 16 bytes";
            return false;
        }
    }
    const struct library_plan *plan;
    ttt_status status = find_plan(launch, &plan);
    const bool found = !status && plan->status == CUDNN_STATUS_SUCCESS;
    *why = status ? "cuDNN cannot be used" : "cuDNN has no plan for it";
    ttt_status_free(status);
    return found;
}

/* The plan's own, then log_sum where nobody reads it: the library writes it anyway. */
static size_t workspace(const ttt_launch *launch)
{
    return MOST_WORKSPACE + (size_t)ttt_operand_elements(&launch->out[1]) * sizeof(float);
}

static ttt_status execute(const struct library_plan *p, void *const pointer[TENSORS], void *scratch)
{
    struct library_plan pack = {.dnn = p->dnn};
    cudnnBackendDescriptor_t variant = make(&pack, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    set(&pack, variant, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, TENSORS, pointer);
    set(&pack, variant, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, TENSORS, names);
    set(&pack, variant, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &scratch);
    finalize(&pack, variant);
    if (pack.status == CUDNN_STATUS_SUCCESS)
        pack.status = cudnnBackendExecute(p->dnn, p->plan, variant);
    if (pack.n_made)
        cudnnBackendDestroyDescriptor(variant);
    return pack.status == CUDNN_STATUS_SUCCESS
               ? TTT_OK
               : ttt_fail(TTT_DEVICE, "cuDNN failed at attention: %s", cudnnGetErrorString(pack.status));
}

/* Views that begin between two multiples of ALIGNMENT, which planning cannot see, go to our own kernels. */
static ttt_status run(const ttt_launch *launch)
{
    float scale = 1 / sqrtf((float)launch->in[Q].shape.size[3]);
    char *unread = (char *)launch->workspace + MOST_WORKSPACE;
    void *pointer[TENSORS] = {launch->in[Q].data,  launch->in[K].data,  launch->in[V].data,
                              launch->out[0].data, launch->out[1].data, &scale};
    for (int i = Q; i <= Y; i++)
        if ((uintptr_t)pointer[i] % ALIGNMENT)
            return ttt_attention_cuda_mma.run(launch);
    if (!pointer[LOG_SUM])
        pointer[LOG_SUM] = unread;
    const struct library_plan *plan;
    TRY(find_plan(launch, &plan));
    return execute(plan, pointer, launch->workspace);
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
