/* Making problems of cases. */
#include "tests/ttt/op_problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "ttt/base/random.h"

enum { CUT_BEFORE = 2, CUT_AFTER = 3 }; /* elements of a cut row that the operator must not touch */

static void swap(int64_t *a, int64_t *b)
{
    int64_t was = *a;
    *a = *b;
    *b = was;
}

static ttt_shape stored_shape(const struct op_input *input)
{
    ttt_shape s = input->shape;
    int last = s.rank - 1;
    switch (input->layout) {
    case CONTIGUOUS:
        break;
    case TRANSPOSED:
        swap(&s.size[last], &s.size[last - 1]);
        break;
    case HEADS:
        swap(&s.size[last - 1], &s.size[last - 2]);
        break;
    case REVERSED:
        for (int d = 0; d < s.rank; d++)
            s.size[d] = input->shape.size[last - d];
        break;
    case CUT:
        s.size[last] += CUT_BEFORE + CUT_AFTER;
        break;
    case CUT_FIRST:
        s.size[0] += CUT_BEFORE + CUT_AFTER;
        break;
    case REPEATED:
        s.size[0] = 1;
        break;
    }
    return s;
}

ttt_tensor op_view(ttt_graph *graph, const struct op_input *input, ttt_tensor stored)
{
    int order[TTT_MAX_RANK], rank = input->shape.rank;
    switch (input->layout) {
    case TRANSPOSED:
        return ttt_transpose(graph, stored, -1, -2);
    case HEADS:
        return ttt_transpose(graph, stored, -2, -3);
    case REVERSED:
        for (int d = 0; d < rank; d++)
            order[d] = rank - 1 - d;
        return ttt_permute(graph, stored, order);
    case CUT:
        return ttt_slice(graph, stored, -1, CUT_BEFORE, input->shape.size[rank - 1]);
    case CUT_FIRST:
        return ttt_slice(graph, stored, 0, CUT_BEFORE, input->shape.size[0]);
    case REPEATED:
        return ttt_expand(graph, stored, input->shape);
    default:
        return stored;
    }
}

/* Where element `index` of the view lies in memory. */
static int64_t stored_index(const struct op_input *input, const ttt_shape *stored, const int64_t *index)
{
    int rank = input->shape.rank, last = rank - 1;
    int64_t at = 0;
    for (int d = 0; d < rank; d++) {
        int64_t i = index[d];
        if (input->layout == TRANSPOSED && d >= last - 1)
            i = index[last + last - 1 - d];
        else if (input->layout == HEADS && (d == last - 1 || d == last - 2))
            i = index[last + last - 3 - d];
        else if (input->layout == REVERSED)
            i = index[last - d];
        else if ((input->layout == CUT && d == last) || (input->layout == CUT_FIRST && d == 0))
            i += CUT_BEFORE;
        else if (input->layout == REPEATED && d == 0)
            i = 0;
        at = at * stored->size[d] + i;
    }
    return at;
}

static int64_t *find_elements(const struct op_input *input, const ttt_shape *stored)
{
    int64_t count = op_elements(input), index[TTT_MAX_RANK] = {0};
    int64_t *where = check_alloc((size_t)count, sizeof *where);
    for (int64_t i = 0; i < count; i++) {
        where[i] = stored_index(input, stored, index);
        for (int d = input->shape.rank - 1; d >= 0 && ++index[d] == input->shape.size[d]; d--)
            index[d] = 0;
    }
    return where;
}

static double log_uniform(ttt_random *random, double least, double most)
{
    double magnitude = least * pow(most / least, ttt_random_uniform(random));
    return ttt_random_bits(random) & 1 ? magnitude : -magnitude;
}

static double draw(ttt_random *random, const struct op_input *input)
{
    switch (input->fill) {
    case SIGNED:
        return log_uniform(random, 0.1, 2);
    case POSITIVE:
        return 0.3 + 2 * ttt_random_uniform(random);
    case WIDE:
        return log_uniform(random, 0.01, 12);
    case OFFSET:
        return 3 + log_uniform(random, 0.1, 2);
    case CONSTANT:
        return input->value;
    }
    return NAN;
}

static double *draw_all(const struct op_problem *p, ttt_random *random, const struct op_input *input,
                        int64_t count)
{
    double *values = check_alloc((size_t)count, sizeof *values);
    for (int64_t i = 0; i < count; i++) {
        float x = (float)draw(random, input);
        values[i] = p->rounded && input->dtype != TTT_I32 ? ttt_f32_from_bf16(ttt_bf16_from_f32(x)) : x;
    }
    return values;
}

