/* The optimiser's operators over all parameters of vittt_tiny. */
#include "tools/bench/op_cases_optimiser.h"

#include <stdio.h>
#include <stdlib.h>

#include "ttt/graph/operator.h"
#include "ttt/ops/copy/copy.h"
#include "ttt/ops/optimiser/optimiser.h"
#include "vision/vittt.h"

ttt_tensor bench_op_input(struct bench_op_graph *g, ttt_dtype dtype, ttt_shape shape)
{
    char name[32];
    snprintf(name, sizeof name, "input%d", g->inputs++);
    return ttt_input(g->graph, name, dtype, shape);
}

/* x as operators of a model in bf16 get it: "copy", which here wants bf16 and gives it to all who take it. */
static ttt_tensor lowered(ttt_graph *g, ttt_tensor x)
{
    static ttt_operator op;
    op = ttt_op_copy;
    op.name = "lowered";
    op.bf16_takes = op.bf16_wants = op.bf16_gives = 1;
    return ttt_node_add_one(g, &op, NULL, &x, 1, TTT_F32, ttt_shape_of(g, x));
}

ttt_tensor bench_op_activation(struct bench_op_graph *g, ttt_shape shape)
{
    ttt_tensor x = bench_op_input(g, TTT_F32, shape);
    return ttt_graph_targets(g->graph, TTT_CUDA, TTT_BF16) ? lowered(g->graph, x) : x;
}

/* What stands beside the parameters of the model. */
struct model {
    struct parameter *parameters;
    ttt_tensor *weights, *others; /* count each; others is for the builder */
    int count;
};

static void model_close(struct model *m)
{
    free(m->parameters);
    free(m->weights);
    free(m->others);
}

static ttt_status model_list(struct model *m)
{
    struct vittt_config config;
    TRY(vittt_config_named("vittt_tiny", &config));
    TRY(vittt_parameters(&config, &m->parameters, &m->count));
    m->weights = calloc((size_t)m->count, sizeof *m->weights);
    m->others = calloc((size_t)m->count, sizeof *m->others);
    return m->weights && m->others ? TTT_OK : ttt_fail(TTT_MEMORY, "no memory for a list of parameters");
}

/* False with the graph's error set when there is no memory. */
static bool model_open(struct bench_op_graph *g, struct model *m)
{
    *m = (struct model){0};
    ttt_status status = model_list(m);
    if (status) {
        ttt_graph_fail(g->graph, ttt_status_code(status), "%s", ttt_status_text(status));
        ttt_status_free(status);
        model_close(m);
        return false;
    }
    for (int i = 0; i < m->count; i++)
        m->weights[i] = ttt_variable(g->graph, m->parameters[i].name, TTT_F32, m->parameters[i].shape);
    return true;
}

/* A variable beside the i-th parameter. */
static ttt_tensor beside(struct bench_op_graph *g, const struct model *m, const char *prefix, int i)
{
    char name[96];
    snprintf(name, sizeof name, "%s%s", prefix, m->parameters[i].name);
    return ttt_variable(g->graph, name, TTT_F32, m->parameters[i].shape);
}

static void fill_with_inputs(struct bench_op_graph *g, const struct model *m)
{
    for (int i = 0; i < m->count; i++)
        m->others[i] = bench_op_input(g, TTT_F32, m->parameters[i].shape);
}

void bench_op_gradient_norm(struct bench_op_graph *g, const int64_t *size)
{
    struct model m;
    (void)size;
    if (!model_open(g, &m))
        return;
    fill_with_inputs(g, &m);
    ttt_output(g->graph, "norm", ttt_gradient_norm(g->graph, m.others, m.count));
    model_close(&m);
}

static void build_adamw(struct bench_op_graph *g, const struct model *m, ttt_adamw_parameter *each,
                        bool averages)
{
    ttt_tensor scalars[3]; /* norm, loss, rate */
    for (int i = 0; i < 3; i++)
        scalars[i] = bench_op_input(g, TTT_F32, ttt_dims(1));
    for (int i = 0; i < m->count; i++)
        each[i] = (ttt_adamw_parameter){.parameter = m->weights[i],
                                        .gradient = bench_op_input(g, TTT_F32, m->parameters[i].shape),
                                        .mean = beside(g, m, "mean.", i),
                                        .variance = beside(g, m, "variance.", i),
                                        .average = averages ? beside(g, m, "ema.", i) : TTT_NONE,
                                        .weight_decay = m->parameters[i].decays ? 0.05f : 0};
    const ttt_adamw_options options = {
        .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8f, .clip = 5, .average_decay = averages ? 0.999 : 0};
    ttt_tensor steps = ttt_variable(g->graph, "steps", TTT_F32, ttt_dims(1));
    ttt_output(g->graph, "taken",
               ttt_adamw(g->graph, each, m->count, scalars[0], scalars[1], scalars[2], steps, options));
}

void bench_op_adamw(struct bench_op_graph *g, const int64_t *size)
{
    struct model m;
    if (!model_open(g, &m))
        return;
    ttt_adamw_parameter *each = calloc((size_t)m.count, sizeof *each);
    if (each)
        build_adamw(g, &m, each, size[0]);
    else
        ttt_graph_fail(g->graph, TTT_MEMORY, "no memory for a list of parameters");
    free(each);
    model_close(&m);
}

void bench_op_accumulate(struct bench_op_graph *g, const int64_t *size)
{
    struct model m;
    (void)size;
    if (!model_open(g, &m))
        return;
    fill_with_inputs(g, &m);
    ttt_accumulate(g->graph, m.weights, m.others, m.count);
    model_close(&m);
}

void bench_op_clear(struct bench_op_graph *g, const int64_t *size)
{
    struct model m;
    (void)size;
    if (!model_open(g, &m))
        return;
    ttt_clear(g->graph, m.weights, m.count);
    model_close(&m);
}
