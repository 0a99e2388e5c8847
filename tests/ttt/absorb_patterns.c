/* The patterns: from what a product can finish to what it must leave. */
#include "tests/ttt/absorb_patterns.h"

#include "ttt/ops/layernorm/layernorm.h"
#include "ttt/ops/linear/linear.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/optimiser/optimiser.h"
#include "ttt/ops/pointwise/pointwise.h"

static int64_t columns(ttt_graph *g, const struct operands *x)
{
    return ttt_size(g, x->c, -1);
}

static ttt_tensor product(ttt_graph *g, const struct operands *x)
{
    return ttt_matmul(g, x->a, x->b);
}

static ttt_tensor add(ttt_graph *g, const struct operands *x)
{
    return ttt_add(g, product(g, x), x->c);
}

static ttt_tensor add_to(ttt_graph *g, const struct operands *x)
{
    return ttt_add(g, x->c, product(g, x));
}

static ttt_tensor subtract(ttt_graph *g, const struct operands *x)
{
    return ttt_sub(g, product(g, x), x->c);
}

static ttt_tensor subtract_from(ttt_graph *g, const struct operands *x)
{
    return ttt_sub(g, x->c, ttt_scale(g, product(g, x), 0.7F));
}

static ttt_tensor scale(ttt_graph *g, const struct operands *x)
{
    return ttt_scale(g, product(g, x), -1.5F);
}

static ttt_tensor twice(ttt_graph *g, const struct operands *x)
{
    ttt_tensor y = product(g, x);
    return ttt_add(g, y, y);
}

static ttt_tensor scale_and_add(ttt_graph *g, const struct operands *x)
{
    return ttt_add(g, ttt_scale(g, x->c, 3.4445F), ttt_scale(g, product(g, x), 2.5F));
}

static ttt_tensor scale_sum(ttt_graph *g, const struct operands *x)
{
    return ttt_scale(g, ttt_sub(g, ttt_scale(g, product(g, x), 2), ttt_scale(g, x->c, -3)), 0.5F);
}

static ttt_tensor gelu_grad(ttt_graph *g, const struct operands *x)
{
    return ttt_mul(g, product(g, x), ttt_gelu_grad(g, x->c));
}

static ttt_tensor silu_grad(ttt_graph *g, const struct operands *x)
{
    return ttt_mul(g, ttt_silu_grad(g, x->c), product(g, x));
}

static ttt_tensor scaled_silu_grad(ttt_graph *g, const struct operands *x)
{
    return ttt_scale(g, ttt_mul(g, ttt_scale(g, product(g, x), 0.5F), ttt_silu_grad(g, x->c)), 3);
}

static ttt_tensor reshape_and_add(ttt_graph *g, const struct operands *x)
{
    ttt_shape rows = ttt_dims(BATCH * M, columns(g, x));
    return ttt_add(g, ttt_reshape(g, product(g, x), rows), ttt_reshape(g, x->c, rows));
}

/* The views keep the two from being fused into one: the product absorbs one after the other. */
static ttt_tensor scale_then_add(ttt_graph *g, const struct operands *x)
{
    ttt_tensor y = ttt_reshape(g, ttt_scale(g, product(g, x), 0.25F), ttt_dims(BATCH * M, columns(g, x)));
    return ttt_add(g, y, ttt_reshape(g, x->c, ttt_dims(BATCH * M, columns(g, x))));
}

static ttt_tensor gelu_grad_then_scale(ttt_graph *g, const struct operands *x)
{
    return ttt_scale(g, ttt_reshape(g, gelu_grad(g, x), ttt_dims(BATCH * M * columns(g, x))), 0.25F);
}

static ttt_tensor sum_and_add(ttt_graph *g, const struct operands *x)
{
    ttt_tensor first = ttt_linear(g, ttt_slice(g, x->a, 0, 0, 1), x->w, TTT_NONE, TTT_IDENTITY);
    return ttt_add(g, ttt_matmul_sum(g, x->a, x->b, ttt_dims(1)), first);
}

static ttt_tensor residual(ttt_graph *g, const struct operands *x)
{
    ttt_tensor bias =
        ttt_reshape(g, ttt_slice(g, ttt_reshape(g, x->c, ttt_dims(BATCH * M, columns(g, x))), 0, 3, 1),
                    ttt_dims(columns(g, x)));
    return ttt_add(g, x->c, ttt_linear(g, x->a, x->w, bias, TTT_IDENTITY));
}

static ttt_tensor residual_no_bias(ttt_graph *g, const struct operands *x)
{
    return ttt_add(g, ttt_linear(g, x->a, x->w, TTT_NONE, TTT_IDENTITY), x->c);
}

static ttt_tensor activated_residual(ttt_graph *g, const struct operands *x)
{
    return ttt_add(g, ttt_linear(g, x->a, x->w, TTT_NONE, TTT_SILU), x->c);
}

static ttt_tensor linear_less(ttt_graph *g, const struct operands *x)
{
    return ttt_sub(g, ttt_linear(g, x->a, x->w, TTT_NONE, TTT_IDENTITY), x->c);
}

static ttt_tensor add_shared(ttt_graph *g, const struct operands *x)
{
    ttt_tensor y = product(g, x);
    ttt_output(g, "product", y);
    return ttt_add(g, y, x->c);
}

