/* Merging the dimensions of a pointwise node. */
#include "ttt/ops/pointwise/walk.h"

static int64_t broadcast_stride(const ttt_operand *x, ttt_shape shape, int dimension)
{
    int i = dimension - (shape.rank - x->shape.rank);
    return i < 0 || x->shape.size[i] == 1 ? 0 : x->stride[i];
}

static bool dimension_merges(const struct pointwise_walk *walk, const ttt_launch *launch, int dimension)
{
    int last = walk->rank - 1;
    for (int i = 0; i < launch->n_in; i++) {
        int64_t inner = broadcast_stride(&launch->in[i], launch->out[0].shape, dimension);
        if (walk->stride[i][last] != inner * launch->out[0].shape.size[dimension])
            return false;
    }
    return true;
}

struct pointwise_walk pointwise_walk_of(const ttt_launch *launch)
{
    struct pointwise_walk walk = {0};
    ttt_shape shape = launch->out[0].shape;
    for (int d = 0; d < shape.rank; d++) {
        if (shape.size[d] == 1)
            continue;
        bool merges = walk.rank && dimension_merges(&walk, launch, d);
        walk.rank += !merges;
        walk.size[walk.rank - 1] = merges ? walk.size[walk.rank - 1] * shape.size[d] : shape.size[d];
        for (int i = 0; i < launch->n_in; i++)
            walk.stride[i][walk.rank - 1] = broadcast_stride(&launch->in[i], shape, d);
    }
    if (!walk.rank)
        walk.size[walk.rank++] = 1;
    for (int i = 0; i < launch->n_in; i++)
        walk.in_order[i] = ttt_operand_contiguous(&launch->in[i]) &&
                           ttt_operand_elements(&launch->in[i]) == ttt_operand_elements(&launch->out[0]);
    return walk;
}
