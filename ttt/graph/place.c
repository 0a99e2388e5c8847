/* Writing parts where they are joined: the nodes that make the parts of a concatenation write them into its
 * output, with the gaps that leaves between their rows, and the concatenation is dropped.
 *
 * Operators say which outputs may have such gaps (ttt_operator.spaced); along the outermost dimension there
 * are none, and others may go on reading a part.  It is done where it can be for every part: it has the type
 * of the whole, its maker gives it in the shape it is joined in, and makes it in every run.
 */
#include <string.h>

#include "ttt/graph/plan_internal.h"

struct placing {
    ttt_plan *plan;
    struct plan_uses uses;
};

static struct tensor *tensor_of(const struct placing *p, ttt_tensor x)
{
    return &p->plan->tensors[x.index];
}

/* The dimension that parts follow each other in; -1 for a single part. */
static int joined_dimension(const struct placing *p, const struct plan_node *join)
{
    const ttt_shape part = tensor_of(p, join->in[0])->shape, whole = tensor_of(p, join->out[0])->shape;
    for (int i = 0; i < whole.rank; i++)
        if (part.size[i] != whole.size[i])
            return i;
    return -1;
}

/* Whether parts that follow each other in `dimension` lie there without gaps. */
static bool leaves_no_gaps(const struct placing *p, const struct plan_node *join, int dimension)
{
    const ttt_shape whole = tensor_of(p, join->out[0])->shape;
    for (int i = 0; i < dimension; i++)
        if (whole.size[i] != 1)
            return false;
    return true;
}

static bool is_joined_twice(const struct placing *p, const struct plan_node *join, int i)
{
    for (int k = 0; k < join->n_in; k++)
        if (k != i && tensor_of(p, join->in[k])->storage == tensor_of(p, join->in[i])->storage)
            return true;
    return false;
}

/* The node that makes input i of a join and could write it in place, with its output; false: there is none.
 */
static bool find_maker(const struct placing *p, const struct plan_node *join, int dimension, int i,
                       struct plan_node **maker, int *output)
{
    const struct tensor *part = tensor_of(p, join->in[i]);
    const int node = p->uses.producer[part->storage];
    const bool gaps = !leaves_no_gaps(p, join, dimension);
    if (node < 0 || !p->plan->nodes[node].op || (gaps && p->uses.readers[part->storage] != 1) ||
        plan_is_output(p->plan, part->storage) || is_joined_twice(p, join, i) ||
        part->dtype != tensor_of(p, join->out[0])->dtype || !plan_covers_storage(p->plan, join->in[i]))
        return false;
    *maker = &p->plan->nodes[node];
    if ((*maker)->constant)
        return false;
    for (int k = 0; k < (*maker)->n_out; k++) {
        const struct tensor *made = tensor_of(p, (*maker)->out[k]);
        *output = k;
        if (made->storage == part->storage)
            return ((*maker)->op->spaced >> k & 1 || !gaps) && ttt_shape_equal(made->shape, part->shape);
    }
    return false;
}

static void place(const struct placing *p, struct plan_node *join, int dimension)
{
    const struct tensor *whole = tensor_of(p, join->out[0]);
    int64_t start = 0;
    for (int i = 0; i < join->n_in; i++) {
        struct plan_node *maker = NULL;
        int output = 0;
        find_maker(p, join, dimension, i, &maker, &output);
        struct tensor *part = tensor_of(p, maker->out[output]);
        plan_move_views(p->plan, part->storage, whole->storage,
                        whole->offset + start * whole->stride[dimension]);
        memcpy(part->stride, whole->stride, sizeof part->stride);
        start += part->shape.size[dimension];
        if (i == 0)
            maker->merged += join->merged;
    }
    plan_node_clear(join);
}

static void place_parts(const struct placing *p, struct plan_node *join)
{
    struct plan_node *maker;
    int output, dimension = join->n_in ? joined_dimension(p, join) : -1;
    for (int i = 0; i < join->n_in && dimension >= 0; i++)
        if (!find_maker(p, join, dimension, i, &maker, &output))
            return;
    if (dimension >= 0)
        place(p, join, dimension);
}

ttt_status plan_place_parts(ttt_plan *plan)
{
    struct placing p = {.plan = plan};
    ttt_status status = plan_uses_create(&p.uses, plan);
    for (int n = 0; n < plan->n_nodes && !status; n++)
        if (plan->nodes[n].op && plan->nodes[n].op->joins)
            place_parts(&p, &plan->nodes[n]);
    plan_uses_destroy(&p.uses);
    return status;
}
