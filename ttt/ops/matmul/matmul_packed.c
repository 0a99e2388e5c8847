/* The row "packed" of matmul: large products by our own kernel (packed.h), cut into no more parts than keep
 * the threads busy, because parts of one product pack its operands each for itself.
 */
#include <omp.h>

#include "ttt/ops/matmul/matmul_rows.h"
#include "ttt/ops/matmul/packed.h"
#include "ttt/ops/matmul/product.h"

/* Parts for each thread, with which those that wait for the last ones lose little. */
enum { MANY_PARTS = 4 };

/* A product without its operands. */
static ttt_packed_product packed_of(const ttt_launch *launch, const ttt_product *p)
{
    const int64_t threads = launch->threads;
    int64_t parts = 1;
    while (parts < threads && p->batches * parts % threads && p->batches * parts < MANY_PARTS * threads)
        parts++;
    return (ttt_packed_product){
        .m = p->m,
        .n = p->n,
        .k = p->k,
        .a_row = p->a_row,
        .a_column = p->a_column,
        .b_row = p->b_row,
        .b_column = p->b_column,
        .threads = (int)parts,
    };
}

static size_t packed_workspace(const ttt_launch *launch)
{
    const ttt_product p = ttt_product_of(launch);
    const ttt_packed_product packed = packed_of(launch, &p);
    return (size_t)launch->threads * ttt_packed_part_workspace(&packed);
}

/* Where a product's operands lie: `index` counts terms, then batches; NULL beyond the last. */
struct operands {
    const float *a, *b;
};

static struct operands operands_of(const ttt_launch *launch, const ttt_product *p, int64_t index)
{
    int64_t in_a, in_b;
    if (index == p->batches * p->terms)
        return (struct operands){0};
    ttt_product_offsets(p, index / p->terms, index % p->terms, &in_a, &in_b);
    return (struct operands){(const float *)launch->in[0].data + in_a,
                             (const float *)launch->in[1].data + in_b};
}

/* A part of all terms of one batch. */
static void multiply_terms(const ttt_launch *launch, const ttt_product *p, ttt_packed_product packed,
                           int64_t batch, int64_t part, float *workspace)
{
    const float *c = launch->in[2].data;
    float *y = (float *)launch->out[0].data + batch * p->m * p->n;
    const struct ttt_matmul_epilogue epilogue = {
        .attributes = launch->attributes, .c = c ? c + batch * p->m * p->n : NULL, .y = y, .n = p->n};
    packed.c = y;
    packed.context = &epilogue;
    packed.beside = epilogue.c;
    for (int64_t term = 0; term < p->terms; term++) {
        const int64_t index = batch * p->terms + term;
        const struct operands now = operands_of(launch, p, index), next = operands_of(launch, p, index + 1);
        packed.a = now.a;
        packed.b = now.b;
        packed.next_a = next.a;
        packed.next_b = next.b;
        packed.add = term > 0;
        packed.finish = term == p->terms - 1 ? ttt_matmul_finisher(&epilogue) : NULL;
        ttt_packed_multiply_part(&packed, part, workspace);
    }
}

static ttt_status packed_run(const ttt_launch *launch)
{
    const ttt_product p = ttt_product_of(launch);
    const ttt_packed_product packed = packed_of(launch, &p);
    const size_t room = ttt_packed_part_workspace(&packed) / sizeof(float);
    const int64_t parts = ttt_packed_parts(&packed);
#pragma omp parallel for num_threads(launch->threads) schedule(static)
    for (int64_t task = 0; task < p.batches * parts; task++)
        multiply_terms(launch, &p, packed, task / parts, task % parts,
                       (float *)launch->workspace + (size_t)omp_get_thread_num() * room);
    return TTT_OK;
}

const ttt_implementation ttt_matmul_packed = {
    .name = "packed",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .workspace = packed_workspace,
    .run = packed_run,
};
