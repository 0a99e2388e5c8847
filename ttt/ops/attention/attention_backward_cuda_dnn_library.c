/* "attention_backward" on CUDA by cuDNN, in bf16, on Hopper.
 *
 * The library's operation for it has engines for Blackwell alone (9.19).  For Hopper it knows the gradient as
 * a graph of products, sums and functions of elements, by its form: that of cudnn-frontend
 * (node/scaled_dot_product_flash_attention.h), here its deterministic one.  dS goes through the workspace in
 * bf16, B H M L elements, M and L rounded up to tiles, and dq is a product of its own, so every sum has one
 * owner.  In the other form blocks add to dq in memory, in any order: past 256 keys bits change from run to
 * run, though the engine's notes do not say so.
 *
 * Read: q, k, v, dy, y, log_sum, then dS and k; written: the row sums of dy y, dS, dq, dk, dv.
 */
#include "ttt/ops/attention/attention_cuda_dnn.h"

#ifdef TTT_HAVE_CUDNN
#include <assert.h>
#include <math.h>

#include "ttt/device/cuda.h"

/* Inputs, outputs, and what is neither: row sums of dy y, numbers. */
enum { Q, K, V, Y, LOG_SUM, DY, DQ, DK, DV, SUM, SCALE, ONE, TENSORS };

enum { MOST_OPERATIONS = 17 };

struct graph {
    struct ttt_dnn_plan *p;
    const ttt_launch *launch;
    cudnnBackendDescriptor_t operations[MOST_OPERATIONS];
    int count;
};

static void add(struct graph *g, cudnnBackendDescriptor_t operation)
{
    assert(g->count < MOST_OPERATIONS);
    ttt_dnn_finalize(g->p, operation);
    g->operations[g->count++] = operation;
}

/* ---- operations: each returns the tensor that it writes, its last argument ---- */

/* How an operation computes: in f32. */
static cudnnBackendDescriptor_t computation(struct graph *g, cudnnBackendDescriptorType_t kind,
                                            cudnnBackendAttributeName_t precision)
{
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t made = ttt_dnn_make(g->p, kind);
    ttt_dnn_set(g->p, made, precision, CUDNN_TYPE_DATA_TYPE, 1, &type);
    return made;
}

static cudnnBackendDescriptor_t product(struct graph *g, cudnnBackendDescriptor_t a,
                                        cudnnBackendDescriptor_t b, cudnnBackendDescriptor_t y)
{
    cudnnBackendDescriptor_t f32 =
        computation(g, CUDNN_BACKEND_MATMUL_DESCRIPTOR, CUDNN_ATTR_MATMUL_COMP_TYPE);
    ttt_dnn_finalize(g->p, f32);
    cudnnBackendDescriptor_t operation = ttt_dnn_make(g->p, CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR);
    ttt_dnn_refer(g->p, operation, CUDNN_ATTR_OPERATION_MATMUL_ADESC, a);
    ttt_dnn_refer(g->p, operation, CUDNN_ATTR_OPERATION_MATMUL_BDESC, b);
    ttt_dnn_refer(g->p, operation, CUDNN_ATTR_OPERATION_MATMUL_CDESC, y);
    ttt_dnn_refer(g->p, operation, CUDNN_ATTR_OPERATION_MATMUL_DESC, f32);
    add(g, operation);
    return y;
}

