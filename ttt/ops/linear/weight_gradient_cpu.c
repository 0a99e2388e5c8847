/* The row "cpu" of weight_gradient: our own kernel (ops/matmul/packed.h) over d^T x, which sums d's columns
 * as it packs them. */
#include "ttt/ops/linear/linear_rows.h"
#include "ttt/ops/matmul/packed.h"

enum { ALIGNMENT = 64 };

static ttt_packed_product product_of(const ttt_launch *launch)
{
    const ttt_operand *d = &launch->in[0], *x = &launch->in[1];
    return (ttt_packed_product){
        .m = d->shape.size[1],
        .n = x->shape.size[1],
        .k = d->shape.size[0],
        .a = d->data,
        .a_row = 1,
        .a_column = d->stride[0],
        .b = x->data,
        .b_row = x->stride[0],
        .b_column = 1,
        .c = launch->out[0].data,
        .threads = launch->threads,
    };
}

/* Of the sums in double, which come first in the workspace. */
static size_t sums_bytes(const ttt_packed_product *p)
{
    return ((size_t)p->m * sizeof(double) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static size_t cpu_workspace(const ttt_launch *launch)
{
    ttt_packed_product p = product_of(launch);
    return sums_bytes(&p) + ttt_packed_workspace(&p);
}

static ttt_status cpu_run(const ttt_launch *launch)
{
    ttt_packed_product p = product_of(launch);
    float *bias = launch->out[1].data;
    double *sums = launch->workspace;
    p.row_sums = bias ? sums : NULL;
    ttt_packed_multiply(&p, (float *)((char *)launch->workspace + sums_bytes(&p)));
    for (int64_t i = 0; i < p.m && bias; i++)
        bias[i] = (float)sums[i];
    return TTT_OK;
}

const ttt_implementation ttt_weight_gradient_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .workspace = cpu_workspace,
    .run = cpu_run,
};
