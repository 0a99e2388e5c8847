/* The operator "swiglu": builder, gradient, cost. */
#include "ttt/ops/swiglu/swiglu.h"

#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/reduce/reduce.h"
#include "ttt/ops/swiglu/swiglu_operator.h"

/* ---- the builder ---- */

/* Whether `part` has x's leading dimensions, or nothing but sizes of 1 there. */
static bool leads_as(ttt_shape part, ttt_shape x)
{
    bool same = part.rank == x.rank, ones = true;
    for (int i = 0; i < part.rank - 2; i++) {
        same = same && part.size[i] == x.size[i];
        ones = ones && part.size[i] == 1;
    }
    return part.rank >= 2 && part.rank <= x.rank && (same || ones);
}

static bool is_laid_out(const ttt_graph *g, ttt_tensor x)
{
    return ttt_exists(x) && ttt_is_contiguous(g, x) && ttt_dtype_of(g, x) == TTT_F32;
}

static bool takes_node(const ttt_graph *g, ttt_tensor x, ttt_tensor w_gate, ttt_tensor w_up, ttt_tensor rate)
{
    if (!(ttt_graph_targets(g, TTT_CUDA, TTT_BF16) || ttt_graph_targets(g, TTT_CUDA, TTT_F32)) ||
        !is_laid_out(g, x) || !is_laid_out(g, w_gate) || !is_laid_out(g, w_up))
        return false;
    const ttt_shape in = ttt_shape_of(g, x), w = ttt_shape_of(g, w_gate);
    if (in.rank < 2 || in.rank > 4 || !leads_as(w, in) || !ttt_shape_equal(w, ttt_shape_of(g, w_up)) ||
        w.size[w.rank - 2] != in.size[in.rank - 1])
        return false;
    ttt_shape rates = in;
    rates.size[in.rank - 1] = 1;
    return !ttt_exists(rate) || ttt_shape_equal(ttt_shape_of(g, rate), rates);
}

static ttt_tensor rated(ttt_graph *g, ttt_tensor x, ttt_tensor rate)
{
    return ttt_exists(rate) ? ttt_mul(g, x, rate) : x;
}

ttt_swiglu ttt_swiglu_of(ttt_graph *g, ttt_tensor x, ttt_tensor w_gate, ttt_tensor w_up, ttt_tensor rate)
{
    if (!takes_node(g, x, w_gate, w_up, rate)) {
        ttt_swiglu of = {.gate = ttt_matmul(g, x, w_gate), .up = ttt_matmul(g, x, w_up)};
        of.act = ttt_silu(g, of.gate);
        of.y = rated(g, ttt_mul(g, of.act, of.up), rate);
        return of;
    }
    ttt_shape shape = ttt_shape_of(g, x);
    shape.size[shape.rank - 1] = ttt_size(g, w_gate, -1);
    const ttt_tensor inputs[] = {x, w_gate, w_up, rate};
    const ttt_output_spec specs[] = {{TTT_F32, shape}, {TTT_F32, shape}, {TTT_F32, shape}};
    ttt_tensor outputs[SWIGLU_OUTPUTS];
    ttt_node_add(g, &ttt_op_swiglu, NULL, inputs, SWIGLU_INPUTS, specs, SWIGLU_OUTPUTS, outputs);
    const ttt_tensor gate = outputs[SWIGLU_GATE];
    return (ttt_swiglu){outputs[SWIGLU_Y], gate, outputs[SWIGLU_UP], ttt_silu(g, gate)};
}

/* ---- the gradient ---- */

/* The sum of what there is of two. */
static ttt_tensor sum_of(ttt_graph *g, ttt_tensor a, ttt_tensor b)
{
    return ttt_exists(a) && ttt_exists(b) ? ttt_add(g, a, b) : ttt_exists(a) ? a : b;
}

/* x^T dproduct, summed over the matrices that share w. */
static ttt_tensor weight_gradient(ttt_graph *g, ttt_tensor x, ttt_tensor dproduct, ttt_tensor w)
{
    const ttt_shape in = ttt_shape_of(g, x), shape = ttt_shape_of(g, w);
    ttt_shape batch = in;
    batch.rank = in.rank - 2;
    for (int i = 1; i <= batch.rank; i++) {
        const int at = shape.rank - 2 - i;
        batch.size[batch.rank - i] = at < 0 ? 1 : shape.size[at];
    }
    return ttt_reshape(g, ttt_matmul_sum(g, ttt_transpose(g, x, -1, -2), dproduct, batch), shape);
}

