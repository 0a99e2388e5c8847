/* Drawing and building random programs. */
#include "tests/ttt/random_program.h"

#include <string.h>

#include "ttt/ops/concat/concat.h"
#include "ttt/ops/copy/copy.h"
#include "ttt/ops/layernorm/layernorm.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/reduce/reduce.h"

/* Most tensors are small; now and then they outgrow the blocks that implementations work in. */
enum { MOST_ELEMENTS = 4000, SMALL_SIZE = 7, LARGE_SIZE = 40 };

static int below(ttt_random *random, int n)
{
    return (int)ttt_random_below(random, (uint32_t)n);
}

static bool broadcast(const ttt_shape *a, const ttt_shape *b, int skip /* last dimensions */, ttt_shape *to)
{
    to->rank = a->rank > b->rank ? a->rank : b->rank;
    for (int d = 0; d < to->rank - skip; d++) {
        int i = d - (to->rank - a->rank), j = d - (to->rank - b->rank);
        int64_t x = i < 0 ? 1 : a->size[i], y = j < 0 ? 1 : b->size[j];
        if (x != y && x != 1 && y != 1)
            return false;
        to->size[d] = x > y ? x : y;
    }
    return true;
}

static bool draw_reshape(ttt_random *random, const ttt_shape *a, ttt_shape *to)
{
    int64_t all = ttt_shape_elements(*a);
    int form = below(random, 3);
    if (form == 0)
        *to = (ttt_shape){2, {all / a->size[a->rank - 1], a->size[a->rank - 1]}};
    else if (form == 1)
        *to = (ttt_shape){3, {a->size[0], 1, all / a->size[0]}};
    else if (all % 2 == 0)
        *to = (ttt_shape){3, {2, all / 2, 1}};
    else
        return false;
    return true;
}

static bool draw_matmul(const ttt_shape *a, const ttt_shape *b, ttt_shape *to)
{
    if (a->size[a->rank - 1] != b->size[b->rank - 2] || !broadcast(a, b, 2, to))
        return false;
    to->size[to->rank - 2] = a->size[a->rank - 2];
    to->size[to->rank - 1] = b->size[b->rank - 1];
    return true;
}

static bool draw_concat(const struct instruction *in, const ttt_shape *a, const ttt_shape *b, ttt_shape *to)
{
    if (a->rank != b->rank)
        return false;
    for (int d = 0; d < a->rank; d++)
        if (d != in->kind && a->size[d] != b->size[d])
            return false;
    *to = *a;
    to->size[in->kind] += b->size[in->kind];
    return true;
}

/* Fills in a drawn instruction; false when its operands do not allow it. */
static bool draw_rest(struct instruction *in, ttt_random *random, const ttt_shape *a, const ttt_shape *b)
{
    in->shape = *a;
    in->kind = below(random, a->rank);
    switch (in->op) {
    case PROGRAM_UNARY:
        in->kind = below(random, 6);
        return true;
    case PROGRAM_BINARY:
        in->kind = below(random, 3);
        return broadcast(a, b, 0, &in->shape);
    case PROGRAM_PERMUTE: {
        uint32_t order[TTT_MAX_RANK];
        ttt_random_permutation(random, (uint32_t)a->rank, order);
        for (int d = 0; d < a->rank; d++) {
            in->order[d] = (int)order[d];
            in->shape.size[d] = a->size[order[d]];
        }
        return true;
    }
    case PROGRAM_RESHAPE:
        return draw_reshape(random, a, &in->shape);
    case PROGRAM_SLICE:
        in->start = below(random, (int)a->size[in->kind]);
        in->shape.size[in->kind] = 1 + below(random, (int)(a->size[in->kind] - in->start));
        return true;
    case PROGRAM_EXPAND:
        in->shape.size[in->kind] = 2 + below(random, 3);
        return a->size[in->kind] == 1;
    case PROGRAM_SUM:
        in->shape.size[in->kind] = 1;
        return true;
    case PROGRAM_MATMUL:
        return draw_matmul(a, b, &in->shape);
    case PROGRAM_CONCAT:
        return draw_concat(in, a, b, &in->shape);
    case PROGRAM_LAYERNORM:
        return a->size[a->rank - 1] > 2;
    default:
        return true;
    }
}