/* Asks the builder how many outputs there are, and of what size. */
static void describe_outputs(struct op_problem *p)
{
    ttt_graph *graph;
    ttt_tensor in[OP_MAX] = {0}, out[OP_MAX];
    check_ok(ttt_graph_create(&graph));
    for (int i = 0; i < p->n_in; i++) {
        const struct op_input *input = &p->c.in[i];
        char name[16];
        snprintf(name, sizeof name, "in%d", i);
        ttt_dtype dtype = input->dtype ? input->dtype : TTT_F32;
        if (input->shape.rank)
            in[i] = input->variable ? ttt_variable(graph, name, dtype, input->shape)
                                    : ttt_input(graph, name, dtype, input->shape);
    }
    p->n_built = p->n_out = p->test->build(graph, &p->c, in, out);
    check_ok(ttt_within(ttt_graph_status(graph), "%s, %s", p->test->op, p->c.name));
    for (int k = 0; k < p->n_built; k++)
        p->out_count[k] = ttt_shape_elements(ttt_shape_of(graph, out[k]));
    for (int i = 0; i < p->n_in; i++)
        if (p->c.in[i].written)
            p->out_count[p->n_out++] = op_elements(&p->c.in[i]);
    ttt_graph_destroy(graph);
}

void op_problem_create(struct op_problem *p, const struct op_test *test, int i, bool rounded)
{
    *p = (struct op_problem){.test = test, .c = test->at(i), .rounded = rounded};
    ttt_random random = ttt_random_start(ttt_hash(test->op), TTT_RANDOM_TEST, (uint64_t)i, 0);
    for (int k = 0; k < OP_MAX; k++) {
        const struct op_input *input = &p->c.in[k];
        if (!input->shape.rank)
            continue;
        p->n_in = k + 1;
        p->stored_shape[k] = stored_shape(input);
        p->stored_count[k] = ttt_shape_elements(p->stored_shape[k]);
        p->where[k] = find_elements(input, &p->stored_shape[k]);
        p->stored[k] = draw_all(p, &random, input, p->stored_count[k]);
        p->direction[k] = draw_all(p, &random, &(struct op_input){.fill = SIGNED}, p->stored_count[k]);
        p->scratch_in[k] = check_alloc((size_t)op_elements(input), sizeof **p->scratch_in);
    }
    describe_outputs(p);
    for (int k = 0; k < p->n_out; k++) {
        p->cotangent[k] = draw_all(p, &random, &(struct op_input){.fill = SIGNED}, p->out_count[k]);
        p->scratch_out[k] = check_alloc((size_t)p->out_count[k], sizeof(double));
        p->expected[k] = check_alloc((size_t)p->out_count[k], sizeof(double));
    }
    double *const *out = op_oracle(p, p->stored);
    for (int k = 0; k < p->n_out; k++)
        memcpy(p->expected[k], out[k], (size_t)p->out_count[k] * sizeof(double));
}

void op_problem_destroy(struct op_problem *p)
{
    for (int k = 0; k < OP_MAX; k++) {
        free(p->where[k]);
        free(p->stored[k]);
        free(p->cotangent[k]);
        free(p->direction[k]);
        free(p->expected[k]);
        free(p->scratch_in[k]);
        free(p->scratch_out[k]);
    }
}

bool op_differentiable(const struct op_problem *p, int i)
{
    const struct op_input *input = &p->c.in[i];
    return input->shape.rank && !input->fixed && input->dtype != TTT_I32 && !p->test->no_gradient;
}

enum depth op_depth(const struct op_problem *p)
{
    if (p->test->no_gradient)
        return FORWARD_ONLY;
    return p->test->second_order && !p->c.first_only ? WITH_SECOND : WITH_GRADIENT;
}

double *const *op_oracle(struct op_problem *p, double *const *stored)
{
    for (int k = 0; k < p->n_in; k++) {
        const int64_t count = p->where[k] ? op_elements(&p->c.in[k]) : 0;
        for (int64_t i = 0; i < count; i++)
            p->scratch_in[k][i] = stored[k][p->where[k][i]];
    }
    p->test->forward(&p->c, (const double *const *)p->scratch_in, p->scratch_out);
    return p->scratch_out;
}
