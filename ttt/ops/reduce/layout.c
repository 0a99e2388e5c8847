/* How the dimensions of a sum are walked. */
#include "ttt/ops/reduce/layout.h"

#include "ttt/ops/reduce/reduce_operator.h"

static bool continues(const struct ttt_sum_dimension *outer, const struct ttt_sum_dimension *inner)
{
    return outer->summed == inner->summed && outer->stride == inner->stride * inner->size &&
           (inner->summed || outer->out == inner->out * inner->size);
}

/* The dimensions of x in order, without those of size 1; repeated summed ones go into *factor. */
static int merge(const ttt_launch *launch, struct ttt_sum_dimension *merged, double *factor)
{
    const struct ttt_sum_attributes *attributes = launch->attributes;
    const ttt_operand *x = &launch->in[0], *y = &launch->out[0];
    int rank = 0;
    for (int i = 0; i < x->shape.rank; i++) {
        bool summed = attributes->dimensions >> i & 1;
        struct ttt_sum_dimension next = {x->shape.size[i], x->stride[i], summed ? 0 : y->stride[i], summed};
        if (next.size == 1)
            continue;
        if (summed && next.stride == 0) {
            *factor *= (double)next.size;
        } else if (rank && continues(&merged[rank - 1], &next)) {
            next.size *= merged[rank - 1].size;
            merged[rank - 1] = next;
        } else {
            merged[rank++] = next;
        }
    }
    return rank;
}

/* The dimension with the smallest stride that moves at all, the last of several. */
static int find_inner(const struct ttt_sum_dimension *merged, int rank)
{
    int inner = rank - 1;
    for (int i = rank - 1; i >= 0; i--)
        if (merged[i].stride > 0 && (merged[inner].stride == 0 || merged[i].stride < merged[inner].stride))
            inner = i;
    return inner;
}

struct ttt_sum_layout ttt_sum_layout_of(const ttt_launch *launch)
{
    const struct ttt_sum_attributes *attributes = launch->attributes;
    struct ttt_sum_layout layout = {.inner = {.size = 1, .stride = 1, .summed = true},
                                    .kept.elements = 1,
                                    .summed.elements = 1,
                                    .factor = (double)attributes->factor};
    struct ttt_sum_dimension merged[TTT_MAX_RANK];
    const int rank = merge(launch, merged, &layout.factor);
    const int inner = find_inner(merged, rank);
    for (int i = 0; i < rank; i++) {
        struct ttt_sum_dimensions *group = merged[i].summed ? &layout.summed : &layout.kept;
        if (i == inner) {
            layout.inner = merged[i];
        } else {
            group->at[group->rank++] = merged[i];
            group->elements *= merged[i].size;
        }
    }
    return layout;
}

int64_t ttt_sum_offset(const struct ttt_sum_dimensions *dimensions, int64_t index, int64_t *out)
{
    int64_t offset = 0, out_offset = 0;
    for (int i = dimensions->rank - 1; i >= 0; i--) {
        int64_t at = index;
        if (i > 0) {
            at = index % dimensions->at[i].size;
            index /= dimensions->at[i].size;
        }
        offset += at * dimensions->at[i].stride;
        out_offset += at * dimensions->at[i].out;
    }
    if (out)
        *out = out_offset;
    return offset;
}
