/* The operator "weight_norm" and its gradient.  With v = w + sign step, n = |v| and y = v norm / (n + eps),
 * column by column:
 *
 *     dv = dy norm / (n + eps) - v <v, dy> norm / (n (n + eps)^2)
 *        = dy norm / (n + eps) - y <y, dy> / (n norm),   dw = dv, summed where w is shared,   dstep = sign dv
 */
#include "ttt/ops/weight_norm/weight_norm.h"

#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/reduce/reduce.h"
#include "ttt/ops/weight_norm/weight_norm_operator.h"

struct ttt_matrices ttt_weight_norm_matrices(const ttt_launch *launch)
{
    const ttt_shape *shape = &launch->in[0].shape;
    struct ttt_matrices of = {.rows = shape->size[shape->rank - 2], .columns = shape->size[shape->rank - 1]};
    of.count = ttt_shape_elements(*shape) / (of.rows * of.columns);
    return of;
}

/* x with its last two dimensions swapped. */
static ttt_operand transposed(const ttt_operand *x)
{
    ttt_operand y = *x;
    const int last = x->shape.rank - 1;
    y.shape.size[last] = x->shape.size[last - 1];
    y.shape.size[last - 1] = x->shape.size[last];
    y.stride[last] = x->stride[last - 1];
    y.stride[last - 1] = x->stride[last];
    return y;
}

bool ttt_weight_norm_is_transposed(const ttt_operand *step)
{
    const ttt_operand swapped = transposed(step);
    return !ttt_operand_contiguous(step) && ttt_operand_contiguous(&swapped);
}

bool ttt_weight_norm_laid_out(const ttt_launch *launch, const char **why)
{
    bool fits = true;
    for (int i = 0; i < launch->n_in; i++)
        fits = fits && (ttt_operand_contiguous(&launch->in[i]) ||
                        (i == 0 && ttt_weight_norm_is_transposed(&launch->in[0])));
    if (!fits)
        *why = "an operand is strided";
    return fits;
}

/* Whether `part` has the last dimensions of `whole`, two at least, and nothing but sizes of 1 before them. */
static bool is_shared(ttt_shape part, ttt_shape whole)
{
    bool ones = false;
    for (int i = 1; i <= part.rank; i++) {
        const int64_t size = part.size[part.rank - i];
        ones = ones || i > whole.rank || size != whole.size[whole.rank - i];
        if (ones && (size != 1 || i <= 2))
            return false;
    }
    return part.rank >= 2;
}

static bool fits(ttt_graph *g, ttt_tensor w, ttt_tensor step, ttt_tensor norm)
{
    const ttt_shape shape = ttt_shape_of(g, step);
    char a[TTT_SHAPE_TEXT], b[TTT_SHAPE_TEXT], c[TTT_SHAPE_TEXT];
    ttt_shape norms = shape;
    if (shape.rank >= 2)
        norms.size[shape.rank - 2] = 1;
    const ttt_shape w_shape = ttt_shape_of(g, w), norm_shape = ttt_shape_of(g, norm);
    if (shape.rank >= 2 && is_shared(w_shape, shape) && is_shared(norm_shape, norms))
        return true;
    ttt_graph_fail(g, TTT_SHAPE, "weight_norm: w %s and norm %s do not fit step %s",
                   ttt_shape_text(w_shape, a), ttt_shape_text(norm_shape, b), ttt_shape_text(shape, c));
    return false;
}

