/* Kind lact_layer: one LaCT layer over a plan; gradients are those of sum(out.y * in.cotangent). */
#include "ttt/fast/lact.h"

#include "tools/verify/cancelling.h"
#include "tools/verify/computation.h"
#include "tools/verify/kind.h"

/* Of every size in the metadata; tensors of the file bound their products. */
enum { SIZE_MAX_READ = 65536, MUON_STEPS_MAX = 100, WINDOWS_MAX = 1024 };

enum layer_parameter { TO_QKV, LR_WEIGHT, LR_BIAS, W0, W1, W2, O_NORM, C_PROJ, PARAMETER_COUNT };

/* What the metadata say; the reference builds its layers with base_lr 0.01 where they do not. */
struct layer {
    int batch, tokens, dim, head_dim, inter_multi;
    ttt_lact_options options;
    ttt_lact_window plan[WINDOWS_MAX];
    int windows;
    int64_t read; /* tokens that the plan applies the layer to */
};

static ttt_status read_window(const json_t *entry, int64_t tokens, ttt_lact_window *window)
{
    const json_t *start = json_array_get(entry, 0), *end = json_array_get(entry, 1);
    const json_t *update = json_array_get(entry, 2), *apply = json_array_get(entry, 3);
    if (json_array_size(entry) != 4 || !json_is_integer(start) || !json_is_integer(end) ||
        !json_is_boolean(update) || !json_is_boolean(apply))
        return ttt_fail(TTT_FORMAT, "metadata plan has an entry that is not [start, end, update, apply]");
    *window = (ttt_lact_window){json_integer_value(start), json_integer_value(end), json_is_true(update),
                                json_is_true(apply)};
    if (window->start < 0 || window->end <= window->start || window->end > tokens)
        return ttt_fail(TTT_FORMAT, "metadata plan has a window outside of the %lld tokens",
                        (long long)tokens);
    return TTT_OK;
}

static ttt_status read_plan(const struct fixture *fixture, struct layer *layer)
{
    const json_t *plan = json_object_get(fixture->metadata, "plan");
    if (!json_array_size(plan) || json_array_size(plan) > WINDOWS_MAX)
        return ttt_fail(TTT_FORMAT, "metadata plan is not a list of 1 to %d windows", WINDOWS_MAX);
    for (size_t i = 0; i < json_array_size(plan); i++) {
        ttt_lact_window *window = &layer->plan[layer->windows++];
        TRY(read_window(json_array_get(plan, i), layer->tokens, window));
        layer->read += window->apply ? window->end - window->start : 0;
    }
    return layer->read ? TTT_OK : ttt_fail(TTT_FORMAT, "metadata plan applies the layer to no token");
}

static ttt_status read_layer(const struct fixture *fixture, struct layer *layer)
{
    *layer = (struct layer){.options.base_lr = 0.01};
    TRY(fixture_whole(fixture, "shape", "batch", 1, SIZE_MAX_READ, &layer->batch));
    TRY(fixture_whole(fixture, "shape", "tokens", 1, SIZE_MAX_READ, &layer->tokens));
    TRY(fixture_whole(fixture, "shape", "dim", 1, SIZE_MAX_READ, &layer->dim));
    TRY(fixture_whole(fixture, "shape", "head_dim", 1, SIZE_MAX_READ, &layer->head_dim));
    TRY(fixture_whole(fixture, "shape", "inter_multi", 1, SIZE_MAX_READ, &layer->inter_multi));
    TRY(fixture_whole(fixture, "shape", "muon_steps", 0, MUON_STEPS_MAX, &layer->options.muon_steps));
    TRY(fixture_number_or(fixture, "base_lr", 1e-12, 1e6, &layer->options.base_lr));
    TRY(fixture_variant(fixture, &layer->options.variant));
    if (layer->dim % layer->head_dim)
        return ttt_fail(TTT_FORMAT, "metadata shape: dim %d is not a multiple of head_dim %d", layer->dim,
                        layer->head_dim);
    return read_plan(fixture, layer);
}

static void list_parameters(const struct layer *layer, struct parameter parameters[PARAMETER_COUNT])
{
    const int64_t width = layer->dim, d = layer->head_dim, heads = width / d, m = d * layer->inter_multi;
    const struct parameter all[PARAMETER_COUNT] = {
        [TO_QKV] = {.name = "to_qkv.weight", .shape = ttt_dims(3 * width, width)},
        [LR_WEIGHT] = {.name = "lr_fc.weight", .shape = ttt_dims(3 * heads, width)},
        [LR_BIAS] = {.name = "lr_fc.bias", .shape = ttt_dims(3 * heads)},
        [W0] = {.name = "w0", .shape = ttt_dims(heads, d, m)},
        [W1] = {.name = "w1", .shape = ttt_dims(heads, m, d)},
        [W2] = {.name = "w2", .shape = ttt_dims(heads, d, m)},
        [O_NORM] = {.name = "o_norm.weight", .shape = ttt_dims(d)},
        [C_PROJ] = {.name = "c_proj.weight", .shape = ttt_dims(width, width)},
    };
    for (int i = 0; i < PARAMETER_COUNT; i++)
        parameters[i] = all[i];
}

static ttt_status build(struct computation *c, struct layer *layer)
{
    struct parameter parameters[PARAMETER_COUNT];
    ttt_tensor tensors[PARAMETER_COUNT + 1], gradients[PARAMETER_COUNT + 1], x, cotangent;
    TRY(read_layer(c->fixture, layer));
    TRY(computation_input(c, "in.x", ttt_dims(layer->batch, layer->tokens, layer->dim), &x));
    TRY(computation_input(c, "in.cotangent", ttt_dims(layer->batch, layer->read, layer->dim), &cotangent));
    list_parameters(layer, parameters);
    TRY(computation_parameters(c, parameters, PARAMETER_COUNT, tensors));
    tensors[PARAMETER_COUNT] = x;

    const ttt_lact_weights weights = {tensors[TO_QKV],  tensors[LR_WEIGHT],
                                      tensors[LR_BIAS], {tensors[W0], tensors[W1], tensors[W2]},
                                      tensors[O_NORM],  tensors[C_PROJ]};
    ttt_tensor y = ttt_lact_layer(c->graph, &layer->options, &weights, x, layer->plan, layer->windows, NULL);
    ttt_gradient_from(c->graph, y, cotangent, tensors, PARAMETER_COUNT + 1, gradients);
    TRY(ttt_graph_status(c->graph));
    TRY(computation_output(c, "out.y", y));
    for (int i = 0; i < PARAMETER_COUNT; i++)
        TRY(computation_gradient(c, parameters[i].name, tensors[i], gradients[i]));
    return computation_gradient(c, "x", x, gradients[PARAMETER_COUNT]);
}

ttt_status verify_lact_layer(const struct fixture *fixture, const struct verify_place *place,
                             struct report *report)
{
    struct computation c;
    struct layer layer;
    TRY(computation_create(fixture, place, &c));
    ttt_status status = TTT_OK;
    TRY_TO(build(&c, &layer), cleanup);
    if (layer.options.variant.condition_gradient)
        computation_quantities(&c, VERIFY_CONDITIONED);
    TRY_TO(computation_run(&c), cleanup);
    TRY_TO(computation_report(&c, report), cleanup);
    cancelling_allow(fixture, report);
cleanup:
    computation_destroy(&c);
    return status;
}
