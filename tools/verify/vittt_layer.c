/* Kind vittt_layer: one ViTTT layer; gradients are those of sum(out.y * in.cotangent). */
#include "ttt/fast/vittt.h"

#include <stdio.h>

#include "tools/verify/computation.h"
#include "tools/verify/kind.h"

/* Of every size in the metadata; tensors of the file bound their products. */
enum { SIZE_MAX_READ = 65536 };

enum layer_parameter { QKV_WEIGHT, QKV_BIAS, W1, W2, W3, PROJ_WEIGHT, PROJ_BIAS, PARAMETER_COUNT };

struct layer_shape {
    int batch, h, w, dim, heads;
};

static ttt_status read_shape(const struct fixture *fixture, struct layer_shape *s)
{
    TRY(fixture_whole(fixture, "shape", "batch", 1, SIZE_MAX_READ, &s->batch));
    TRY(fixture_whole(fixture, "shape", "h", 1, SIZE_MAX_READ, &s->h));
    TRY(fixture_whole(fixture, "shape", "w", 1, SIZE_MAX_READ, &s->w));
    TRY(fixture_whole(fixture, "shape", "dim", 1, SIZE_MAX_READ, &s->dim));
    TRY(fixture_whole(fixture, "shape", "heads", 1, SIZE_MAX_READ, &s->heads));
    if (s->dim % s->heads)
        return ttt_fail(TTT_FORMAT, "metadata shape: dim %d is not a multiple of heads %d", s->dim, s->heads);
    return TTT_OK;
}

static void list_parameters(const struct layer_shape *s, struct parameter parameters[PARAMETER_COUNT])
{
    const int c = s->dim, heads = s->heads, d = c / heads;
    const ttt_shape fast = ttt_dims(1, heads, d, d);
    const struct parameter all[PARAMETER_COUNT] = {
        [QKV_WEIGHT] = {.name = "qkv.weight", .shape = ttt_dims(3 * c + 3 * d, c)},
        [QKV_BIAS] = {.name = "qkv.bias", .shape = ttt_dims(3 * c + 3 * d)},
        [W1] = {.name = "w1", .shape = fast},
        [W2] = {.name = "w2", .shape = fast},
        [W3] = {.name = "w3", .shape = ttt_dims(d, 1, 3, 3)},
        [PROJ_WEIGHT] = {.name = "proj.weight", .shape = ttt_dims(c, c + d)},
        [PROJ_BIAS] = {.name = "proj.bias", .shape = ttt_dims(c)},
    };
    for (int i = 0; i < PARAMETER_COUNT; i++)
        parameters[i] = all[i];
}

static ttt_tensor forward(ttt_graph *g, const struct layer_shape *s, const ttt_variant *variant,
                          const ttt_tensor *p, ttt_tensor x)
{
    const ttt_vittt_weights weights = {p[QKV_WEIGHT], p[QKV_BIAS],    p[W1],       p[W2],
                                       p[W3],         p[PROJ_WEIGHT], p[PROJ_BIAS]};
    ttt_tensor grid = ttt_reshape(g, x, ttt_dims(s->batch, s->h, s->w, s->dim));
    return ttt_reshape(g, ttt_vittt_layer(g, &weights, grid, variant), ttt_shape_of(g, x));
}

static ttt_status build(struct computation *c)
{
    struct layer_shape s;
    ttt_variant variant;
    struct parameter parameters[PARAMETER_COUNT];
    ttt_tensor tensors[PARAMETER_COUNT + 1], gradients[PARAMETER_COUNT + 1], x, cotangent;
    TRY(read_shape(c->fixture, &s));
    TRY(fixture_variant(c->fixture, &variant));
    const ttt_shape sequence = ttt_dims(s.batch, (int64_t)s.h * s.w, s.dim);
    TRY(computation_input(c, "in.x", sequence, &x));
    TRY(computation_input(c, "in.cotangent", sequence, &cotangent));
    list_parameters(&s, parameters);
    TRY(computation_parameters(c, parameters, PARAMETER_COUNT, tensors));
    tensors[PARAMETER_COUNT] = x;

    ttt_tensor y = forward(c->graph, &s, &variant, tensors, x);
    ttt_gradient_from(c->graph, y, cotangent, tensors, PARAMETER_COUNT + 1, gradients);
    TRY(ttt_graph_status(c->graph));
    TRY(computation_output(c, "out.y", y));
    for (int i = 0; i < PARAMETER_COUNT; i++)
        TRY(computation_gradient(c, parameters[i].name, tensors[i], gradients[i]));
    return computation_gradient(c, "x", x, gradients[PARAMETER_COUNT]);
}

ttt_status verify_vittt_layer(const struct fixture *fixture, const struct verify_place *place,
                              struct report *report)
{
    struct computation c;
    TRY(computation_create(fixture, place, &c));
    ttt_status status = TTT_OK;
    TRY_TO(build(&c), cleanup);
    TRY_TO(computation_run(&c), cleanup);
    TRY_TO(computation_report(&c, report), cleanup);
cleanup:
    computation_destroy(&c);
    return status;
}
