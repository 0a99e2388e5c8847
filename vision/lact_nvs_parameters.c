/* The parameters of a LaCT-NVS model: names, shapes, initial values. */
#include <math.h>

#include "vision/lact_nvs.h"

static const double deviation = 0.02;

static void add_block(struct parameter_list *list, int i, const struct lact_nvs_config *c, double residual)
{
    const int d = c->width, heads = d / c->fast_head_dim, fast = c->fast_head_dim;
    const int hidden = (int)(fast * c->inter_multi);
    const double gain = sqrt(2);
    parameter_add(list, i, "module_list.0.ln.weight", ttt_dims(d), INIT_ONES, 0);
    parameter_add(list, i, "module_list.0.f.to_qkv.weight", ttt_dims(3 * d, d), INIT_NORMAL, deviation);
    parameter_add(list, i, "module_list.0.f.c_proj.weight", ttt_dims(d, d), INIT_NORMAL, residual);
    parameter_add(list, i, "module_list.0.f.q_norm.weight", ttt_dims(c->head_dim), INIT_ONES, 0);
    parameter_add(list, i, "module_list.0.f.k_norm.weight", ttt_dims(c->head_dim), INIT_ONES, 0);
    parameter_add(list, i, "module_list.1.ln.weight", ttt_dims(d), INIT_ONES, 0);
    parameter_add(list, i, "module_list.1.f.w0", ttt_dims(heads, fast, hidden), INIT_NORMAL,
                  gain / sqrt(fast));
    parameter_add(list, i, "module_list.1.f.w1", ttt_dims(heads, hidden, fast), INIT_NORMAL,
                  gain / sqrt(hidden));
    parameter_add(list, i, "module_list.1.f.w2", ttt_dims(heads, fast, hidden), INIT_NORMAL,
                  gain / sqrt(fast));
    parameter_add(list, i, "module_list.1.f.to_qkv.weight", ttt_dims(3 * d, d), INIT_NORMAL, deviation);
    parameter_add(list, i, "module_list.1.f.c_proj.weight", ttt_dims(d, d), INIT_NORMAL, residual);
    parameter_add(list, i, "module_list.1.f.lr_fc.weight", ttt_dims(3 * heads, d), INIT_NORMAL, deviation);
    parameter_add(list, i, "module_list.1.f.lr_fc.bias", ttt_dims(3 * heads), INIT_ZEROS, 0);
    parameter_add(list, i, "module_list.1.f.o_norm.weight", ttt_dims(fast), INIT_ONES, 0);
    parameter_add(list, i, "module_list.2.ln.weight", ttt_dims(d), INIT_ONES, 0);
    parameter_add(list, i, "module_list.2.f.c_fc.weight", ttt_dims(4 * d, d), INIT_NORMAL, deviation);
    parameter_add(list, i, "module_list.2.f.c_proj.weight", ttt_dims(d, 4 * d), INIT_NORMAL, residual);
}

ttt_status lact_nvs_parameters(const struct lact_nvs_config *config, struct parameter **parameters,
                               int *count)
{
    TRY(lact_nvs_config_check(config));
    const int d = config->width, pixels = config->patch * config->patch;
    const double residual = deviation / sqrt(3.0 * config->depth);
    struct parameter_list list = {0};
    parameter_add(&list, -1, "input_linear.weight", ttt_dims(d, 12 * pixels), INIT_NORMAL, deviation);
    parameter_add(&list, -1, "input_layernorm.weight", ttt_dims(d), INIT_ONES, 0);
    for (int i = 0; i < config->depth; i++)
        add_block(&list, i, config, residual);
    parameter_add(&list, -1, "image_token_decoder.0.weight", ttt_dims(d), INIT_ONES, 0);
    parameter_add(&list, -1, "image_token_decoder.1.weight", ttt_dims(3 * pixels, d), INIT_NORMAL, deviation);
    return parameter_list_take(&list, parameters, count);
}
