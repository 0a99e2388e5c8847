/* Operators that only tests have: "copy" under other masks of precision. */
#include "tests/ttt/op_bf16.h"

const char *op_types_name(enum op_types types)
{
    static const char *const names[] = {[OP_F32] = "f32", [OP_BF16] = "bf16", [OP_MIXED] = "mixed"};
    return names[types];
}

bool op_knows_bf16(const ttt_operator *op)
{
    return op->bf16_takes || op->bf16_wants || op->bf16_gives;
}

/* Graphs keep pointers to operators, and a copy of a constant is no constant in C: made on first use. */
static const ttt_operator *copy_as(ttt_operator *op, const char *name, unsigned takes, unsigned wants,
                                   unsigned gives)
{
    *op = ttt_op_copy;
    op->name = name;
    op->bf16_takes = takes;
    op->bf16_wants = wants;
    op->bf16_gives = gives;
    return op;
}

static ttt_tensor add(ttt_graph *graph, const ttt_operator *op, ttt_tensor x)
{
    return ttt_exists(x) ? ttt_node_add_one(graph, op, NULL, &x, 1, TTT_F32, ttt_shape_of(graph, x)) : x;
}

ttt_tensor op_as_bf16(ttt_graph *graph, ttt_tensor x)
{
    static ttt_operator op;
    return add(graph, copy_as(&op, "as_bf16", 1, 1, 1), x);
}

ttt_tensor op_from_bf16(ttt_graph *graph, ttt_tensor x, bool wanted)
{
    static ttt_operator takes, wants;
    return add(graph,
               wanted ? copy_as(&wants, "wants_bf16", 1, 1, 0) : copy_as(&takes, "takes_bf16", 1, 0, 0), x);
}
