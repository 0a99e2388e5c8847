/* Pointwise builders and their gradients: each node starts as a program of one instruction. */
#include "ttt/ops/pointwise/pointwise.h"

#include "ttt/ops/pointwise/program.h"
#include "ttt/ops/reduce/reduce.h"

/* The shape that a and b broadcast to; false when they do not. */
static bool broadcast(ttt_shape a, ttt_shape b, ttt_shape *shape)
{
    *shape = a.rank >= b.rank ? a : b;
    ttt_shape other = a.rank >= b.rank ? b : a;
    for (int i = 1; i <= other.rank; i++) {
        int64_t *size = &shape->size[shape->rank - i], with = other.size[other.rank - i];
        if (*size != with && *size != 1 && with != 1)
            return false;
        *size = *size == 1 ? with : *size;
    }
    return true;
}

static ttt_tensor build(ttt_graph *g, enum pointwise_function function, ttt_tensor a, ttt_tensor b,
                        float constant)
{
    bool binary = function <= POINTWISE_DIV;
    if (!ttt_exists(a) || (binary && !ttt_exists(b)))
        return ttt_valid(a) && ttt_valid(b)
                   ? ttt_graph_fail(g, TTT_ARGUMENT, "a pointwise operand does not exist")
                   : TTT_INVALID;
    ttt_shape shape = ttt_shape_of(g, a);
    if (binary && !broadcast(ttt_shape_of(g, a), ttt_shape_of(g, b), &shape)) {
        char x[TTT_SHAPE_TEXT], y[TTT_SHAPE_TEXT];
        return ttt_graph_fail(g, TTT_SHAPE, "shapes %s and %s do not broadcast",
                              ttt_shape_text(ttt_shape_of(g, a), x), ttt_shape_text(ttt_shape_of(g, b), y));
    }
    struct pointwise_program program = {
        .n_inputs = binary && a.index != b.index ? 2 : 1, .n_instructions = 1, .n_outputs = 1};
    program.outputs[0] = (uint8_t)program.n_inputs;
    program.instructions[0] =
        (struct pointwise_instruction){(uint8_t)function, 0, (uint8_t)(program.n_inputs - 1), constant};
    ttt_tensor y = ttt_node_add_one(g, &ttt_op_pointwise, &program, (ttt_tensor[]){a, b}, program.n_inputs,
                                    TTT_F32, shape);
    const bool symmetric = ttt_is_symmetric(g, a) && (!binary || ttt_is_symmetric(g, b));
    return symmetric ? ttt_symmetric(g, y) : y;
}

ttt_tensor ttt_add(ttt_graph *g, ttt_tensor a, ttt_tensor b)
{
    return build(g, POINTWISE_ADD, a, b, 0);
}

ttt_tensor ttt_sub(ttt_graph *g, ttt_tensor a, ttt_tensor b)
{
    return build(g, POINTWISE_SUB, a, b, 0);
}

ttt_tensor ttt_mul(ttt_graph *g, ttt_tensor a, ttt_tensor b)
{
    return build(g, POINTWISE_MUL, a, b, 0);
}

ttt_tensor ttt_div(ttt_graph *g, ttt_tensor a, ttt_tensor b)
{
    return build(g, POINTWISE_DIV, a, b, 0);
}

ttt_tensor ttt_scale(ttt_graph *g, ttt_tensor x, float factor)
{
    return build(g, POINTWISE_SCALE, x, TTT_NONE, factor);
}

ttt_tensor ttt_shift(ttt_graph *g, ttt_tensor x, float term)
{
    return build(g, POINTWISE_SHIFT, x, TTT_NONE, term);
}

ttt_tensor ttt_exp(ttt_graph *g, ttt_tensor x)
{
    return build(g, POINTWISE_EXP, x, TTT_NONE, 0);
}

ttt_tensor ttt_sqrt(ttt_graph *g, ttt_tensor x)
{
    return build(g, POINTWISE_SQRT, x, TTT_NONE, 0);
}

ttt_tensor ttt_square(ttt_graph *g, ttt_tensor x)
{
    return build(g, POINTWISE_SQUARE, x, TTT_NONE, 0);
}

ttt_tensor ttt_reciprocal(ttt_graph *g, ttt_tensor x)
{
    return build(g, POINTWISE_RECIPROCAL, x, TTT_NONE, 0);
}

ttt_tensor ttt_reciprocal_or_zero(ttt_graph *g, ttt_tensor x)
{
    return build(g, POINTWISE_RECIPROCAL_OR_ZERO, x, TTT_NONE, 0);
}

ttt_tensor ttt_sigmoid(ttt_graph *g, ttt_tensor x)
{
    return build(g, POINTWISE_SIGMOID, x, TTT_NONE, 0);
}

ttt_tensor ttt_silu(ttt_graph *g, ttt_tensor x)
{
    return build(g, POINTWISE_SILU, x, TTT_NONE, 0);
}

ttt_tensor ttt_silu_grad(ttt_graph *g, ttt_tensor x)
{
    return build(g, POINTWISE_SILU_GRAD, x, TTT_NONE, 0);
}

ttt_tensor ttt_gelu(ttt_graph *g, ttt_tensor x)
{
    return build(g, POINTWISE_GELU, x, TTT_NONE, 0);
}

ttt_tensor ttt_gelu_grad(ttt_graph *g, ttt_tensor x)
{
    return build(g, POINTWISE_GELU_GRAD, x, TTT_NONE, 0);
}

