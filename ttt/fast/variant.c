/* The named variants, each by what it changes in another. */
#include "ttt/fast/variant.h"

#include <string.h>

#define BASELINE                                                                                             \
    .weight_norm = true, .token_lr = true, .momentum = true, .condition_gradient = true, .inner_steps = 1
#define LAST_LAYER .update = TTT_UPDATE_LAST, .inner_steps = 1
#define LAST_LINEAR LAST_LAYER, .kernel = TTT_KERNEL_LINEAR

static const struct {
    const char *name, *meaning;
    ttt_variant variant;
} named[] = {
    {"baseline", "the published recipe", {BASELINE}},
    {"variant1",
     "only the last layer is updated",
     {LAST_LAYER, .weight_norm = true, .token_lr = true, .momentum = true, .condition_gradient = true}},
    {"variant2",
     "+ no weight norm: a parallel form exists from here on",
     {LAST_LAYER, .token_lr = true, .momentum = true, .condition_gradient = true}},
    {"variant3",
     "+ one linear layer",
     {LAST_LINEAR, .token_lr = true, .momentum = true, .condition_gradient = true}},
    {"variant4", "+ no token rates", {LAST_LINEAR, .momentum = true, .condition_gradient = true}},
    {"variant5", "+ no momentum", {LAST_LINEAR, .condition_gradient = true}},
    {"variant6", "+ no gradient conditioning: linear attention", {LAST_LINEAR}},
    {"gradient_ascent", "the inner loss is ascended", {BASELINE, .direction = TTT_ASCENT}},
    {"replace_q_with_k", "the fast weights are read with the keys", {BASELINE, .query = TTT_QUERY_K}},
    {"mse", "squared error as inner loss", {BASELINE, .loss = TTT_LOSS_MSE}},
};

static const int count = sizeof named / sizeof *named;

ttt_status ttt_variant_named(const char *name, ttt_variant *variant)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(named[i].name, name)) {
            *variant = named[i].variant;
            return TTT_OK;
        }
    return ttt_fail(TTT_ARGUMENT,
                    "no variant is called '%s'; there are baseline, variant1 to variant6, gradient_ascent, "
                    "replace_q_with_k and mse",
                    name);
}

const char *ttt_variant_name(int i)
{
    return i >= 0 && i < count ? named[i].name : NULL;
}

const char *ttt_variant_meaning(int i)
{
    return i >= 0 && i < count ? named[i].meaning : NULL;
}
