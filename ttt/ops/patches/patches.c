/* Pictures to patches and back: shapes, gradients, costs, tables. */
#include "ttt/ops/patches/patches.h"

#include "ttt/ops/patches/patches_rows.h"

ttt_tensor ttt_patches(ttt_graph *g, ttt_tensor images, int p, ttt_patch_order order)
{
    if (!ttt_valid(images))
        return TTT_INVALID;
    const ttt_shape x = ttt_shape_of(g, images);
    char text[TTT_SHAPE_TEXT];
    if (x.rank != 4)
        return ttt_graph_fail(g, TTT_SHAPE,
                              "patches: images must be (batch, channels, height, width), not %s",
                              ttt_shape_text(x, text));
    const int64_t channels = x.size[1], height = x.size[2], width = x.size[3];
    if (p < 1 || height % p != 0 || width % p != 0)
        return ttt_graph_fail(
            g, TTT_SHAPE,
            "patches: pictures of %lld x %lld (height x width) cannot be cut into patches of "
            "side %d",
            (long long)height, (long long)width, p);
    const struct ttt_patches_attributes attributes = {.p = p, .order = order};
    const ttt_tensor input = ttt_contiguous(g, images);
    return ttt_node_add_one(g, &ttt_op_patches, &attributes, &input, 1, ttt_dtype_of(g, images),
                            ttt_dims(x.size[0], height / p, width / p, channels * p * p));
}

ttt_tensor ttt_unpatches(ttt_graph *g, ttt_tensor patches, int p, ttt_patch_order order)
{
    if (!ttt_valid(patches))
        return TTT_INVALID;
    const ttt_shape x = ttt_shape_of(g, patches);
    char text[TTT_SHAPE_TEXT];
    if (x.rank != 4 || p < 1 || x.size[3] % ((int64_t)p * p) != 0)
        return ttt_graph_fail(g, TTT_SHAPE,
                              "unpatches: patches of side %d must be (batch, rows, columns, channels*%d*%d), "
                              "not %s",
                              p, p, p, ttt_shape_text(x, text));
    const int64_t channels = x.size[3] / ((int64_t)p * p);
    const struct ttt_patches_attributes attributes = {.p = p, .order = order};
    const ttt_tensor input = ttt_contiguous(g, patches);
    return ttt_node_add_one(g, &ttt_op_unpatches, &attributes, &input, 1, ttt_dtype_of(g, patches),
                            ttt_dims(x.size[0], channels, x.size[1] * p, x.size[2] * p));
}

static void patches_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                             const bool *wanted, ttt_tensor *in_gradients)
{
    const struct ttt_patches_attributes *attributes = ttt_node_attributes(node);
    if (wanted[0] && ttt_exists(out_gradients[0]))
        in_gradients[0] = ttt_unpatches(g, out_gradients[0], (int)attributes->p, attributes->order);
}

static void unpatches_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                               const bool *wanted, ttt_tensor *in_gradients)
{
    const struct ttt_patches_attributes *attributes = ttt_node_attributes(node);
    if (wanted[0] && ttt_exists(out_gradients[0]))
        in_gradients[0] = ttt_patches(g, out_gradients[0], (int)attributes->p, attributes->order);
}

/* Elements move, nothing is computed; the graph counts the bytes. */
static ttt_cost no_flops(const ttt_launch *launch)
{
    (void)launch;
    return (ttt_cost){0};
}

static const ttt_implementation *const patches_rows[] = {&ttt_patches_cpu,
                                                         TTT_CUDA_ROW(&ttt_patches_cuda) NULL};

const ttt_operator ttt_op_patches = {
    .name = "patches",
    .attribute_size = sizeof(struct ttt_patches_attributes),
    .gradient = patches_gradient,
    .cost = no_flops,
    .bf16_takes = 1 << 0,
    .bf16_gives = 1 << 0,
    .implementations = patches_rows,
};

static const ttt_implementation *const unpatches_rows[] = {&ttt_unpatches_cpu,
                                                           TTT_CUDA_ROW(&ttt_unpatches_cuda) NULL};

const ttt_operator ttt_op_unpatches = {
    .name = "unpatches",
    .attribute_size = sizeof(struct ttt_patches_attributes),
    .gradient = unpatches_gradient,
    .cost = no_flops,
    .bf16_takes = 1 << 0,
    .bf16_gives = 1 << 0,
    .implementations = unpatches_rows,
};