static ttt_tensor token_gradient(ttt_graph *g, ttt_tensor dproduct, ttt_tensor w)
{
    return ttt_exists(dproduct) ? ttt_matmul(g, dproduct, ttt_transpose(g, w, -1, -2)) : TTT_NONE;
}

static void swiglu_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                            const bool *wanted, ttt_tensor *in_gradients)
{
    const ttt_tensor x = ttt_node_input(node, SWIGLU_X), w_gate = ttt_node_input(node, SWIGLU_W_GATE),
                     w_up = ttt_node_input(node, SWIGLU_W_UP), rate = ttt_node_input(node, SWIGLU_RATE),
                     gate = ttt_node_output(node, SWIGLU_GATE), up = ttt_node_output(node, SWIGLU_UP),
                     dy = out_gradients[SWIGLU_Y];
    ttt_tensor dgate = out_gradients[SWIGLU_GATE], dup = out_gradients[SWIGLU_UP];
    if (ttt_exists(dy)) {
        const ttt_tensor act = ttt_silu(g, gate);
        if (wanted[SWIGLU_RATE])
            in_gradients[SWIGLU_RATE] =
                ttt_sum_to(g, ttt_mul(g, dy, ttt_mul(g, act, up)), ttt_shape_of(g, rate));
        const ttt_tensor dfeatures = rated(g, dy, rate);
        dgate = sum_of(g, dgate, ttt_mul(g, ttt_mul(g, dfeatures, up), ttt_silu_grad(g, gate)));
        dup = sum_of(g, dup, ttt_mul(g, dfeatures, act));
    }
    if (wanted[SWIGLU_X])
        in_gradients[SWIGLU_X] = sum_of(g, token_gradient(g, dgate, w_gate), token_gradient(g, dup, w_up));
    if (wanted[SWIGLU_W_GATE] && ttt_exists(dgate))
        in_gradients[SWIGLU_W_GATE] = weight_gradient(g, x, dgate, w_gate);
    if (wanted[SWIGLU_W_UP] && ttt_exists(dup))
        in_gradients[SWIGLU_W_UP] = weight_gradient(g, x, dup, w_up);
}

/* ---- what rows ask ---- */

ttt_swiglu_size ttt_swiglu_size_of(const ttt_launch *launch)
{
    const ttt_operand *x = &launch->in[SWIGLU_X], *w = &launch->in[SWIGLU_W_GATE];
    ttt_swiglu_size size = {.rows = x->shape.size[x->shape.rank - 2],
                            .d = x->shape.size[x->shape.rank - 1],
                            .m = w->shape.size[w->shape.rank - 1]};
    size.matrices = ttt_operand_elements(x) / (size.rows * size.d);
    size.shared = ttt_operand_elements(w) == size.d * size.m;
    return size;
}

ttt_swiglu_rates ttt_swiglu_rates_of(const ttt_launch *launch)
{
    const ttt_operand *rate = &launch->in[SWIGLU_RATE];
    const int rank = rate->shape.rank;
    ttt_swiglu_rates rates = {.data = rate->data, .heads = 1};
    if (!rate->dtype)
        return rates;
    rates.row = rate->stride[rank - 2];
    if (rank > 2) {
        rates.heads = rate->shape.size[rank - 3];
        rates.head = rate->stride[rank - 3];
    }
    if (rank > 3)
        rates.sample = rate->stride[rank - 4];
    return rates;
}

static ttt_cost swiglu_cost(const ttt_launch *launch)
{
    const ttt_swiglu_size size = ttt_swiglu_size_of(launch);
    const double outputs = (double)size.matrices * (double)size.rows * (double)size.m;
    return (ttt_cost){.flops = outputs * (4.0 * (double)size.d + 4)};
}

static const ttt_implementation *const implementations[] = {
    TTT_HOPPER_ROW(&ttt_swiglu_hopper) TTT_CUDA_ROW(&ttt_swiglu_cublas) NULL,
};

const ttt_operator ttt_op_swiglu = {
    .name = "swiglu",
    .gradient = swiglu_gradient,
    .cost = swiglu_cost,
    .bf16_wants = 1 << SWIGLU_X | 1 << SWIGLU_W_GATE | 1 << SWIGLU_W_UP,
    .bf16_gives = 1 << SWIGLU_Y | 1 << SWIGLU_GATE | 1 << SWIGLU_UP,
    .implementations = implementations,
};
