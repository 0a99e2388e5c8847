/* The operator "rays". */
#include "ttt/ops/rays/rays.h"

#include "ttt/ops/rays/rays_operator.h"

ttt_tensor ttt_rays(ttt_graph *g, ttt_tensor fxfycxcy, ttt_tensor c2w, int64_t height, int64_t width)
{
    if (!ttt_exists(fxfycxcy) || !ttt_exists(c2w))
        return TTT_INVALID;
    ttt_shape pose = ttt_shape_of(g, c2w), lens = ttt_shape_of(g, fxfycxcy);
    const int64_t batch = pose.size[0], views = pose.size[1];
    if (!ttt_shape_equal(pose, ttt_dims(batch, views, 4, 4)) ||
        !ttt_shape_equal(lens, ttt_dims(batch, views, 4))) {
        char a[TTT_SHAPE_TEXT], b[TTT_SHAPE_TEXT];
        return ttt_graph_fail(g, TTT_SHAPE, "rays: fxfycxcy %s and c2w %s are not (B, V, 4) and (B, V, 4, 4)",
                              ttt_shape_text(lens, a), ttt_shape_text(pose, b));
    }
    ttt_tensor inputs[] = {ttt_contiguous(g, fxfycxcy), ttt_contiguous(g, c2w)};
    return ttt_node_add_one(g, &ttt_op_rays, NULL, inputs, 2, TTT_F32,
                            ttt_dims(batch, views, TTT_RAY_CHANNELS, height, width));
}

static ttt_cost rays_cost(const ttt_launch *launch)
{
    return (ttt_cost){.flops = 4 * (double)ttt_operand_elements(&launch->out[0])};
}

const ttt_operator ttt_op_rays = {
    .name = "rays",
    .cost = rays_cost,
    .implementations = (const ttt_implementation *const[]){&ttt_rays_cpu, TTT_CUDA_ROW(&ttt_rays_cuda) NULL},
};
