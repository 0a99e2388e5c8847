/* The published ViT^3 sizes, and what makes sizes valid. */
#include "vision/vittt_config.h"

#include <string.h>

ttt_status vittt_config_named(const char *name, struct vittt_config *config)
{
    static const struct {
        const char *name;
        int width, depth, heads;
        float drop_path;
    } sizes[] = {{"vittt_tiny", 192, 12, 6, 0.0f},
                 {"vittt_small", 384, 12, 6, 0.1f},
                 {"vittt_base", 768, 12, 12, 0.4f}};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!strcmp(sizes[i].name, name)) {
            *config = (struct vittt_config){.image_height = 224,
                                            .image_width = 224,
                                            .patch = 16,
                                            .width = sizes[i].width,
                                            .depth = sizes[i].depth,
                                            .heads = sizes[i].heads,
                                            .mlp_ratio = 4,
                                            .classes = 1000,
                                            .drop_path = sizes[i].drop_path};
            return ttt_variant_named("baseline", &config->variant);
        }
    return ttt_fail(TTT_ARGUMENT, "no model is called '%s'; there are vittt_tiny, vittt_small and vittt_base",
                    name);
}

ttt_status vittt_config_check(const struct vittt_config *c)
{
    if (c->patch < 1 || c->image_height < 1 || c->image_width < 1 || c->width < 1 || c->heads < 1 ||
        c->depth < 1 || c->classes < 1)
        return ttt_fail(TTT_ARGUMENT,
                        "image size, patch, width, depth, heads and classes must be at least 1");
    if (c->image_height % c->patch || c->image_width % c->patch)
        return ttt_fail(TTT_SHAPE, "image size %dx%d (height x width) is not a multiple of the patch %d",
                        c->image_height, c->image_width, c->patch);
    if (c->width % c->heads)
        return ttt_fail(TTT_SHAPE, "width %d is not a multiple of heads %d", c->width, c->heads);
    if ((int)((float)c->width * c->mlp_ratio) < 1)
        return ttt_fail(TTT_ARGUMENT, "mlp_ratio %g leaves the MLP of width %d empty", (double)c->mlp_ratio,
                        c->width);
    if (c->drop_path < 0 || c->drop_path >= 1)
        return ttt_fail(TTT_ARGUMENT, "drop_path %g is not in [0, 1)", (double)c->drop_path);
    if (c->variant.inner_steps < 1)
        return ttt_fail(TTT_ARGUMENT, "inner_steps %d is less than 1", c->variant.inner_steps);
    return TTT_OK;
}
