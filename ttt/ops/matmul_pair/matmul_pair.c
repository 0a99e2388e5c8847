/* The operator "matmul_pair". */
#include "ttt/ops/matmul_pair/matmul_pair.h"

#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/matmul/product.h"

ttt_tensor ttt_matmul_pair(ttt_graph *g, ttt_tensor a, ttt_tensor b, ttt_tensor c, ttt_tensor d)
{
    const ttt_tensor first = ttt_matmul(g, a, b), second = ttt_matmul(g, c, d);
    if (!ttt_exists(first) || !ttt_exists(second))
        return TTT_INVALID;
    const ttt_shape shape = ttt_shape_of(g, first), other = ttt_shape_of(g, second);
    if (!ttt_shape_equal(shape, other)) {
        char is[TTT_SHAPE_TEXT], with[TTT_SHAPE_TEXT];
        return ttt_graph_fail(g, TTT_SHAPE, "matmul_pair: products %s and %s differ in shape",
                              ttt_shape_text(shape, is), ttt_shape_text(other, with));
    }
    const struct ttt_matmul_pair_attributes attributes = {1};
    const ttt_tensor inputs[] = {a, b, c, d};
    return ttt_node_add_one(g, &ttt_op_matmul_pair, &attributes, inputs, 4, TTT_F32, shape);
}

ttt_launch ttt_matmul_pair_part(const ttt_launch *launch, int i)
{
    ttt_launch part = *launch;
    part.in += 2 * i;
    part.n_in = 2;
    return part;
}

static ttt_cost pair_cost(const ttt_launch *launch)
{
    double flops = 0;
    for (int i = 0; i < TTT_PAIR; i++) {
        const ttt_launch part = ttt_matmul_pair_part(launch, i);
        const ttt_product p = ttt_product_of(&part);
        flops += 2.0 * (double)p.m * (double)p.n * (double)p.batches * (double)p.k * (double)p.terms;
    }
    return (ttt_cost){.flops = flops};
}

static const ttt_implementation *const implementations[] = {
    TTT_HOPPER_ROW(&ttt_matmul_pair_hopper) TTT_CUDA_ROW(&ttt_matmul_pair_cublas) NULL,
};

const ttt_operator ttt_op_matmul_pair = {
    .name = "matmul_pair",
    .attribute_size = sizeof(struct ttt_matmul_pair_attributes),
    .cost = pair_cost,
    .bf16_wants = 15,
    .bf16_gives = 1,
    .implementations = implementations,
};