/* b is NULL for a function of x alone. */
static cudnnBackendDescriptor_t pointwise(struct graph *g, cudnnPointwiseMode_t mode,
                                          cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t b,
                                          cudnnBackendDescriptor_t y)
{
    cudnnBackendDescriptor_t function =
        computation(g, CUDNN_BACKEND_POINTWISE_DESCRIPTOR, CUDNN_ATTR_POINTWISE_MATH_PREC);
    ttt_dnn_set(g->p, function, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    ttt_dnn_finalize(g->p, function);
    cudnnBackendDescriptor_t operation = ttt_dnn_make(g->p, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    ttt_dnn_refer(g->p, operation, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, function);
    ttt_dnn_refer(g->p, operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x);
    if (b)
        ttt_dnn_refer(g->p, operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, b);
    ttt_dnn_refer(g->p, operation, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, y);
    add(g, operation);
    return y;
}

/* Sums over the dimensions in which y has one element. */
static cudnnBackendDescriptor_t sum(struct graph *g, cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t y)
{
    const cudnnReduceTensorOp_t addition = CUDNN_REDUCE_TENSOR_ADD;
    cudnnBackendDescriptor_t reduction =
        computation(g, CUDNN_BACKEND_REDUCTION_DESCRIPTOR, CUDNN_ATTR_REDUCTION_COMP_TYPE);
    ttt_dnn_set(g->p, reduction, CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1,
                &addition);
    ttt_dnn_finalize(g->p, reduction);
    cudnnBackendDescriptor_t operation = ttt_dnn_make(g->p, CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR);
    ttt_dnn_refer(g->p, operation, CUDNN_ATTR_OPERATION_REDUCTION_DESC, reduction);
    ttt_dnn_refer(g->p, operation, CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x);
    ttt_dnn_refer(g->p, operation, CUDNN_ATTR_OPERATION_REDUCTION_YDESC, y);
    add(g, operation);
    return y;
}

/* The same elements under other strides. */
static cudnnBackendDescriptor_t view(struct graph *g, cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t y)
{
    cudnnBackendDescriptor_t operation = ttt_dnn_make(g->p, CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR);
    ttt_dnn_refer(g->p, operation, CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x);
    ttt_dnn_refer(g->p, operation, CUDNN_ATTR_OPERATION_RESHAPE_YDESC, y);
    add(g, operation);
    return y;
}

/* ---- tensors ---- */

static struct ttt_dnn_tensor transposed(struct ttt_dnn_tensor x)
{
    const int64_t size = x.size[2], stride = x.stride[2];
    x.size[2] = x.size[3];
    x.stride[2] = x.stride[3];
    x.size[3] = size;
    x.stride[3] = stride;
    return x;
}

/* One that never reaches memory. */
static cudnnBackendDescriptor_t virtual_tensor(struct graph *g, cudnnDataType_t type,
                                               struct ttt_dnn_tensor like)
{
    like.type = type;
    like.place = TTT_DNN_VIRTUAL;
    return ttt_dnn_make_tensor(g->p, -1, like);
}

/* (B, H, M, L) */
static struct ttt_dnn_tensor scores_of(const ttt_launch *launch)
{
    const int64_t *q = launch->in[Q].shape.size, m = q[2], l = launch->in[K].shape.size[2];
    return (struct ttt_dnn_tensor){.size = {q[0], q[1], m, l}, .stride = {q[1] * m * l, m * l, l, 1}};
}

static cudnnBackendDescriptor_t scores(struct graph *g)
{
    return virtual_tensor(g, CUDNN_DATA_FLOAT, scores_of(g->launch));
}

/* Scores as (B, H, L, M), for a product of bf16. */
static cudnnBackendDescriptor_t across(struct graph *g, cudnnBackendDescriptor_t x)
{
    return view(g, x, virtual_tensor(g, CUDNN_DATA_BFLOAT16, transposed(scores_of(g->launch))));
}

/* The library's products have rows on the left and columns on the right: k and v come transposed. */
static void make_tensors(const struct graph *g, cudnnBackendDescriptor_t tensor[TENSORS])
{
    const ttt_operand *in = g->launch->in, *out = g->launch->out;
    tensor[Q] = ttt_dnn_make_tensor(g->p, Q, ttt_dnn_heads(&in[Q], false));
    tensor[K] = ttt_dnn_make_tensor(g->p, K, transposed(ttt_dnn_heads(&in[K], false)));
    tensor[V] = ttt_dnn_make_tensor(g->p, V, transposed(ttt_dnn_heads(&in[V], false)));
    tensor[Y] = ttt_dnn_make_tensor(g->p, Y, ttt_dnn_heads(&in[Y], true));
    tensor[DY] = ttt_dnn_make_tensor(g->p, DY, ttt_dnn_heads(&in[DY], true));
    for (int i = 0; i < 3; i++)
        tensor[DQ + i] = ttt_dnn_make_tensor(g->p, DQ + i, ttt_dnn_heads(&out[i], true));
    tensor[LOG_SUM] = ttt_dnn_make_tensor(g->p, LOG_SUM, ttt_dnn_statistic(g->launch));
    tensor[SUM] = ttt_dnn_make_tensor(g->p, SUM, ttt_dnn_statistic(g->launch));
    tensor[SCALE] = ttt_dnn_make_tensor(g->p, SCALE, ttt_dnn_number());
    tensor[ONE] = ttt_dnn_make_tensor(g->p, ONE, ttt_dnn_number());
}

/* ---- the graph ---- */

/* The row sums of dy y; the product with 1 stands where that with dropout's scale would, and belongs to the
 * form. */
static void add_sums(struct graph *g, const cudnnBackendDescriptor_t tensor[TENSORS])
{
    const int64_t *q = g->launch->in[Q].shape.size, h = q[1], m = q[2], d = q[3];
    const struct ttt_dnn_tensor products = {.size = {q[0], h, m, d}, .stride = {h * m * d, m * d, h * d, 1}};
    cudnnBackendDescriptor_t x = virtual_tensor(g, CUDNN_DATA_FLOAT, products);
    pointwise(g, CUDNN_POINTWISE_MUL, tensor[DY], tensor[Y], x);
    x = sum(g, x, virtual_tensor(g, CUDNN_DATA_FLOAT, ttt_dnn_statistic(g->launch)));
    pointwise(g, CUDNN_POINTWISE_MUL, x, tensor[ONE], tensor[SUM]);
}

/* attention.c has the formulas; here dS holds the scale. */
static cudnnBackendDescriptor_t make_graph(struct ttt_dnn_plan *p, const ttt_launch *launch)
{
    struct graph graph = {.p = p, .launch = launch}, *g = &graph;
    cudnnBackendDescriptor_t tensor[TENSORS];
    make_tensors(g, tensor);
    add_sums(g, tensor);

    cudnnBackendDescriptor_t s = product(g, tensor[Q], tensor[K], scores(g));
    s = pointwise(g, CUDNN_POINTWISE_MUL, s, tensor[SCALE], scores(g));
    s = pointwise(g, CUDNN_POINTWISE_SUB, s, tensor[LOG_SUM], scores(g));
    cudnnBackendDescriptor_t weights = pointwise(g, CUDNN_POINTWISE_EXP, s, NULL, scores(g));
    product(g, across(g, weights), tensor[DY], tensor[DV]);

    cudnnBackendDescriptor_t slopes = product(g, tensor[DY], tensor[V], scores(g));
    slopes = pointwise(g, CUDNN_POINTWISE_SUB, slopes, tensor[SUM], scores(g));
    slopes = pointwise(g, CUDNN_POINTWISE_MUL, slopes, weights, scores(g));
    slopes = pointwise(g, CUDNN_POINTWISE_MUL, slopes, tensor[SCALE], scores(g));
    product(g, across(g, slopes), tensor[Q], tensor[DK]);

    const struct ttt_dnn_tensor k = ttt_dnn_heads(&launch->in[K], false);
    product(g, slopes, view(g, tensor[K], virtual_tensor(g, CUDNN_DATA_FLOAT, k)), tensor[DQ]);
    return ttt_dnn_make_graph(p, g->operations, g->count);
}

/* ---- the row ---- */

/* dS takes 2 B H M L bytes, 0.4 GB for 256 x 12 heads of 256 rows.  Past 1 GiB memory is worth more than the
 * time that this saves. */
static const struct ttt_dnn_request request = {
    .make_graph = make_graph,
    .most_workspace = 1 << 30,
    .others = {&ttt_attention_backward_cuda_mma, &ttt_attention_backward_cuda},
};

/* Up to 9.15.0 cudnn-frontend masks keys that are no multiple of 128, and it never asks for one query of one
 * key. */
static bool supports(const ttt_launch *launch, const char **why)
{
    enum { HOPPER = 90, OLDEST = 91501 };
    if (ttt_cuda_capability(launch->device) != HOPPER)
        *why = "this form of the gradient is for Hopper";
    else if (cudnnGetVersion() < OLDEST)
        *why = "cuDNN is older than 9.15.1";
    else if (launch->in[Q].shape.size[2] == 1 && launch->in[K].shape.size[2] == 1)
        *why = "cuDNN takes no single query of a single key";
    else
        return ttt_dnn_supports(launch, &request, why);
    return false;
}

/* The plan's, then the row sums of dy y. */
static size_t workspace(const ttt_launch *launch)
{
    return ttt_dnn_workspace(launch, &request) +
           (size_t)ttt_operand_elements(&launch->in[LOG_SUM]) * sizeof(float);
}

static ttt_status run(const ttt_launch *launch)
{
    float scale = 1 / sqrtf((float)launch->in[Q].shape.size[3]), one = 1;
    void *pointers[TENSORS] = {
        [SUM] = (char *)launch->workspace + ttt_dnn_workspace(launch, &request),
        [SCALE] = &scale,
        [ONE] = &one,
    };
    for (int i = Q; i <= DY; i++)
        pointers[i] = launch->in[i].data;
    for (int i = 0; i < 3; i++)
        pointers[DQ + i] = launch->out[i].data;
    return ttt_dnn_run(launch, &request, pointers, TENSORS);
}

const ttt_implementation ttt_attention_backward_cudnn = {
    .name = "cudnn",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .run = run,
};

#endif