ttt_tensor ttt_softplus(ttt_graph *g, ttt_tensor x)
{
    return build(g, POINTWISE_SOFTPLUS, x, TTT_NONE, 0);
}

/* dy times the derivative of a function of one value, x in and y out. */
static ttt_tensor unary_gradient(ttt_graph *g, const struct pointwise_instruction *instruction, ttt_tensor x,
                                 ttt_tensor y, ttt_tensor dy)
{
    switch ((enum pointwise_function)instruction->function) {
    case POINTWISE_SCALE:
        return ttt_scale(g, dy, instruction->constant);
    case POINTWISE_SHIFT:
        return dy;
    case POINTWISE_EXP:
        return ttt_mul(g, dy, y);
    case POINTWISE_SQRT:
        return ttt_scale(g, ttt_mul(g, dy, ttt_reciprocal_or_zero(g, y)), 0.5f);
    case POINTWISE_SQUARE:
        return ttt_scale(g, ttt_mul(g, dy, x), 2);
    case POINTWISE_RECIPROCAL:
    case POINTWISE_RECIPROCAL_OR_ZERO:
        return ttt_scale(g, ttt_mul(g, dy, ttt_square(g, y)), -1);
    case POINTWISE_SIGMOID:
        return ttt_mul(g, dy, ttt_sub(g, y, ttt_square(g, y)));
    case POINTWISE_SILU:
        return ttt_mul(g, dy, ttt_silu_grad(g, x));
    case POINTWISE_SILU_GRAD:
        return ttt_mul(g, dy, build(g, POINTWISE_SILU_GRAD2, x, TTT_NONE, 0));
    case POINTWISE_GELU:
        return ttt_mul(g, dy, ttt_gelu_grad(g, x));
    case POINTWISE_GELU_GRAD:
        return ttt_mul(g, dy, build(g, POINTWISE_GELU_GRAD2, x, TTT_NONE, 0));
    case POINTWISE_SOFTPLUS:
        return ttt_mul(g, dy, ttt_sigmoid(g, x));
    default:
        return ttt_graph_fail(g, TTT_UNSUPPORTED, "third derivatives of silu and gelu are not there");
    }
}

static void binary_gradient(ttt_graph *g, enum pointwise_function function, ttt_tensor a, ttt_tensor b,
                            ttt_tensor dy, ttt_tensor *da, ttt_tensor *db)
{
    switch (function) {
    case POINTWISE_ADD:
        *da = *db = dy;
        break;
    case POINTWISE_SUB:
        *da = dy;
        *db = ttt_scale(g, dy, -1);
        break;
    case POINTWISE_MUL:
        *da = ttt_mul(g, dy, b);
        *db = ttt_mul(g, dy, a);
        break;
    default: { /* division */
        ttt_tensor over_b = ttt_div(g, dy, b);
        *da = over_b;
        *db = ttt_scale(g, ttt_mul(g, over_b, ttt_div(g, a, b)), -1);
    }
    }
}

/* The graph differentiates before it fuses, so a node here has one instruction. */
static void pointwise_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *dy, const bool *wanted,
                               ttt_tensor *dx)
{
    const struct pointwise_program *program = ttt_node_attributes(node);
    const struct pointwise_instruction *instruction = &program->instructions[0];
    ttt_tensor a = ttt_node_input(node, 0), b = ttt_node_input(node, program->n_inputs - 1);
    if (instruction->function > POINTWISE_DIV) {
        dx[0] = unary_gradient(g, instruction, a, ttt_node_output(node, 0), dy[0]);
        return;
    }
    ttt_tensor da, db;
    binary_gradient(g, instruction->function, a, b, dy[0], &da, &db);
    if (program->n_inputs == 1) {
        dx[0] = ttt_add(g, da, db);
        return;
    }
    if (wanted[0])
        dx[0] = ttt_sum_to(g, da, ttt_shape_of(g, a));
    if (wanted[1])
        dx[1] = ttt_sum_to(g, db, ttt_shape_of(g, b));
}

static ttt_cost pointwise_cost(const ttt_launch *launch)
{
    const struct pointwise_program *program = launch->attributes;
    ttt_cost cost = {.flops =
                         (double)program->n_instructions * (double)ttt_operand_elements(&launch->out[0])};
    for (int i = 0; i < launch->n_in; i++) { /* what is broadcast is read once */
        double bytes = (double)ttt_dtype_size(launch->in[i].dtype);
        for (int d = 0; d < launch->in[i].shape.rank; d++)
            bytes *= launch->in[i].stride[d] ? (double)launch->in[i].shape.size[d] : 1;
        cost.bytes += bytes;
    }
    for (int i = 0; i < launch->n_out; i++)
        cost.bytes += (double)ttt_operand_bytes(&launch->out[i]);
    return cost;
}

/* Emulated builds cannot compile for the device. */
#ifdef TTT_CUDA_EMULATED
#define COMPILED
#else
#define COMPILED TTT_CUDA_ROW(&ttt_pointwise_compiled)
#endif

static const ttt_implementation *const implementations[] = {
    &ttt_pointwise_cpu, COMPILED TTT_CUDA_ROW(&ttt_pointwise_interpreted) NULL};

const ttt_operator ttt_op_pointwise = {
    .name = "pointwise",
    .attribute_size = sizeof(struct pointwise_program),
    .gradient = pointwise_gradient,
    .cost = pointwise_cost,
    .overwrites = ~0u,
    .all_overwrite = true,
    .compose = pointwise_compose,
    .bf16_takes = ~0u,
    .bf16_gives = ~0u,
    .implementations = implementations,
};