static ttt_tensor add_behind_effect(ttt_graph *g, const struct operands *x)
{
    ttt_tensor y = product(g, x), sum = ttt_variable(g, "sum", TTT_F32, ttt_dims(columns(g, x), K));
    ttt_accumulate(g, &sum, &x->w, 1);
    return ttt_add(g, y, x->c);
}

static ttt_tensor add_broadcast(ttt_graph *g, const struct operands *x)
{
    return ttt_add(g, product(g, x), ttt_slice(g, x->c, 1, 2, 1));
}

static ttt_tensor add_strided(ttt_graph *g, const struct operands *x)
{
    ttt_tensor transposed = ttt_reshape(g, x->c, ttt_dims(BATCH, columns(g, x), M));
    return ttt_add(g, product(g, x), ttt_transpose(g, transposed, 1, 2));
}

static ttt_tensor add_transposed(ttt_graph *g, const struct operands *x)
{
    ttt_tensor transposed = ttt_reshape(g, x->c, ttt_dims(BATCH, columns(g, x), M));
    return ttt_add(g, ttt_transpose(g, product(g, x), 1, 2), transposed);
}

static ttt_tensor square(ttt_graph *g, const struct operands *x)
{
    return ttt_square(g, product(g, x));
}

static ttt_tensor multiply(ttt_graph *g, const struct operands *x)
{
    return ttt_mul(g, product(g, x), x->c);
}

static ttt_tensor add_square(ttt_graph *g, const struct operands *x)
{
    return ttt_add(g, product(g, x), ttt_square(g, x->c));
}

enum { FEW = 5 };

static ttt_tensor few_outputs(ttt_graph *g, const struct operands *x)
{
    ttt_tensor c = ttt_contiguous(g, ttt_slice(g, x->c, 2, 3, FEW));
    return ttt_add(g, ttt_linear(g, x->a, ttt_slice(g, x->w, 0, 4, FEW), TTT_NONE, TTT_IDENTITY), c);
}

static ttt_tensor sums_of_few(ttt_graph *g, const struct operands *x)
{
    ttt_tensor b = ttt_transpose(g, ttt_slice(g, x->w, 1, 7, FEW), 0, 1);
    return ttt_sub(g, x->c, ttt_scale(g, ttt_matmul(g, ttt_slice(g, x->a, 2, 16, FEW), b), 0.7F));
}

/* The gradient of c under a normalisation with a residual around it. */
static ttt_tensor norm_gradient(ttt_graph *g, const struct operands *x)
{
    ttt_tensor y = ttt_add(g, x->c, ttt_layernorm(g, x->c, TTT_NONE, TTT_NONE, 1e-5F)), dc;
    ttt_gradient_from(g, y, x->c, &x->c, 1, &dc);
    return dc;
}

/* Two nodes share the sum: the first is no part of a joint node when the product can take it. */
static ttt_tensor add_and_scale(ttt_graph *g, const struct operands *x)
{
    ttt_tensor sum = add(g, x);
    ttt_output(g, "scaled", ttt_mul(g, sum, ttt_slice(g, x->c, 1, 2, 1)));
    return sum;
}

static const struct pattern patterns[] = {
    {"a b + c", add, 0},
    {"c + a b", add_to, 0},
    {"a b - c", subtract, 0},
    {"c - 0.7 a b", subtract_from, 0},
    {"-1.5 a b", scale, 0},
    {"a b + a b", twice, 0},
    {"3.4 c + 2.5 a b", scale_and_add, 0},
    {"0.5 (2 a b + 3 c)", scale_sum, 0},
    {"a b gelu'(c)", gelu_grad, 0},
    {"silu'(c) a b", silu_grad, 0},
    {"3 (a b / 2) silu'(c)", scaled_silu_grad, 0},
    {"a b + c, reshaped", reshape_and_add, 0},
    {"a b / 4, then + c", scale_then_add, 0},
    {"a b gelu'(c), then / 4", gelu_grad_then_scale, 0},
    {"sum of a b, + x w", sum_and_add, 0},
    {"x w + bias + c", residual, 0},
    {"x w + c", residual_no_bias, 0},
    {"x w + c, few outputs", few_outputs, 0},
    {"c - 0.7 a b, sums of few", sums_of_few, 0},
    {"a b + c, and times c", add_and_scale, 1},
    {"gradient of c + norm(c)", norm_gradient, 0, .no_gradient = true},
    {"silu(x w) + c", activated_residual, 1},
    {"x w - c", linear_less, 1},
    {"a b + c, and a b is read", add_shared, 1},
    {"a b + c behind an effect", add_behind_effect, 1},
    {"a b + c, c repeated", add_broadcast, 1},
    {"a b + c, c transposed", add_strided, 1},
    {"(a b)^T + c", add_transposed, 1},
    {"(a b)^2", square, 1},
    {"a b c", multiply, 1},
    {"a b + c^2", add_square, 1},
};

struct pattern pattern_at(int i)
{
    const int count = (int)(sizeof patterns / sizeof *patterns);
    return i < count ? patterns[i] : (struct pattern){0};
}

bool pattern_multiplies_factors(int i)
{
    return patterns[i].build == scaled_silu_grad || patterns[i].build == scale_sum;
}