/* An instruction that reads `a`, such as a view of it; `otherwise` where there is none. */
static int reader_of(const struct program *program, int a, int otherwise)
{
    for (int i = program->count - 1; i > a; i--)
        if (program->at[i].a == a)
            return i;
    return otherwise;
}

void program_draw(struct program *program, ttt_random *random, int length)
{
    int most = below(random, 6) ? SMALL_SIZE : LARGE_SIZE;
    *program = (struct program){.count = PROGRAM_INPUTS};
    for (int i = 0; i < PROGRAM_INPUTS; i++) {
        ttt_shape *shape = &program->at[i].shape;
        shape->rank = 2 + i % 2; /* the first is square: a transposed view has its shape */
        for (int d = 0; d < shape->rank; d++)
            shape->size[d] = i == 0 && d > 0 ? shape->size[0] : 1 + below(random, i % 2 ? SMALL_SIZE : most);
    }
    while (program->count < length) {
        /* Recent values more often than old ones: long chains as well as wide ones. */
        int back[2];
        for (int k = 0; k < 2; k++)
            back[k] = below(random, 2) ? below(random, program->count) : below(random, 3);
        struct instruction in = {.op = 1 + (enum program_op)below(random, PROGRAM_OPS - 1),
                                 .a = program->count - 1 - back[0],
                                 .b = program->count - 1 - back[1]};
        if (below(random, 3) == 0)
            in.op = below(random, 2) ? PROGRAM_UNARY : PROGRAM_BINARY;
        if (below(random, 3) == 0)
            in.b = reader_of(program, in.a, in.b);
        if (draw_rest(&in, random, &program->at[in.a].shape, &program->at[in.b].shape) &&
            ttt_shape_elements(in.shape) <= MOST_ELEMENTS) {
            in.output = below(random, 8) == 0;
            program->at[program->count++] = in;
        }
    }
    program->at[program->count - 1].output = true;
}

static ttt_tensor build_unary(ttt_graph *g, int kind, ttt_tensor a)
{
    switch (kind) {
    case 0:
        return ttt_silu(g, a);
    case 1:
        return ttt_gelu(g, a);
    case 2:
        return ttt_sigmoid(g, a);
    case 3:
        return ttt_softplus(g, a);
    case 4:
        return ttt_scale(g, a, -0.75F);
    default:
        return ttt_shift(g, a, 0.25F);
    }
}

static ttt_tensor build_one(ttt_graph *g, const struct instruction *in, const ttt_tensor *x,
                            ttt_shape shape_a)
{
    ttt_tensor a = x[in->a], b = x[in->b], parts[] = {a, b};
    switch (in->op) {
    case PROGRAM_UNARY:
        return build_unary(g, in->kind, a);
    case PROGRAM_BINARY:
        return in->kind == 0 ? ttt_add(g, a, b) : in->kind == 1 ? ttt_sub(g, a, b) : ttt_mul(g, a, b);
    case PROGRAM_PERMUTE:
        return ttt_permute(g, a, in->order);
    case PROGRAM_RESHAPE:
        return ttt_reshape(g, a, in->shape);
    case PROGRAM_SLICE:
        return ttt_slice(g, a, in->kind, in->start, in->shape.size[in->kind]);
    case PROGRAM_EXPAND:
        return ttt_expand(g, a, in->shape);
    case PROGRAM_SUM:
        return ttt_sum(g, a, 1U << in->kind);
    case PROGRAM_MATMUL:
        return ttt_scale(g, ttt_matmul(g, a, b), 1 / (float)shape_a.size[shape_a.rank - 1]);
    case PROGRAM_CONCAT:
        return ttt_concat(g, parts, 2, in->kind);
    case PROGRAM_LAYERNORM:
        return ttt_layernorm(g, a, TTT_NONE, TTT_NONE, 0.5F);
    default:
        return ttt_copy(g, a);
    }
}

void program_build(const struct program *program, ttt_graph *graph, ttt_tensor *x, int from, int to)
{
    for (int i = PROGRAM_INPUTS; i < program->count; i++) {
        if (i == from)
            ttt_recompute_begin(graph);
        if (i == to)
            ttt_recompute_end(graph);
        x[i] = build_one(graph, &program->at[i], x, program->at[program->at[i].a].shape);
    }
    ttt_recompute_end(graph);
}
