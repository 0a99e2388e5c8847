/* The operator "matmul": builders, gradient, cost, table of implementations.
 *
 * With T(a, b, y) = sum of y * (a b), each gradient of T is again such a product, summed over the batch
 * dimensions in which its operand is broadcast: ttt_matmul_sum is closed under differentiation.
 */
#include "ttt/ops/matmul/matmul.h"

#include "ttt/ops/matmul/matmul_rows.h"
#include "ttt/ops/matmul/panel.h"
#include "ttt/ops/matmul/product.h"
#include "ttt/ops/matmul_pair/matmul_pair.h"
#include "ttt/ops/pointwise/epilogue.h"
#include "ttt/ops/symmetric/symmetric.h"

/* The leading dimensions of x, with sizes of 1 in front to make `rank` of them. */
static ttt_shape batch_of(ttt_shape x, int rank)
{
    ttt_shape batch = {.rank = rank};
    for (int i = 0; i < rank; i++) {
        int from = x.rank - 2 - rank + i;
        batch.size[i] = from < 0 ? 1 : x.size[from];
    }
    return batch;
}

static bool broadcast_batches(ttt_shape a, ttt_shape b, ttt_shape *batch)
{
    int rank = (a.rank > b.rank ? a.rank : b.rank) - 2;
    ttt_shape in_a = batch_of(a, rank), in_b = batch_of(b, rank);
    *batch = in_a;
    for (int i = 0; i < rank; i++) {
        if (in_a.size[i] != in_b.size[i] && in_a.size[i] != 1 && in_b.size[i] != 1)
            return false;
        batch->size[i] = in_a.size[i] == 1 ? in_b.size[i] : in_a.size[i];
    }
    return true;
}

static bool shapes_fit(ttt_shape a, ttt_shape b, ttt_shape *batch)
{
    return a.rank >= 2 && b.rank >= 2 && a.size[a.rank - 1] == b.size[b.rank - 2] &&
           broadcast_batches(a, b, batch);
}

static ttt_tensor fail_shapes(ttt_graph *g, ttt_shape a, ttt_shape b)
{
    char text_a[TTT_SHAPE_TEXT], text_b[TTT_SHAPE_TEXT];
    return ttt_graph_fail(g, TTT_SHAPE, "matmul: %s times %s: needs (..., M, K) and (..., K, N)",
                          ttt_shape_text(a, text_a), ttt_shape_text(b, text_b));
}

/* x, copied when neither of its last two dimensions can be read in order. */
static ttt_tensor readable(ttt_graph *g, ttt_tensor x)
{
    ttt_blas_matrix matrix = ttt_blas_matrix_of(ttt_size(g, x, -2), ttt_size(g, x, -1), ttt_stride(g, x, -2),
                                                ttt_stride(g, x, -1));
    return matrix.possible ? x : ttt_contiguous(g, x);
}

static ttt_tensor add_node(ttt_graph *g, ttt_tensor a, ttt_tensor b, ttt_shape batch)
{
    ttt_tensor inputs[] = {readable(g, a), readable(g, b), TTT_NONE};
    struct ttt_matmul_attributes plain = {.finish = TTT_MATMUL_PLAIN, .alpha = 1};
    ttt_shape shape = batch;
    shape.size[shape.rank++] = ttt_size(g, a, -2);
    shape.size[shape.rank++] = ttt_size(g, b, -1);
    return ttt_node_add_one(g, &ttt_op_matmul, &plain, inputs, 3, TTT_F32, shape);
}

static bool types_fit(ttt_graph *g, ttt_tensor a, ttt_tensor b)
{
    const ttt_dtype in_a = ttt_dtype_of(g, a), in_b = ttt_dtype_of(g, b);
    if ((in_a == TTT_F32 || in_a == TTT_BF16) && (in_b == TTT_F32 || in_b == TTT_BF16))
        return true;
    ttt_graph_fail(g, TTT_DTYPE, "matmul: takes f32 and bf16 tensors, not %s and %s", ttt_dtype_name(in_a),
                   ttt_dtype_name(in_b));
    return false;
}

