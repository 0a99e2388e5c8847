/* The published LaCT-NVS sizes, and what makes sizes valid. */
#include "vision/lact_nvs_config.h"

#include <string.h>

ttt_status lact_nvs_config_named(const char *name, struct lact_nvs_config *config)
{
    static const struct {
        const char *name;
        int width, depth, head_dim, fast_head_dim, inter_multi;
    } sizes[] = {{"lact_nvs_nano", 128, 4, 32, 128, 1},
                 {"lact_nvs_l12", 768, 12, 64, 768, 1},
                 {"lact_nvs_l24_x2", 768, 24, 64, 768, 2},
                 {"lact_nvs_l24_x4", 768, 24, 64, 768, 4}};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!strcmp(sizes[i].name, name)) {
            *config = (struct lact_nvs_config){.image_height = 128,
                                               .image_width = 128,
                                               .patch = 8,
                                               .width = sizes[i].width,
                                               .depth = sizes[i].depth,
                                               .head_dim = sizes[i].head_dim,
                                               .fast_head_dim = sizes[i].fast_head_dim,
                                               .inter_multi = sizes[i].inter_multi,
                                               .base_lr = 0.01,
                                               .muon_update_steps = 5,
                                               .num_input_views = 2,
                                               .num_target_views = 6};
            return ttt_variant_named("baseline", &config->variant);
        }
    return ttt_fail(TTT_ARGUMENT,
                    "no model is called '%s'; there are lact_nvs_nano, lact_nvs_l12, lact_nvs_l24_x2 and "
                    "lact_nvs_l24_x4",
                    name);
}

ttt_status lact_nvs_config_check(const struct lact_nvs_config *c)
{
    if (c->patch < 1 || c->image_height < 1 || c->image_width < 1 || c->width < 1 || c->depth < 1 ||
        c->head_dim < 1 || c->fast_head_dim < 1 || c->num_input_views < 1 || c->num_target_views < 1)
        return ttt_fail(
            TTT_ARGUMENT,
            "image size, patch, width, depth, head widths and numbers of views must be at least 1");
    if (c->image_height % c->patch || c->image_width % c->patch)
        return ttt_fail(TTT_SHAPE, "image size %dx%d (height x width) is not a multiple of the patch %d",
                        c->image_height, c->image_width, c->patch);
    if (c->width % c->head_dim)
        return ttt_fail(TTT_SHAPE, "width %d is not a multiple of head_dim %d", c->width, c->head_dim);
    if (c->width % c->fast_head_dim)
        return ttt_fail(TTT_SHAPE, "width %d is not a multiple of fast_head_dim %d", c->width,
                        c->fast_head_dim);
    if (c->inter_multi * c->fast_head_dim < 1)
        return ttt_fail(TTT_ARGUMENT, "inter_multi %g leaves the fast weights of width %d empty",
                        c->inter_multi, c->fast_head_dim);
    if (c->variant.kernel == TTT_KERNEL_LINEAR &&
        (int)(c->inter_multi * c->fast_head_dim) != c->fast_head_dim)
        return ttt_fail(TTT_ARGUMENT, "the linear kernel has no hidden layer: inter_multi must be 1, not %g",
                        c->inter_multi);
    if (!(c->base_lr > 0))
        return ttt_fail(TTT_ARGUMENT, "base_lr %g is not above 0", c->base_lr);
    if (c->muon_update_steps < 0 || c->variant.inner_steps < 1)
        return ttt_fail(TTT_ARGUMENT, "muon_update_steps must be at least 0 and inner_steps at least 1");
    return TTT_OK;
}
