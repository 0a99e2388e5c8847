/* The row "cublas" of matmul_pair: the first product into y, then the second added to it, each as matmul's
 * row of that name would. */
#include <stdlib.h>

#include "ttt/ops/matmul/matmul_rows.h"
#include "ttt/ops/matmul/state_cuda.h"
#include "ttt/ops/matmul_pair/matmul_pair.h"

/* A launch of "matmul": its inputs and attributes, which the launch refers to. */
struct part {
    ttt_operand in[3];
    struct ttt_matmul_attributes attributes;
};

static ttt_launch part_of(const ttt_launch *launch, int i, void *state, struct part *part)
{
    const float alpha = ((const struct ttt_matmul_pair_attributes *)launch->attributes)->alpha;
    const ttt_launch products = ttt_matmul_pair_part(launch, i);
    *part = (struct part){
        .in = {products.in[0], products.in[1]},
        .attributes = {.finish = i ? TTT_MATMUL_ADD : TTT_MATMUL_PLAIN, .alpha = alpha, .beta = (float)i}};
    if (i)
        part->in[2] = launch->out[0];
    ttt_launch whole = products;
    whole.in = part->in;
    whole.n_in = 3;
    whole.attributes = &part->attributes;
    whole.state = state;
    return whole;
}

/* Whether the product by itself would go to cuBLASLt. */
static bool is_for_cublas(const ttt_launch *product, const char **why)
{
    const ttt_implementation *const *row = ttt_op_matmul.implementations;
    while (*row && ((*row)->device != TTT_CUDA || !(*row)->supports(product, why)))
        row++;
    if (*row != &ttt_matmul_cublas)
        *why = "another row of matmul takes a product by itself";
    return *row == &ttt_matmul_cublas;
}

static bool supports(const ttt_launch *launch, const char **why)
{
    for (int i = 0; i < TTT_PAIR; i++) {
        struct part part;
        const ttt_launch product = part_of(launch, i, NULL, &part);
        if (!is_for_cublas(&product, why))
            return false;
    }
    return true;
}

static size_t workspace(const ttt_launch *launch)
{
    return ttt_matmul_cublas.workspace(launch);
}

struct state {
    void *product[TTT_PAIR];
};

static void release(void *state)
{
    struct state *s = state;
    for (int i = 0; s && i < TTT_PAIR; i++)
        ttt_matmul_cublas.release(s->product[i]);
    free(s);
}

static ttt_status prepare_products(const ttt_launch *launch, void *state)
{
    struct state *s = state;
    for (int i = 0; i < TTT_PAIR; i++) {
        struct part part;
        const ttt_launch product = part_of(launch, i, NULL, &part);
        TRY(ttt_matmul_cublas.prepare(&product, &s->product[i]));
    }
    return TTT_OK;
}

static ttt_status prepare(const ttt_launch *launch, void **state)
{
    return ttt_cuda_make_state(launch, sizeof(struct state), prepare_products, release, state);
}

static ttt_status run(const ttt_launch *launch)
{
    struct state *s = launch->state;
    for (int i = 0; i < TTT_PAIR; i++) {
        struct part part;
        const ttt_launch product = part_of(launch, i, s->product[i], &part);
        TRY(ttt_matmul_cublas.run(&product));
    }
    return TTT_OK;
}

const ttt_implementation ttt_matmul_pair_cublas = {
    .name = "cublas",
    .device = TTT_CUDA,
    .supports = supports,
    .workspace = workspace,
    .prepare = prepare,
    .release = release,
    .run = run,
};
