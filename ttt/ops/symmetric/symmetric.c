/* The operator "symmetric": builders, gradient, cost.
 *
 * With s = (dy + dy^T) / 2:  of alpha a a^T, da = 2 alpha s a, and where a itself is symmetric, so that only
 * the symmetric part of its gradient counts, da = alpha (s a + a s);  of alpha (a b^T + b a^T), da = 2 alpha
 * s b and db = 2 alpha s a.
 */
#include "ttt/ops/symmetric/symmetric.h"

#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/matmul/panel.h"
#include "ttt/ops/pointwise/epilogue.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/symmetric/symmetric_rows.h"

static ttt_tensor add_node(ttt_graph *g, struct ttt_symmetric_attributes attributes, ttt_tensor a,
                           ttt_tensor b)
{
    ttt_shape shape = ttt_shape_of(g, a);
    shape.size[shape.rank - 1] = shape.size[shape.rank - 2];
    ttt_tensor inputs[] = {ttt_contiguous(g, a), ttt_exists(b) ? ttt_contiguous(g, b) : TTT_NONE, TTT_NONE};
    return ttt_symmetric(g, ttt_node_add_one(g, &ttt_op_symmetric, &attributes, inputs, 3, TTT_F32, shape));
}

ttt_tensor ttt_syrk(ttt_graph *g, ttt_tensor a, float shift)
{
    if (!ttt_exists(a))
        return TTT_INVALID;
    const ttt_shape shape = ttt_shape_of(g, a);
    if (shape.rank < 2) {
        char text[TTT_SHAPE_TEXT];
        return ttt_graph_fail(g, TTT_SHAPE, "syrk: %s is no matrix (..., N, K)", ttt_shape_text(shape, text));
    }
    return add_node(g, (struct ttt_symmetric_attributes){.alpha = 1, .shift = shift}, a, TTT_NONE);
}

ttt_tensor ttt_syr2k(ttt_graph *g, float alpha, ttt_tensor a, ttt_tensor b)
{
    if (!ttt_exists(a) || !ttt_exists(b))
        return TTT_INVALID;
    const ttt_shape shape = ttt_shape_of(g, a);
    if (shape.rank < 2 || !ttt_shape_equal(shape, ttt_shape_of(g, b))) {
        char is[TTT_SHAPE_TEXT], with[TTT_SHAPE_TEXT];
        return ttt_graph_fail(g, TTT_SHAPE, "syr2k: %s and %s are not matrices (..., N, K) of one shape",
                              ttt_shape_text(shape, is), ttt_shape_text(ttt_shape_of(g, b), with));
    }
    return add_node(g, (struct ttt_symmetric_attributes){.alpha = alpha}, a, b);
}

/* dy + dy^T is `*factor` times what this returns. */
static ttt_tensor both_sides(ttt_graph *g, ttt_tensor dy, float *factor)
{
    *factor = ttt_is_symmetric(g, dy) ? 2 : 1;
    return *factor == 2 ? dy : ttt_symmetric(g, ttt_add(g, dy, ttt_transpose(g, dy, -1, -2)));
}

static ttt_tensor scaled(ttt_graph *g, ttt_tensor x, float factor)
{
    return factor == 1 ? x : ttt_scale(g, x, factor);
}

static void symmetric_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                               const bool *wanted, ttt_tensor *in_gradients)
{
    const ttt_tensor a = ttt_node_input(node, 0), b = ttt_node_input(node, 1);
    const float alpha = ((const struct ttt_symmetric_attributes *)ttt_node_attributes(node))->alpha;
    float factor;
    const ttt_tensor dy = both_sides(g, out_gradients[0], &factor);
    if (!ttt_exists(b)) {
        in_gradients[0] = ttt_is_symmetric(g, a) ? ttt_syr2k(g, alpha * factor / 2, dy, a)
                                                 : ttt_matmul(g, scaled(g, dy, alpha * factor), a);
        return;
    }
    if (wanted[0])
        in_gradients[0] = ttt_matmul(g, scaled(g, dy, alpha * factor), b);
    if (wanted[1])
        in_gradients[1] = ttt_matmul(g, scaled(g, dy, alpha * factor), a);
}

static bool symmetric_absorb(void *merged, const void *attributes, const ttt_operator *next,
                             const void *next_attributes, int product)
{
    const struct ttt_symmetric_attributes *had = attributes;
    struct pointwise_epilogue epilogue;
    if (next != &ttt_op_pointwise || !pointwise_epilogue_of(next_attributes, product, &epilogue) ||
        epilogue.form != POINTWISE_AFFINE)
        return false;
    *(struct ttt_symmetric_attributes *)merged = (struct ttt_symmetric_attributes){
        had->alpha * epilogue.alpha, had->beta * epilogue.alpha + epilogue.beta, had->shift * epilogue.alpha};
    return true;
}

struct ttt_symmetric_size ttt_symmetric_size_of(const ttt_launch *launch)
{
    const ttt_shape *shape = &launch->in[0].shape;
    struct ttt_symmetric_size size = {
        .batches = 1, .n = shape->size[shape->rank - 2], .k = shape->size[shape->rank - 1]};
    for (int i = 0; i < shape->rank - 2; i++)
        size.batches *= shape->size[i];
    return size;
}

struct ttt_symmetric_matrix ttt_symmetric_matrix_of(const ttt_launch *launch, int64_t batch)
{
    const struct ttt_symmetric_attributes *attributes = launch->attributes;
    const struct ttt_symmetric_size s = ttt_symmetric_size_of(launch);
    const float *a = launch->in[0].data, *b = launch->in[1].data, *c = launch->in[2].data;
    return (struct ttt_symmetric_matrix){.a = a + batch * s.n * s.k,
                                         .b = b ? b + batch * s.n * s.k : NULL,
                                         .c = c ? c + batch * s.n * s.n : NULL,
                                         .y_is_symmetric = !c || launch->in[2].symmetric,
                                         .y = (float *)launch->out[0].data + batch * s.n * s.n,
                                         .n = s.n,
                                         .k = s.k,
                                         .alpha = attributes->alpha,
                                         .beta = attributes->beta,
                                         .shift = attributes->shift};
}

/* Of the elements on and below the diagonal. */
static ttt_cost symmetric_cost(const ttt_launch *launch)
{
    const struct ttt_symmetric_size s = ttt_symmetric_size_of(launch);
    const double elements = (double)s.batches * (double)s.n * (double)(s.n + 1) / 2;
    const int products = launch->in[1].dtype ? 2 : 1, finish = launch->in[2].dtype ? 3 : 1;
    return (ttt_cost){.flops = elements * (2.0 * (double)s.k * products + finish)};
}

static const ttt_implementation *const implementations[] = {
#if TTT_PANEL_IS_FAST
    &ttt_symmetric_cpu,
    &ttt_symmetric_cblas,
#else
    &ttt_symmetric_cblas,
    &ttt_symmetric_cpu,
#endif
    TTT_HOPPER_ROW(&ttt_symmetric_hopper) TTT_CUDA_ROW(&ttt_symmetric_cublas) NULL,
};

const ttt_operator ttt_op_symmetric = {
    .name = "symmetric",
    .attribute_size = sizeof(struct ttt_symmetric_attributes),
    .gradient = symmetric_gradient,
    .cost = symmetric_cost,
    .absorb = symmetric_absorb,
    .absorbed_operand = 2,
    .bf16_takes = 1 << 2,
    .bf16_wants = 1 << 0 | 1 << 1,
    .bf16_gives = 1 << 0,
    .implementations = implementations,
};
