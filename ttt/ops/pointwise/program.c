/* Joining two pointwise programs into one, in which every value is computed once. */
#include "ttt/ops/pointwise/program.h"

#include <string.h>

static bool reads_two(uint8_t function)
{
    return function <= POINTWISE_DIV || function >= POINTWISE_SILU_GRAD_OF;
}

/* The number of an instruction's result in the program; -1 when the program is full. */
static int value_of(struct pointwise_program *program, enum pointwise_function function, int a, int b,
                    float constant)
{
    const struct pointwise_instruction wanted = {(uint8_t)function, (uint8_t)a, (uint8_t)b, constant};
    for (int i = 0; i < program->n_instructions; i++) {
        const struct pointwise_instruction *have = &program->instructions[i];
        if (have->function == wanted.function && have->a == wanted.a && have->constant == wanted.constant &&
            (have->b == wanted.b || !reads_two(wanted.function)))
            return program->n_inputs + i;
    }
    if (program->n_instructions == POINTWISE_MOST_INSTRUCTIONS)
        return -1;
    program->instructions[program->n_instructions] = wanted;
    return program->n_inputs + program->n_instructions++;
}

/* The same for an instruction of another program, with other operands.  Silu and its derivatives are taken
 * apart, so that all of one value share its sigmoid. */
static int append(struct pointwise_program *program, struct pointwise_instruction instruction, int a, int b)
{
    static const enum pointwise_function of_sigmoid[] = {[POINTWISE_SILU] = POINTWISE_MUL,
                                                         [POINTWISE_SILU_GRAD] = POINTWISE_SILU_GRAD_OF,
                                                         [POINTWISE_SILU_GRAD2] = POINTWISE_SILU_GRAD2_OF};
    enum pointwise_function function = instruction.function;
    if (function == POINTWISE_SILU || function == POINTWISE_SILU_GRAD || function == POINTWISE_SILU_GRAD2) {
        b = value_of(program, POINTWISE_SIGMOID, a, a, 0);
        function = of_sigmoid[function];
    }
    return b < 0 ? -1 : value_of(program, function, a, b, instruction.constant);
}

/* Appends `from`'s instructions to `to`; value[i] is the number in `to` of from's value i, filled in on the
 * way.  False when they do not fit. */
static bool append_all(struct pointwise_program *to, const struct pointwise_program *from, uint8_t *value)
{
    for (int i = 0; i < from->n_instructions; i++) {
        const struct pointwise_instruction *instruction = &from->instructions[i];
        int result = append(to, *instruction, value[instruction->a], value[instruction->b]);
        if (result < 0)
            return false;
        value[from->n_inputs + i] = (uint8_t)result;
    }
    return true;
}

static bool add_outputs(struct pointwise_program *to, const struct pointwise_program *from,
                        const uint8_t *value)
{
    if (to->n_outputs + from->n_outputs > POINTWISE_MOST_OUTPUTS)
        return false;
    for (int i = 0; i < from->n_outputs; i++)
        to->outputs[to->n_outputs++] = value[from->outputs[i]];
    return true;
}

bool pointwise_compose(void *merged, const void *first, const int *first_inputs, bool keep,
                       const void *second, const int *second_inputs, int n_inputs)
{
    const struct pointwise_program *p = first, *c = second;
    struct pointwise_program *program = merged;
    if (n_inputs > POINTWISE_MOST_INPUTS)
        return false;
    memset(program, 0, sizeof *program);
    program->n_inputs = n_inputs;

    uint8_t value[2][POINTWISE_MOST_INPUTS + POINTWISE_MOST_INSTRUCTIONS] = {0};
    for (int i = 0; i < p->n_inputs; i++)
        value[0][i] = (uint8_t)first_inputs[i];
    if (!append_all(program, p, value[0]) || (keep && !add_outputs(program, p, value[0])))
        return false;
    for (int i = 0; i < c->n_inputs; i++)
        value[1][i] =
            second_inputs[i] < 0 ? value[0][p->outputs[-1 - second_inputs[i]]] : (uint8_t)second_inputs[i];
    return append_all(program, c, value[1]) && add_outputs(program, c, value[1]);
}
