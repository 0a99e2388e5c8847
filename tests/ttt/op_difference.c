/* Central differences of the oracle, and the comparison with them. */
#include "tests/ttt/op_difference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "ttt/base/random.h"

/* Four-point differences: truncation costs step^4, rounding 1e-16 / step, and / step^2 for second ones. */
static const double first_step = 1e-3, second_step = 1e-2;
static const double offsets[] = {-2, -1, 1, 2}, weights[] = {1. / 12, -8. / 12, 8. / 12, -1. / 12};

enum { DIRECTIONS = 2, LARGE = 1000 };

/* Element i of a random direction of signs. */
static double sign_of(ttt_random *random)
{
    return ttt_random_bits(random) & 1 ? 1 : -1;
}

static double loss(struct op_problem *p, double *const *stored)
{
    double *const *out = op_oracle(p, stored), sum = 0;
    for (int k = 0; k < p->n_built; k++)
        for (int64_t i = 0; i < p->out_count[k]; i++)
            sum += out[k][i] * p->cotangent[k][i];
    return sum;
}

/* All inputs moved by `step` along the directions of the second gradient. */
static void shift(struct op_problem *p, double *const *stored, double step, double **to)
{
    for (int i = 0; i < p->n_in; i++) {
        const double moved = op_differentiable(p, i) ? step : 0;
        for (int64_t k = 0; k < p->stored_count[i]; k++)
            to[i][k] = stored[i][k] + moved * p->direction[i][k];
    }
}

static void allocate_inputs(const struct op_problem *p, double **to)
{
    for (int i = 0; i < p->n_in; i++)
        to[i] = p->stored[i] ? check_alloc((size_t)p->stored_count[i], sizeof **to) : NULL;
}

static void free_inputs(const struct op_problem *p, double **inputs)
{
    for (int i = 0; i < p->n_in; i++)
        free(inputs[i]);
}

/* sum over inputs of <first gradient, direction>: the derivative of the loss along the directions. */
static double first_along_directions(struct op_problem *p, double *const *stored)
{
    double *moved[OP_MAX], derivative = 0;
    allocate_inputs(p, moved);
    for (int k = 0; k < 4; k++) {
        shift(p, stored, offsets[k] * second_step, moved);
        derivative += weights[k] * loss(p, moved) / second_step;
    }
    free_inputs(p, moved);
    return derivative;
}

static void move_along(const struct op_problem *p, int input, const struct op_probe *probe, double step,
                       double *to)
{
    ttt_random random = ttt_random_start(probe->seed, TTT_RANDOM_TEST, 1, 0);
    memcpy(to, p->stored[input], (size_t)p->stored_count[input] * sizeof *to);
    if (probe->element >= 0)
        to[probe->element] += step;
    for (int64_t i = 0; i < p->stored_count[input] && probe->element < 0; i++)
        to[i] += step * sign_of(&random);
}

static double difference(struct op_problem *p, int input, const struct op_probe *probe, double step,
                         double (*function)(struct op_problem *p, double *const *stored))
{
    double *moved[OP_MAX];
    memcpy(moved, p->stored, sizeof moved);
    moved[input] = check_alloc((size_t)p->stored_count[input], sizeof **moved);
    double derivative = 0;
    for (int k = 0; k < 4; k++) {
        move_along(p, input, probe, offsets[k] * step, moved[input]);
        derivative += weights[k] * function(p, moved) / step;
    }
    free(moved[input]);
    return derivative;
}

