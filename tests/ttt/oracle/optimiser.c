/* The gradient norm, and AdamW with clipping and skipping. */
#include "ttt/ops/optimiser/optimiser.h"

#include <math.h>
#include <string.h>

#include "tests/ttt/oracle/oracle.h"

enum { MOST_ROWS = 1400 }; /* more tensors than a launch on CUDA takes */

/* option[0]: the rows of the first input are gradients of their own. */
static const struct op_case norm_cases[] = {
    {"one element", {{{1, {1}}}}},
    {"several", {{{2, {5, 7}}}, {{1, {33}}}, {{3, {2, 3, 4}}}, {{1, {1}}}}},
    {"large", {{{2, {129, 65}}}, {{1, {70001}}, CONTIGUOUS, OFFSET}}},
    {"out of line", {{{2, {3, 4097}}, CUT_FIRST}, {{1, {5}}}}},
    {"tiny and huge", {{{1, {100}}, CONTIGUOUS, CONSTANT, 1e-30}, {{1, {100}}, CONTIGUOUS, CONSTANT, 1e25}}},
    {"more than a launch takes", {{{2, {1400, 3}}}}, {1}},
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
    ttt_tensor row[MOST_ROWS];
    const int rows = c->option[0] ? (int)c->in[0].shape.size[0] : 0;
    for (int r = 0; r < rows; r++)
        row[r] = ttt_slice(g, in[0], 0, r, 1);
    out[0] = rows ? ttt_gradient_norm(g, row, rows) : ttt_gradient_norm(g, in, input_count(c));
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

/* Inputs: norm, loss, rate, steps, then parameter, gradient, mean, variance and, if there are averages,
 * average of each parameter.  option[0]: the rows of the first are parameters of their own. value: clip,
 * skip_over, decay of the first parameter, of the second, decay of averages. */
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
#define AVERAGED(...)                                                                                        \
    STATE(__VA_ARGS__),                                                                                      \
    {                                                                                                        \
        __VA_ARGS__, .variable = true, .written = true                                                       \
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
    {"more than a launch takes",
     {SCALAR(7), SCALAR(1), SCALAR(1e-2), STEPS(9), STATE({2, {700, 3}})},
     {1},
     {5, 10, 0.05}},
    {"averaged",
     {SCALAR(7), SCALAR(1), SCALAR(1e-1), STEPS(9), AVERAGED({2, {129, 257}})},
     .value = {5, 10, 0.05, 0, 0.9}},
    {"averaged, skipped",
     {SCALAR(51), SCALAR(1), SCALAR(1e-1), STEPS(3), AVERAGED({1, {17}})},
     .value = {5, 10, 0.05, 0, 0.9}},
    {"averaged, more than a launch takes",
     {SCALAR(7), SCALAR(1), SCALAR(1e-1), STEPS(9), AVERAGED({2, {600, 3}})},
     {1},
     {5, 10, 0.05, 0, 0.9}},
};

static struct op_case adamw_at(int i)
{
    return adamw_cases[i];
}

static const ttt_adamw_options usual = {.beta1 = 0.9F, .beta2 = 0.95F, .eps = 1e-8F};

/* Inputs of each parameter. */
static int each_of(const struct op_case *c)
{
    return c->value[4] > 0 ? 5 : 4;
}

static int parameter_count(const struct op_case *c)
{
    return (input_count(c) - 4) / each_of(c);
}

static ttt_adamw_parameter parameter_of(const struct op_case *c, int k, const ttt_tensor *state)
{
    return (ttt_adamw_parameter){.parameter = state[0],
                                 .gradient = state[1],
                                 .mean = state[2],
                                 .variance = state[3],
                                 .average = each_of(c) > 4 ? state[4] : TTT_NONE,
                                 .weight_decay = (float)c->value[2 + k]};
}

/* The rows of the first parameter. */
static int list_rows(ttt_graph *g, const struct op_case *c, const ttt_tensor *in,
                     ttt_adamw_parameter *parameters)
{
    const int rows = (int)c->in[4].shape.size[0];
    for (int r = 0; r < rows; r++) {
        ttt_tensor row[5];
        for (int i = 0; i < each_of(c); i++)
            row[i] = ttt_slice(g, in[4 + i], 0, r, 1);
        parameters[r] = parameter_of(c, 0, row);
    }
    return rows;
}

static int build_adamw(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    ttt_adamw_parameter parameters[MOST_ROWS];
    ttt_adamw_options options = usual;
    int count = c->option[0] ? list_rows(g, c, in, parameters) : parameter_count(c);
    for (int k = 0; k < count && !c->option[0]; k++)
        parameters[k] = parameter_of(c, k, in + 4 + each_of(c) * k);
    options.clip = (float)c->value[0];
    options.skip_over = (float)c->value[1];
    options.average_decay = c->value[4];
    out[0] = ttt_adamw(g, parameters, count, in[0], in[1], in[2], in[3], options);
    return 1;
}

/* state, new_state: parameter, (gradient,) mean, variance, average. */
static void step_parameter(const struct op_case *c, int k, double scale, double rate, double steps,
                           const double *const *state, double *const *new_state)
{
    double beta1 = usual.beta1, beta2 = usual.beta2, decay = (float)c->value[2 + k];
    for (int64_t i = 0; i < op_elements(&c->in[4 + each_of(c) * k]); i++) {
        double gradient = state[1][i] * scale;
        double mean = beta1 * state[2][i] + (1 - beta1) * gradient;
        double variance = beta2 * state[3][i] + (1 - beta2) * gradient * gradient;
        double step =
            mean / (1 - pow(beta1, steps)) / (sqrt(variance / (1 - pow(beta2, steps))) + (double)usual.eps);
        new_state[0][i] = state[0][i] - rate * (decay * state[0][i] + step);
        new_state[1][i] = mean;
        new_state[2][i] = variance;
        if (each_of(c) > 4)
            new_state[3][i] = c->value[4] * state[4][i] + (1 - c->value[4]) * new_state[0][i];
    }
}

/* Outputs: taken, steps, then parameter, mean, variance, average of each parameter. */
static void adamw(const struct op_case *c, const double *const *in, double *const *out)
{
    double clip = (float)c->value[0], skip_over = c->value[1], size = in[0][0];
    bool taken = isfinite(size) && isfinite(in[1][0]) && !(skip_over > 0 && size > skip_over * clip);
    double scale = clip > 0 ? fmin(1, clip / (size + 1e-6)) : 1;
    const int each = each_of(c);
    out[0][0] = taken;
    out[1][0] = in[3][0] + taken;
    for (int k = 0; k < parameter_count(c); k++) {
        const double *const *state = in + 4 + each * k;
        double *const *new_state = out + 2 + (each - 1) * k;
        size_t bytes = (size_t)op_elements(&c->in[4 + each * k]) * sizeof(double);
        for (int part = 0; part < each - 1; part++)
            memcpy(new_state[part], state[part ? part + 1 : 0], bytes);
        if (taken)
            step_parameter(c, k, scale, in[2][0], out[1][0], state, new_state);
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
