/* The row "packed" of matmul: large products by our own kernel (packed.h), one after another. */
#include "ttt/ops/matmul/matmul_rows.h"
#include "ttt/ops/matmul/packed.h"
#include "ttt/ops/matmul/product.h"

static ttt_packed_product packed_of(const ttt_launch *launch, const ttt_product *p)
{
    return (ttt_packed_product){
        .m = p->m,
        .n = p->n,
        .k = p->k,
        .a_row = p->a_row,
        .a_column = p->a_column,
        .b_row = p->b_row,
        .b_column = p->b_column,
        .threads = launch->threads,
    };
}

static size_t packed_workspace(const ttt_launch *launch)
{
    ttt_product p = ttt_product_of(launch);
    ttt_packed_product packed = packed_of(launch, &p);
    return ttt_packed_workspace(&packed);
}

static ttt_status packed_run(const ttt_launch *launch)
{
    const ttt_product p = ttt_product_of(launch);
    const float *c = launch->in[2].data;
    struct ttt_matmul_epilogue epilogue = {.attributes = launch->attributes, .n = p.n};
    ttt_packed_product packed = packed_of(launch, &p);
    packed.context = &epilogue;
    for (int64_t batch = 0; batch < p.batches; batch++) {
        for (int64_t term = 0; term < p.terms; term++) {
            int64_t in_a, in_b;
            ttt_product_offsets(&p, batch, term, &in_a, &in_b);
            packed.a = (const float *)launch->in[0].data + in_a;
            packed.b = (const float *)launch->in[1].data + in_b;
            packed.c = (float *)launch->out[0].data + batch * p.m * p.n;
            packed.add = term > 0;
            epilogue.c = c ? c + batch * p.m * p.n : NULL;
            epilogue.y = packed.c;
            packed.beside = epilogue.c;
            packed.finish = term == p.terms - 1 ? ttt_matmul_finisher(&epilogue) : NULL;
            ttt_packed_multiply(&packed, launch->workspace);
        }
    }
    return TTT_OK;
}

const ttt_implementation ttt_matmul_packed = {
    .name = "packed",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .workspace = packed_workspace,
    .run = packed_run,
};
