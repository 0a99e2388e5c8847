/* Plans of cuDNN: descriptors, the choice of an engine, keeping, running. */
#include "ttt/ops/attention/attention_cuda_dnn.h"

#ifdef TTT_HAVE_CUDNN
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ttt/device/cuda.h"

enum { MOST_DESCRIPTORS = 128, MOST_ENGINES = 8, MOST_OPERANDS = 9, ALIGNMENT = 16 };

/* A plan being made, or made: with all it refers to. */
struct ttt_dnn_plan {
    cudnnHandle_t dnn;
    cudnnStatus_t status; /* the first failure */
    cudnnBackendDescriptor_t made[MOST_DESCRIPTORS];
    int n_made;
    cudnnBackendDescriptor_t plan;
    int64_t workspace; /* bytes */
};

/* ---- descriptors ---- */

cudnnBackendDescriptor_t ttt_dnn_make(struct ttt_dnn_plan *p, cudnnBackendDescriptorType_t type)
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

void ttt_dnn_set(struct ttt_dnn_plan *p, cudnnBackendDescriptor_t of, cudnnBackendAttributeName_t name,
                 cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    if (p->status == CUDNN_STATUS_SUCCESS)
        p->status = cudnnBackendSetAttribute(of, name, type, count, values);
}

void ttt_dnn_refer(struct ttt_dnn_plan *p, cudnnBackendDescriptor_t of, cudnnBackendAttributeName_t name,
                   cudnnBackendDescriptor_t to)
{
    ttt_dnn_set(p, of, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &to);
}

void ttt_dnn_finalize(struct ttt_dnn_plan *p, cudnnBackendDescriptor_t made)
{
    if (p->status == CUDNN_STATUS_SUCCESS)
        p->status = cudnnBackendFinalize(made);
}

