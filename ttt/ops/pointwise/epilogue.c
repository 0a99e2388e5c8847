/* Recognising what a short program does, by following the form of each of its values. */
#include "ttt/ops/pointwise/epilogue.h"

/* What is known of a value. */
struct form {
    enum {
        UNKNOWN,
        AFFINE,          /* x * alpha + c * beta */
        SIGMOID,         /* s(c) */
        GELU_GRAD,       /* alpha gelu'(c) */
        SILU_GRAD,       /* alpha silu'(c) */
        TIMES_GELU_GRAD, /* alpha x gelu'(c) */
        TIMES_SILU_GRAD, /* alpha x silu'(c) */
    } kind;
    float alpha, beta;
};

static const struct form unknown = {.kind = UNKNOWN};

static bool is_x(const struct form *f)
{
    return f->kind == AFFINE && f->beta == 0;
}

/* c itself, not a multiple */
static bool is_c(const struct form *f)
{
    return f->kind == AFFINE && f->alpha == 0 && f->beta == 1;
}

static struct form sum_of(const struct form *a, const struct form *b, float sign)
{
    if (a->kind != AFFINE || b->kind != AFFINE)
        return unknown;
    return (struct form){AFFINE, a->alpha + sign * b->alpha, a->beta + sign * b->beta};
}

static struct form product_of(const struct form *a, const struct form *b)
{
    if (is_x(b))
        return is_x(a) ? unknown : product_of(b, a);
    if (!is_x(a) || (b->kind != GELU_GRAD && b->kind != SILU_GRAD))
        return unknown;
    return (struct form){b->kind == GELU_GRAD ? TIMES_GELU_GRAD : TIMES_SILU_GRAD, a->alpha * b->alpha, 0};
}

static struct form scaled(const struct form *a, float factor)
{
    return a->kind == SIGMOID ? unknown : (struct form){a->kind, a->alpha * factor, a->beta * factor};
}

static struct form form_of(const struct pointwise_instruction *instruction, const struct form *a,
                           const struct form *b)
{
    switch ((enum pointwise_function)instruction->function) {
    case POINTWISE_ADD:
        return sum_of(a, b, 1);
    case POINTWISE_SUB:
        return sum_of(a, b, -1);
    case POINTWISE_MUL:
        return product_of(a, b);
    case POINTWISE_SCALE:
        return scaled(a, instruction->constant);
    case POINTWISE_SIGMOID:
        return is_c(a) ? (struct form){SIGMOID, 1, 0} : unknown;
    case POINTWISE_GELU_GRAD:
        return is_c(a) ? (struct form){GELU_GRAD, 1, 0} : unknown;
    case POINTWISE_SILU_GRAD:
        return is_c(a) ? (struct form){SILU_GRAD, 1, 0} : unknown;
    case POINTWISE_SILU_GRAD_OF: /* b can only be the sigmoid of a: there is one c */
        return is_c(a) && b->kind == SIGMOID ? (struct form){SILU_GRAD, 1, 0} : unknown;
    default:
        return unknown;
    }
}

bool pointwise_epilogue_of(const struct pointwise_program *program, int x,
                           struct pointwise_epilogue *epilogue)
{
    struct form forms[POINTWISE_MOST_INPUTS + POINTWISE_MOST_INSTRUCTIONS];
    if (program->n_inputs > 2 || program->n_outputs != 1)
        return false;
    for (int i = 0; i < program->n_inputs; i++)
        forms[i] = (struct form){AFFINE, i == x, i != x};
    for (int i = 0; i < program->n_instructions; i++) {
        const struct pointwise_instruction *instruction = &program->instructions[i];
        forms[program->n_inputs + i] = form_of(instruction, &forms[instruction->a], &forms[instruction->b]);
    }
    const struct form *form = &forms[program->outputs[0]];
    *epilogue = (struct pointwise_epilogue){.alpha = form->alpha, .beta = form->beta};
    if (form->kind == TIMES_GELU_GRAD)
        epilogue->form = POINTWISE_TIMES_GELU_GRAD;
    else if (form->kind == TIMES_SILU_GRAD)
        epilogue->form = POINTWISE_TIMES_SILU_GRAD;
    else if (form->kind != AFFINE || (form->beta == 0) != (program->n_inputs == 1))
        return false;
    return form->alpha != 0;
}
