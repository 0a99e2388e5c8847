/* The gradient norm, and AdamW with clipping and skipping. */
#include "ttt/ops/optimiser/optimiser.h"

#include <math.h>
#include <string.h>

#include "tests/ttt/oracle/oracle.h"

static const struct op_case norm_cases[] = {
    {"one element", {{{1, {1}}}}},
    {"several", {{{2, {5, 7}}}, {{1, {33}}}, {{3, {2, 3, 4}}}, {{1, {1}}}}},
    {"large", {{{2, {129, 65}}}, {{1, {70001}}, CONTIGUOUS, OFFSET}}},
    {"out of line", {{{2, {3, 4097}}, CUT_FIRST}, {{1, {5}}}}},
    {"tiny and huge", {{{1, {100}}, CONTIGUOUS, CONSTANT, 1e-30}, {{1, {100}}, CONTIGUOUS, CONSTANT, 1e25}}},
};

static struct op_case norm_at(int i)
{
    return norm_cases[i];
}

static int input_count(const struct op_case *c)
{
    int count = 0;
    while (count < OP_MAX && c->in[count].shape.rank)
        count++;
    return count;
}

static int build_norm(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] = ttt_gradient_norm(g, in, input_count(c));
    return 1;
}

static void norm(const struct op_case *c, const double *const *in, double *const *out)
{
    double sum = 0;
    for (int k = 0; k < input_count(c); k++)
        for (int64_t i = 0; i < op_elements(&c->in[k]); i++)
            sum += in[k][i] * in[k][i];
    out[0][0] = sqrt(sum);
}

const struct op_test oracle_gradient_norm = {
    .op = "gradient_norm",
    .n_cases = sizeof norm_cases / sizeof *norm_cases,
    .at = norm_at,
    .build = build_norm,
    .forward = norm,
    .no_gradient = true,
    .any_threads = true,
};

/* Inputs: norm, loss, rate, steps, then parameter, gradient, mean, variance of each parameter.
 * value: clip, skip_over, decay of the first parameter, of the second. */
#define SCALAR(x)                                                                                            \
    {                                                                                                        \
        {1, {1}}, CONTIGUOUS, CONSTANT, (x)                                                                  \
    }
#define STEPS(x)                                                                                             \
    {                                                                                                        \
        {1, {1}}, CONTIGUOUS, CONSTANT, (x), .variable = true, .written = true                               \
    }
#define STATE(...)                                                                                           \
    {__VA_ARGS__, .variable = true, .written = true}, {__VA_ARGS__},                                         \
        {__VA_ARGS__, .variable = true, .written = true},                                                    \
    {                                                                                                        \
        __VA_ARGS__, CONTIGUOUS, POSITIVE, .variable = true, .written = true                                 \
    }

static const struct op_case adamw_cases[] = {
    {"first step", {SCALAR(2), SCALAR(1), SCALAR(1e-2), STEPS(0), STATE({2, {5, 7}})}, .value = {0, 0, 0.05}},
    {"a later step",
     {SCALAR(2), SCALAR(1), SCALAR(1e-2), STEPS(41), STATE({1, {33}})},
     .value = {0, 0, 0.05}},
    {"no decay", {SCALAR(2), SCALAR(1), SCALAR(1e-1), STEPS(3), STATE({1, {17}})}, .value = {0}},
    {"clipped", {SCALAR(20), SCALAR(1), SCALAR(1e-2), STEPS(3), STATE({1, {17}})}, .value = {5, 0, 0.05}},
    {"below the clip",
     {SCALAR(2), SCALAR(1), SCALAR(1e-2), STEPS(3), STATE({1, {17}})},
     .value = {5, 0, 0.05}},
    {"over the limit",
     {SCALAR(51), SCALAR(1), SCALAR(1e-2), STEPS(3), STATE({1, {17}})},
     .value = {5, 10, 0.05}},
    {"under the limit",
     {SCALAR(49), SCALAR(1), SCALAR(1e-2), STEPS(3), STATE({1, {17}})},
     .value = {5, 10, 0.05}},
    {"norm is not finite",
     {SCALAR(INFINITY), SCALAR(1), SCALAR(1e-2), STEPS(3), STATE({1, {9}})},
     .value = {5}},
    {"loss is not finite",
     {SCALAR(1), SCALAR(-INFINITY), SCALAR(1e-2), STEPS(3), STATE({1, {9}})},
     .value = {5}},
    {"two parameters",
     {SCALAR(7), SCALAR(1), SCALAR(1e-2), STEPS(9), STATE({2, {5, 7}}), STATE({1, {9}})},
     .value = {5, 10, 0.05, 0}},
    {"large", {SCALAR(7), SCALAR(1), SCALAR(1e-3), STEPS(9), STATE({2, {129, 257}})}, .value = {5, 10, 0.05}},
};