ttt_tensor ttt_matmul(ttt_graph *g, ttt_tensor a, ttt_tensor b)
{
    if (!ttt_valid(a) || !ttt_valid(b))
        return TTT_INVALID;
    ttt_shape in_a = ttt_shape_of(g, a), in_b = ttt_shape_of(g, b), batch;
    if (!shapes_fit(in_a, in_b, &batch))
        return fail_shapes(g, in_a, in_b);
    return types_fit(g, a, b) ? add_node(g, a, b, batch) : TTT_INVALID;
}

ttt_tensor ttt_matmul_sum(ttt_graph *g, ttt_tensor a, ttt_tensor b, ttt_shape batch)
{
    if (!ttt_valid(a) || !ttt_valid(b))
        return TTT_INVALID;
    ttt_shape in_a = ttt_shape_of(g, a), in_b = ttt_shape_of(g, b), whole;
    if (!shapes_fit(in_a, in_b, &whole))
        return fail_shapes(g, in_a, in_b);
    bool fits = batch.rank == whole.rank;
    for (int i = 0; fits && i < batch.rank; i++)
        fits = batch.size[i] == 1 || batch.size[i] == whole.size[i];
    if (!fits) {
        char is[TTT_SHAPE_TEXT], should[TTT_SHAPE_TEXT];
        return ttt_graph_fail(g, TTT_SHAPE, "matmul: a sum to batch %s needs 1 or the operands' batch %s",
                              ttt_shape_text(batch, is), ttt_shape_text(whole, should));
    }
    return types_fit(g, a, b) ? add_node(g, a, b, batch) : TTT_INVALID;
}

/* a b summed down, or repeated, to the batch dimensions of `shape`, which the result gets. */
static ttt_tensor product_to(ttt_graph *g, ttt_tensor a, ttt_tensor b, ttt_shape shape)
{
    ttt_shape whole;
    if (!ttt_valid(a) || !ttt_valid(b) || !broadcast_batches(ttt_shape_of(g, a), ttt_shape_of(g, b), &whole))
        return TTT_INVALID;
    ttt_shape wanted = batch_of(shape, whole.rank), batch = wanted;
    bool repeats = false;
    for (int i = 0; i < whole.rank; i++) {
        batch.size[i] = wanted.size[i] == 1 ? 1 : whole.size[i];
        repeats |= batch.size[i] != wanted.size[i];
    }
    ttt_tensor y = ttt_matmul_sum(g, a, b, batch);
    if (repeats) {
        for (int i = 0; i < 2; i++)
            wanted.size[wanted.rank + i] = shape.size[shape.rank - 2 + i];
        wanted.rank += 2;
        y = ttt_expand(g, y, wanted);
    }
    return ttt_valid(y) && ttt_shape_equal(ttt_shape_of(g, y), shape) ? y : ttt_reshape(g, y, shape);
}

static bool is_transposed(const ttt_graph *g, ttt_tensor x)
{
    return ttt_stride(g, x, -1) != 1 && ttt_stride(g, x, -2) == 1;
}

/* left right, the gradient of x.  Where x is a transposed view, the product is taken transposed, so that what
 * flows on to the tensor behind the view is laid out as that is. */
static ttt_tensor gradient_of(ttt_graph *g, ttt_tensor x, ttt_tensor left, ttt_tensor right)
{
    if (!is_transposed(g, x))
        return product_to(g, left, right, ttt_shape_of(g, x));
    ttt_shape shape = ttt_shape_of(g, x);
    int64_t rows = shape.size[shape.rank - 2];
    shape.size[shape.rank - 2] = shape.size[shape.rank - 1];
    shape.size[shape.rank - 1] = rows;
    ttt_tensor y = product_to(g, ttt_transpose(g, right, -1, -2), ttt_transpose(g, left, -1, -2), shape);
    return ttt_transpose(g, y, -1, -2);
}

/* dy b^T, the gradient of a; its symmetric half, where a has no other. */
static ttt_tensor gradient_of_a(ttt_graph *g, ttt_tensor a, ttt_tensor b, ttt_tensor dy)
{
    if (ttt_is_symmetric(g, a) && ttt_shape_equal(ttt_shape_of(g, dy), ttt_shape_of(g, b)))
        return ttt_syr2k(g, 0.5F, dy, b);
    return gradient_of(g, a, dy, ttt_transpose(g, b, -1, -2));
}

