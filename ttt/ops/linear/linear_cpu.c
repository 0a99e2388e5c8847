/* The row "cpu" of linear: our own kernel over packed weights (ops/matmul/packed.h).
 *
 * Sums start from the bias, and each block of results gets its activation or residual before it leaves the
 * cache.
 */
#include "ttt/ops/linear/linear_rows.h"
#include "ttt/ops/matmul/packed.h"

static void finish(const void *context, int64_t row, int64_t rows, int64_t column, int64_t columns)
{
    ttt_linear_finish(context, row, rows, column, columns);
}

static ttt_packed_product product_of(const ttt_launch *launch)
{
    const ttt_operand *x = &launch->in[0], *weight = &launch->in[1];
    bool keeps_sums = launch->n_out > 1 && launch->out[1].data;
    return (ttt_packed_product){
        .m = x->shape.size[0],
        .n = weight->shape.size[0],
        .k = x->shape.size[1],
        .a = x->data,
        .a_row = x->stride[0],
        .a_column = 1,
        .b = weight->data,
        .b_row = 1,
        .b_column = x->shape.size[1],
        .c = keeps_sums ? launch->out[1].data : launch->out[0].data,
        .start = launch->in[2].data,
        .threads = launch->threads,
    };
}

static size_t cpu_workspace(const ttt_launch *launch)
{
    ttt_packed_product p = product_of(launch);
    return ttt_packed_workspace(&p);
}

static ttt_status cpu_run(const ttt_launch *launch)
{
    const struct ttt_linear_epilogue epilogue = ttt_linear_epilogue_of(launch);
    ttt_packed_product p = product_of(launch);
    p.finish = finish;
    p.context = &epilogue;
    p.beside = epilogue.y == p.c ? epilogue.c : epilogue.y;
    ttt_packed_multiply(&p, launch->workspace);
    return TTT_OK;
}

const ttt_implementation ttt_linear_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .workspace = cpu_workspace,
    .run = cpu_run,
};