static void probe_input(struct op_derivatives *d, struct op_problem *p, int input)
{
    int64_t work = p->stored_count[input];
    for (int k = 0; k < p->n_out; k++)
        work += p->out_count[k];
    int elements = work > LARGE ? 2 : OP_MOST_PROBES - DIRECTIONS;
    if (elements > p->stored_count[input])
        elements = (int)p->stored_count[input];
    ttt_random random = ttt_random_start(11, TTT_RANDOM_TEST, (uint64_t)input, 0);
    d->count[input] = elements + DIRECTIONS;
    for (int k = 0; k < d->count[input]; k++) {
        bool all = elements == p->stored_count[input];
        struct op_probe probe = {.element = -1, .seed = (uint64_t)k};
        if (k < elements)
            probe.element = all ? k : (int64_t)ttt_random_below(&random, (uint32_t)p->stored_count[input]);
        d->first[input][k] = d->second[input][k] = probe;
        d->first[input][k].derivative = difference(p, input, &probe, first_step, loss);
        if (op_depth(p) == WITH_SECOND)
            d->second[input][k].derivative =
                difference(p, input, &probe, second_step, first_along_directions);
    }
}

/* The outputs' derivatives along the directions. */
static void differentiate_outputs(struct op_derivatives *d, struct op_problem *p)
{
    double *moved[OP_MAX];
    allocate_inputs(p, moved);
    for (int k = 0; k < p->n_built; k++)
        d->second_of_cotangent[k] = check_alloc((size_t)p->out_count[k], sizeof(double));
    for (int point = 0; point < 4; point++) {
        shift(p, p->stored, offsets[point] * first_step, moved);
        double *const *out = op_oracle(p, moved);
        for (int k = 0; k < p->n_built; k++)
            for (int64_t i = 0; i < p->out_count[k]; i++)
                d->second_of_cotangent[k][i] += weights[point] * out[k][i] / first_step;
    }
    free_inputs(p, moved);
}

void op_derivatives_create(struct op_derivatives *d, struct op_problem *p)
{
    memset(d, 0, sizeof *d);
    d->scale = 1 + fabs(loss(p, p->stored));
    for (int i = 0; i < p->n_in; i++)
        if (op_differentiable(p, i))
            probe_input(d, p, i);
    if (op_depth(p) == WITH_SECOND)
        differentiate_outputs(d, p);
}

void op_derivatives_destroy(struct op_derivatives *d)
{
    for (int k = 0; k < OP_MAX; k++)
        free(d->second_of_cotangent[k]);
}

static double along(const struct op_probe *probe, const float *gradient, int64_t count)
{
    ttt_random random = ttt_random_start(probe->seed, TTT_RANDOM_TEST, 1, 0);
    double sum = 0;
    if (probe->element >= 0)
        return gradient[probe->element];
    for (int64_t i = 0; i < count; i++)
        sum += sign_of(&random) * gradient[i];
    return sum;
}

/* Elements are compared with each other in L2; a direction with the whole gradient's norm, which is the usual
 * size of its derivative.  A few elements may happen to be small: their norm counts as at least a tenth of
 * their share of the gradient's. */
double op_gradient_error(const struct op_derivatives *d, const struct op_result *result)
{
    bool second = result->quantity == SECOND_GRADIENT;
    if (result->input < 0)
        return relative_error(result->data, d->second_of_cotangent[result->output], result->count);
    const struct op_probe *probes = second ? d->second[result->input] : d->first[result->input];
    double norm = 0, worst = 0, square = 0, expected = 0;
    int elements = 0;
    for (int64_t i = 0; i < result->count; i++)
        norm += (double)result->data[i] * result->data[i];
    if (!isfinite(norm))
        return INFINITY;
    double floor = norm > 0 ? sqrt(norm) : d->scale;
    for (int k = 0; k < d->count[result->input]; k++) {
        double error = along(&probes[k], result->data, result->count) - probes[k].derivative;
        if (probes[k].element < 0) {
            worst = fmax(worst, fabs(error) / fmax(floor, fabs(probes[k].derivative)));
            continue;
        }
        elements++;
        square += error * error;
        expected += probes[k].derivative * probes[k].derivative;
    }
    double share = floor * sqrt((double)elements / (double)result->count) / 10;
    return elements ? fmax(worst, sqrt(square) / fmax(sqrt(expected), share)) : worst;
}