static struct op_case adamw_at(int i)
{
    return adamw_cases[i];
}

static const ttt_adamw_options usual = {.beta1 = 0.9F, .beta2 = 0.95F, .eps = 1e-8F};

static int build_adamw(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    ttt_adamw_parameter parameters[2];
    ttt_adamw_options options = usual;
    int count = (input_count(c) - 4) / 4;
    for (int k = 0; k < count; k++) {
        const ttt_tensor *state = in + 4 + 4 * k;
        parameters[k] = (ttt_adamw_parameter){state[0], state[1], state[2], state[3], (float)c->value[2 + k]};
    }
    options.clip = (float)c->value[0];
    options.skip_over = (float)c->value[1];
    out[0] = ttt_adamw(g, parameters, count, in[0], in[1], in[2], in[3], options);
    return 1;
}

/* state, new_state: parameter, (gradient,) mean, variance. */
static void step_parameter(const struct op_case *c, int k, double scale, double rate, double steps,
                           const double *const *state, double *const *new_state)
{
    double beta1 = usual.beta1, beta2 = usual.beta2, decay = (float)c->value[2 + k];
    for (int64_t i = 0; i < op_elements(&c->in[4 + 4 * k]); i++) {
        double gradient = state[1][i] * scale;
        double mean = beta1 * state[2][i] + (1 - beta1) * gradient;
        double variance = beta2 * state[3][i] + (1 - beta2) * gradient * gradient;
        double step =
            mean / (1 - pow(beta1, steps)) / (sqrt(variance / (1 - pow(beta2, steps))) + (double)usual.eps);
        new_state[0][i] = state[0][i] - rate * (decay * state[0][i] + step);
        new_state[1][i] = mean;
        new_state[2][i] = variance;
    }
}

/* Outputs: taken, steps, then parameter, mean, variance of each parameter. */
static void adamw(const struct op_case *c, const double *const *in, double *const *out)
{
    double clip = (float)c->value[0], skip_over = c->value[1], size = in[0][0];
    bool taken = isfinite(size) && isfinite(in[1][0]) && !(skip_over > 0 && size > skip_over * clip);
    double scale = clip > 0 ? fmin(1, clip / (size + 1e-6)) : 1;
    out[0][0] = taken;
    out[1][0] = in[3][0] + taken;
    for (int k = 0; k < (input_count(c) - 4) / 4; k++) {
        const double *const *state = in + 4 + 4 * k;
        size_t bytes = (size_t)op_elements(&c->in[4 + 4 * k]) * sizeof(double);
        for (int part = 0; part < 3; part++)
            memcpy(out[2 + 3 * k + part], state[part ? part + 1 : 0], bytes);
        if (taken)
            step_parameter(c, k, scale, in[2][0], out[1][0], state, out + 2 + 3 * k);
    }
}

const struct op_test oracle_adamw = {
    .op = "adamw",
    .n_cases = sizeof adamw_cases / sizeof *adamw_cases,
    .at = adamw_at,
    .build = build_adamw,
    .forward = adamw,
    .no_gradient = true,
    .any_threads = true,
};