ttt_tensor ttt_weight_norm(ttt_graph *g, ttt_tensor w, ttt_tensor step, ttt_tensor norm, int sign, float eps)
{
    if (!ttt_exists(w) || !ttt_exists(step) || !ttt_exists(norm) || !fits(g, w, step, norm))
        return TTT_INVALID;
    if (!(eps > 0) || (sign != 1 && sign != -1))
        return ttt_graph_fail(g, TTT_ARGUMENT,
                              "weight_norm: eps is %g, and must be above 0; sign is %d, and must be 1 or -1",
                              (double)eps, sign);
    const struct ttt_weight_norm_attributes attributes = {(float)sign, eps};
    const ttt_shape shape = ttt_shape_of(g, step);
    ttt_shape norms = shape;
    norms.size[shape.rank - 2] = 1;
    const bool transposed = ttt_is_contiguous(g, ttt_transpose(g, step, -1, -2));
    ttt_tensor inputs[] = {transposed ? step : ttt_contiguous(g, step), ttt_contiguous(g, w),
                           ttt_contiguous(g, norm)};
    const ttt_output_spec specs[] = {{TTT_F32, shape}, {TTT_F32, norms}, {TTT_F32, shape}};
    ttt_tensor outputs[3];
    ttt_node_add(g, &ttt_op_weight_norm, &attributes, inputs, 3, specs, 3, outputs);
    return outputs[0];
}

static void weight_norm_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                                 const bool *wanted, ttt_tensor *in_gradients)
{
    const struct ttt_weight_norm_attributes *attributes = ttt_node_attributes(node);
    if (!wanted[0] && !wanted[1])
        return;
    ttt_tensor y = ttt_node_output(node, 0), w = ttt_node_input(node, 1);
    ttt_tensor inputs[] = {y, ttt_node_output(node, 1), ttt_node_input(node, 2),
                           ttt_contiguous(g, out_gradients[0])};
    ttt_tensor dstep =
        ttt_node_add_one(g, &ttt_op_weight_norm_backward, attributes, inputs, 4, TTT_F32, ttt_shape_of(g, y));
    if (wanted[0])
        in_gradients[0] = dstep;
    if (wanted[1])
        in_gradients[1] = ttt_sum_to(g, dstep, ttt_shape_of(g, w));
    if (wanted[1] && attributes->sign < 0)
        in_gradients[1] = ttt_scale(g, in_gradients[1], -1);
}

/* The copy in bf16, which few read, is not counted. */
static ttt_cost forward_cost(const ttt_launch *launch)
{
    ttt_cost cost = {.flops = 4 * (double)ttt_operand_elements(&launch->in[0])};
    for (int i = 0; i < launch->n_in; i++)
        cost.bytes += (double)ttt_operand_bytes(&launch->in[i]);
    cost.bytes += (double)(ttt_operand_bytes(&launch->out[0]) + ttt_operand_bytes(&launch->out[1]));
    return cost;
}

static ttt_cost backward_cost(const ttt_launch *launch)
{
    return (ttt_cost){.flops = 5 * (double)ttt_operand_elements(&launch->in[0])};
}

/* A weight that goes on to the next step is kept in f32, and not rounded before it; products read a copy. */
const ttt_operator ttt_op_weight_norm = {
    .name = "weight_norm",
    .attribute_size = sizeof(struct ttt_weight_norm_attributes),
    .gradient = weight_norm_gradient,
    .cost = forward_cost,
    .overwrites = 1 << 0,
    .bf16_takes = 1 << 0,
    .bf16_gives = 1 << 0,
    .bf16_copy = 2,
    .implementations =
        (const ttt_implementation *const[]){&ttt_weight_norm_cpu, TTT_CUDA_ROW(&ttt_weight_norm_cuda) NULL},
};

/* y is wanted in bf16, as the products that read it want it: it must not keep a copy in f32 alive. */
const ttt_operator ttt_op_weight_norm_backward = {
    .name = "weight_norm_backward",
    .attribute_size = sizeof(struct ttt_weight_norm_attributes),
    .cost = backward_cost,
    .overwrites = 1 << 0 | 1 << 3,
    .bf16_takes = 1 << 3,
    .bf16_wants = 1 << 0,
    .bf16_gives = 1 << 0,
    .implementations = (const ttt_implementation *const[]){&ttt_weight_norm_backward_cpu,
                                                           TTT_CUDA_ROW(&ttt_weight_norm_backward_cuda) NULL},
};