cudnnBackendDescriptor_t ttt_dnn_make_graph(struct ttt_dnn_plan *p,
                                            const cudnnBackendDescriptor_t *operations, int count)
{
    cudnnBackendDescriptor_t graph = ttt_dnn_make(p, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    ttt_dnn_set(p, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, operations);
    ttt_dnn_set(p, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &p->dnn);
    ttt_dnn_finalize(p, graph);
    return graph;
}

/* The library's own name for a tensor: from 1 on, those of virtual ones beyond all others. */
static int64_t library_name(int name)
{
    return name + 1;
}

cudnnBackendDescriptor_t ttt_dnn_make_tensor(struct ttt_dnn_plan *p, int name, struct ttt_dnn_tensor x)
{
    const bool yes = true;
    const int64_t alignment = ALIGNMENT;
    const int64_t id = library_name(x.place == TTT_DNN_VIRTUAL ? MOST_DESCRIPTORS + p->n_made : name);
    cudnnBackendDescriptor_t made = ttt_dnn_make(p, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    ttt_dnn_set(p, made, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
    ttt_dnn_set(p, made, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &x.type);
    ttt_dnn_set(p, made, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, x.size);
    ttt_dnn_set(p, made, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, x.stride);
    ttt_dnn_set(p, made, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    if (x.place == TTT_DNN_BY_VALUE)
        ttt_dnn_set(p, made, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &yes);
    if (x.place == TTT_DNN_VIRTUAL)
        ttt_dnn_set(p, made, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &yes);
    ttt_dnn_finalize(p, made);
    return made;
}

struct ttt_dnn_tensor ttt_dnn_heads(const ttt_operand *x, bool joined)
{
    const int head = joined ? 2 : 1, row = joined ? 1 : 2;
    return (struct ttt_dnn_tensor){
        .type = CUDNN_DATA_BFLOAT16,
        .size = {x->shape.size[0], x->shape.size[head], x->shape.size[row], x->shape.size[3]},
        .stride = {x->stride[0], x->stride[head], x->stride[row], 1}};
}

struct ttt_dnn_tensor ttt_dnn_statistic(const ttt_launch *launch)
{
    const int64_t *q = launch->in[0].shape.size;
    return (struct ttt_dnn_tensor){
        .type = CUDNN_DATA_FLOAT, .size = {q[0], q[1], q[2], 1}, .stride = {q[1] * q[2], q[2], 1, 1}};
}

struct ttt_dnn_tensor ttt_dnn_number(void)
{
    return (struct ttt_dnn_tensor){TTT_DNN_BY_VALUE, CUDNN_DATA_FLOAT, {1, 1, 1, 1}, {1, 1, 1, 1}};
}

/* ---- the choice of an engine ---- */

static bool is_deterministic(struct ttt_dnn_plan *p, cudnnBackendDescriptor_t configuration)
{
    cudnnBackendNumericalNote_t note[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    cudnnBackendDescriptor_t engine = ttt_dnn_make(p, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
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
static bool try_engine(struct ttt_dnn_plan *p, cudnnBackendDescriptor_t configuration, int64_t most_workspace)
{
    cudnnBackendDescriptor_t plan = ttt_dnn_make(p, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    int64_t count = 0;
    if (p->status != CUDNN_STATUS_SUCCESS || !is_deterministic(p, configuration))
        return false;
    ttt_dnn_set(p, plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1, &p->dnn);
    ttt_dnn_refer(p, plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configuration);
    ttt_dnn_finalize(p, plan);
    const bool made =
        p->status == CUDNN_STATUS_SUCCESS &&
        cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &count,
                                 &p->workspace) == CUDNN_STATUS_SUCCESS &&
        p->workspace <= most_workspace;
    p->status = CUDNN_STATUS_SUCCESS;
    p->plan = made ? plan : NULL;
    return made;
}

/* The first of the library's proposals, best first, that works. */
static void choose_engine(struct ttt_dnn_plan *p, cudnnBackendDescriptor_t graph, int64_t most_workspace)
{
    const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
    cudnnBackendDescriptor_t configuration[MOST_ENGINES];
    int64_t count = 0;
    cudnnBackendDescriptor_t heuristic = ttt_dnn_make(p, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    ttt_dnn_refer(p, heuristic, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
    ttt_dnn_set(p, heuristic, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
    ttt_dnn_finalize(p, heuristic);
    for (int i = 0; i < MOST_ENGINES; i++)
        configuration[i] = ttt_dnn_make(p, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    if (p->status == CUDNN_STATUS_SUCCESS)
        p->status =
            cudnnBackendGetAttribute(heuristic, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                     MOST_ENGINES, &count, configuration);
    for (int64_t i = 0; i < count && i < MOST_ENGINES && p->status == CUDNN_STATUS_SUCCESS; i++)
        if (try_engine(p, configuration[i], most_workspace))
            return;
    if (p->status == CUDNN_STATUS_SUCCESS)
        p->status = CUDNN_STATUS_NOT_SUPPORTED;
}

/* ---- keeping ---- */

static void release(void *made)
{
    struct ttt_dnn_plan *p = made;
    for (int i = p->n_made; i > 0; i--)
        cudnnBackendDestroyDescriptor(p->made[i - 1]);
    free(p);
}

/* What a plan depends on: who asks, and the operands' sizes and strides. */
struct problem {
    const struct ttt_dnn_request *request;
    int64_t size[MOST_OPERANDS][4], stride[MOST_OPERANDS][4];
};

static int count_operands(const ttt_launch *launch)
{
    assert(launch->n_in + launch->n_out <= MOST_OPERANDS);
    return launch->n_in + launch->n_out;
}

static const ttt_operand *operand(const ttt_launch *launch, int i)
{
    return i < launch->n_in ? &launch->in[i] : &launch->out[i - launch->n_in];
}

static struct problem problem_of(const ttt_launch *launch, const struct ttt_dnn_request *request)
{
    struct problem problem = {.request = request};
    for (int i = 0; i < count_operands(launch); i++) {
        const ttt_operand *x = operand(launch, i);
        memcpy(problem.size[i], x->shape.size, (size_t)x->shape.rank * sizeof(int64_t));
        memcpy(problem.stride[i], x->stride, (size_t)x->shape.rank * sizeof(int64_t));
    }
    return problem;
}

/* NULL: none was asked for yet. */
static const struct ttt_dnn_plan *kept_plan(const ttt_launch *launch, const struct ttt_dnn_request *request)
{
    const struct problem problem = problem_of(launch, request);
    return ttt_cuda_find(launch->device, &problem, sizeof problem);
}

/* Where the library has no plan, the reason is in the status of what is found. */
static ttt_status find_plan(const ttt_launch *launch, const struct ttt_dnn_request *request,
                            const struct ttt_dnn_plan **found)
{
    *found = kept_plan(launch, request);
    if (*found)
        return TTT_OK;
    ttt_status status;
    cudnnHandle_t dnn = ttt_cuda_dnn(launch->device, &status);
    TRY(status);
    struct ttt_dnn_plan *p = calloc(1, sizeof *p);
    if (!p)
        return ttt_fail(TTT_MEMORY, "no memory for a plan of cuDNN");
    p->dnn = dnn;
    choose_engine(p, request->make_graph(p, launch), request->most_workspace);
    const struct problem problem = problem_of(launch, request);
    TRY(ttt_cuda_keep(launch->device, &problem, sizeof problem, p, release));
    *found = p;
    return TTT_OK;
}

/* ---- the row's functions ---- */

static bool is_heads(const ttt_operand *x)
{
    return x->shape.rank == 4;
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

bool ttt_dnn_supports(const ttt_launch *launch, const struct ttt_dnn_request *request, const char **why)
{
    for (int i = 0; i < count_operands(launch); i++) {
        const ttt_operand *x = operand(launch, i);
        if (is_heads(x) && (x->dtype != TTT_BF16 || !keeps_alignment(x))) {
            *why = "heads must be bf16, in rows that begin on 16 bytes";
            return false;
        }
    }
    const struct ttt_dnn_plan *plan;
    ttt_status status = find_plan(launch, request, &plan);
    const bool found = !status && plan->status == CUDNN_STATUS_SUCCESS;
    *why = status ? "cuDNN cannot be used" : "cuDNN has no plan for it";
    ttt_status_free(status);
    return found;
}

size_t ttt_dnn_workspace(const ttt_launch *launch, const struct ttt_dnn_request *request)
{
    enum { ROUND = 256 };
    const struct ttt_dnn_plan *p = kept_plan(launch, request);
    assert(p);
    return ((size_t)p->workspace + ROUND - 1) / ROUND * ROUND;
}

/* Whether heads are all there, and everything begins on ALIGNMENT bytes. */
static bool operands_fit(const ttt_launch *launch)
{
    bool fit = true;
    for (int i = 0; i < count_operands(launch); i++) {
        const ttt_operand *x = operand(launch, i);
        fit &= (x->data || !is_heads(x)) && (uintptr_t)x->data % ALIGNMENT == 0;
    }
    return fit;
}

static ttt_status execute(const struct ttt_dnn_plan *p, void *const *pointers, int count, void *scratch)
{
    struct ttt_dnn_plan pack = {.dnn = p->dnn};
    int64_t names[MOST_DESCRIPTORS];
    for (int i = 0; i < count; i++)
        names[i] = library_name(i);
    cudnnBackendDescriptor_t variant = ttt_dnn_make(&pack, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    ttt_dnn_set(&pack, variant, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count, pointers);
    ttt_dnn_set(&pack, variant, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count, names);
    ttt_dnn_set(&pack, variant, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, &scratch);
    ttt_dnn_finalize(&pack, variant);
    if (pack.status == CUDNN_STATUS_SUCCESS)
        pack.status = cudnnBackendExecute(p->dnn, p->plan, variant);
    if (pack.n_made)
        cudnnBackendDestroyDescriptor(variant);
    return pack.status == CUDNN_STATUS_SUCCESS
               ? TTT_OK
               : ttt_fail(TTT_DEVICE, "cuDNN failed at attention: %s", cudnnGetErrorString(pack.status));
}

ttt_status ttt_dnn_run(const ttt_launch *launch, const struct ttt_dnn_request *request, void *const *pointers,
                       int count)
{
    const char *why;
    if (!operands_fit(launch))
        return request->others[request->others[0]->supports(launch, &why) ? 0 : 1]->run(launch);
    const struct ttt_dnn_plan *p = kept_plan(launch, request);
    assert(p && p->plan);
    return execute(p, pointers, count, launch->workspace);
}

#endif
