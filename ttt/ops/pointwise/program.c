/* Joining two pointwise programs into one. */
#include "ttt/ops/pointwise/program.h"

#include <string.h>

/* Appends `from`'s instructions to `to`; value[i] is the number in `to` of from's value i, filled in on the
 * way. */
static void append(struct pointwise_program *to, const struct pointwise_program *from, uint8_t *value)
{
    for (int i = 0; i < from->n_instructions; i++) {
        struct pointwise_instruction instruction = from->instructions[i];
        instruction.a = value[instruction.a];
        instruction.b = value[instruction.b];
        value[from->n_inputs + i] = (uint8_t)(to->n_inputs + to->n_instructions);
        to->instructions[to->n_instructions++] = instruction;
    }
}

bool pointwise_compose(void *merged, const void *producer, const int *producer_inputs, const void *consumer,
                       const int *consumer_inputs, int n_inputs)
{
    const struct pointwise_program *p = producer, *c = consumer;
    if (n_inputs > POINTWISE_MOST_INPUTS ||
        p->n_instructions + c->n_instructions > POINTWISE_MOST_INSTRUCTIONS)
        return false;
    struct pointwise_program *program = merged;
    memset(program, 0, sizeof *program);
    program->n_inputs = n_inputs;

    uint8_t value[POINTWISE_MOST_INPUTS + POINTWISE_MOST_INSTRUCTIONS] = {0};
    for (int i = 0; i < p->n_inputs; i++)
        value[i] = (uint8_t)producer_inputs[i];
    append(program, p, value);
    uint8_t result = value[p->n_inputs + p->n_instructions - 1];

    for (int i = 0; i < c->n_inputs; i++)
        value[i] = consumer_inputs[i] < 0 ? result : (uint8_t)consumer_inputs[i];
    append(program, c, value);
    return true;
}