/* The graph differentiates before it plans, so a product here is a plain one. */
static void matmul_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                            const bool *wanted, ttt_tensor *in_gradients)
{
    ttt_tensor a = ttt_node_input(node, 0), b = ttt_node_input(node, 1), dy = out_gradients[0];
    if (wanted[0])
        in_gradients[0] = gradient_of_a(g, a, b, dy);
    if (wanted[1])
        in_gradients[1] = gradient_of(g, b, ttt_is_symmetric(g, a) ? a : ttt_transpose(g, a, -1, -2), dy);
}

static bool matmul_absorb(void *merged, const void *attributes, const ttt_operator *next,
                          const void *next_attributes, int product)
{
    const struct ttt_matmul_attributes *had = attributes;
    struct pointwise_epilogue epilogue;
    if (next != &ttt_op_pointwise || !pointwise_epilogue_of(next_attributes, product, &epilogue))
        return false;
    struct ttt_matmul_attributes *has = merged;
    *has = (struct ttt_matmul_attributes){had->finish, had->alpha * epilogue.alpha,
                                          had->beta * epilogue.alpha + epilogue.beta};
    if (epilogue.form == POINTWISE_TIMES_GELU_GRAD)
        has->finish = TTT_MATMUL_GELU_GRAD;
    else if (epilogue.form == POINTWISE_TIMES_SILU_GRAD)
        has->finish = TTT_MATMUL_SILU_GRAD;
    else if (epilogue.beta != 0)
        has->finish = TTT_MATMUL_ADD;
    return true;
}

/* Of a pair both products count alike. */
static bool matmul_pair(void *pair, const void *first, const void *second)
{
    const struct ttt_matmul_attributes *a = first, *b = second;
    if (a->finish != TTT_MATMUL_PLAIN || b->finish != TTT_MATMUL_ADD || a->alpha * b->beta != b->alpha)
        return false;
    *(struct ttt_matmul_pair_attributes *)pair = (struct ttt_matmul_pair_attributes){b->alpha};
    return true;
}

/* A sign costs nothing. */
static bool multiplies(float factor)
{
    return factor != 0 && factor != 1 && factor != -1;
}

/* Of finishing one element. */
static double finish_flops(const struct ttt_matmul_attributes *attributes)
{
    double scales = multiplies(attributes->alpha) + multiplies(attributes->beta);
    switch (attributes->finish) {
    case TTT_MATMUL_PLAIN:
        return scales;
    case TTT_MATMUL_ADD:
        return scales + 1;
    default:
        return scales + 2;
    }
}

static ttt_cost matmul_cost(const ttt_launch *launch)
{
    ttt_product p = ttt_product_of(launch);
    double outputs = (double)p.m * (double)p.n * (double)p.batches;
    return (ttt_cost){.flops =
                          outputs * (2.0 * (double)p.k * (double)p.terms + finish_flops(launch->attributes))};
}

static const ttt_implementation *const implementations[] = {
#if TTT_PANEL_IS_FAST
    &ttt_matmul_small,
    &ttt_matmul_packed,
    &ttt_matmul_cblas,
#else
    &ttt_matmul_cblas,
    &ttt_matmul_small,
    &ttt_matmul_packed,
#endif
    TTT_CUDA_ROW(&ttt_matmul_skinny) TTT_CUDA_ROW(&ttt_matmul_tensor) TTT_CUDA_ROW(&ttt_matmul_cublas)
        TTT_CUDA_ROW(&ttt_matmul_cuda) NULL,
};

const ttt_operator ttt_op_matmul = {
    .name = "matmul",
    .attribute_size = sizeof(struct ttt_matmul_attributes),
    .gradient = matmul_gradient,
    .cost = matmul_cost,
    .absorb = matmul_absorb,
    .absorbed_operand = 2,
    .pair = matmul_pair,
    .paired = &ttt_op_matmul_pair,
    .bf16_takes = 4,
    .bf16_wants = 3,
    .bf16_gives = 1,
    .implementations = implementations,
};
