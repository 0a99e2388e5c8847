/* Views: other shapes over the same memory. */
#include <string.h>

#include "ttt/graph/operator.h"
#include "ttt/ops/concat/concat.h"
#include "ttt/ops/copy/copy.h"
#include "ttt/ops/reduce/reduce.h"

static int dimension_of(const ttt_graph *g, ttt_tensor x, int dimension)
{
    return dimension < 0 ? dimension + ttt_shape_of(g, x).rank : dimension;
}

static bool dimension_is_there(const ttt_graph *g, ttt_tensor x, int dimension)
{
    int i = dimension_of(g, x, dimension);
    return i >= 0 && i < ttt_shape_of(g, x).rank;
}

static ttt_tensor wrong(ttt_graph *g, ttt_tensor x, const char *what)
{
    char text[TTT_SHAPE_TEXT];
    if (!ttt_valid(x))
        return TTT_INVALID;
    return ttt_graph_fail(g, TTT_SHAPE, "%s does not fit a tensor of shape %s", what,
                          ttt_shape_text(ttt_shape_of(g, x), text));
}

static void strides_of(const ttt_graph *g, ttt_tensor x, int64_t *strides)
{
    for (int i = 0; i < ttt_shape_of(g, x).rank; i++)
        strides[i] = ttt_stride(g, x, i);
}

ttt_tensor ttt_contiguous(ttt_graph *g, ttt_tensor x)
{
    return !ttt_exists(x) || ttt_is_contiguous(g, x) ? x : ttt_copy(g, x);
}

/* Strides of `to` over x's memory; false when no strides give the same order of elements. */
static bool restride(const ttt_graph *g, ttt_tensor x, ttt_shape to, int64_t *stride)
{
    ttt_shape from = ttt_shape_of(g, x);
    int i = from.rank - 1, j = to.rank - 1;
    while (j >= 0) {
        while (i >= 0 && from.size[i] == 1)
            i--;
        if (to.size[j] == 1) {
            stride[j--] = 1;
            continue;
        }
        /* Group dimensions of x that merge, then cut the group into dimensions of `to`. */
        int64_t step = ttt_stride(g, x, i), group = from.size[i];
        while (i > 0 && (from.size[i - 1] == 1 || ttt_stride(g, x, i - 1) == step * group))
            group *= from.size[--i];
        i--;
        while (j >= 0 && group % to.size[j] == 0 && (group > 1 || to.size[j] == 1)) {
            stride[j] = step;
            step *= to.size[j];
            group /= to.size[j--];
        }
        if (group != 1)
            return false;
    }
    return true;
}

static void view_back(ttt_graph *g, const ttt_node *node, const ttt_tensor *dy, const bool *wanted,
                      ttt_tensor *dx)
{
    (void)wanted;
    dx[0] = ttt_reshape(g, dy[0], ttt_shape_of(g, ttt_node_input(node, 0)));
}

static const ttt_operator op_reshape = {.name = "reshape", .is_view = true, .gradient = view_back};

ttt_tensor ttt_reshape(ttt_graph *g, ttt_tensor x, ttt_shape shape)
{
    char text[TTT_SHAPE_TEXT];
    if (!ttt_exists(x) || ttt_shape_elements(shape) != ttt_shape_elements(ttt_shape_of(g, x)))
        return wrong(g, x, ttt_shape_text(shape, text));
    if (ttt_shape_equal(shape, ttt_shape_of(g, x)))
        return x;
    ttt_view_spec spec = {.shape = shape};
    if (!restride(g, x, shape, spec.stride))
        return ttt_reshape(g, ttt_copy(g, x), shape);
    ttt_tensor y;
    ttt_view_add(g, &op_reshape, NULL, x, &spec, 1, &y);
    return y;
}

static void detach_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *dy, const bool *wanted,
                            ttt_tensor *dx)
{
    (void)g, (void)node, (void)dy, (void)wanted;
    dx[0] = TTT_NONE;
}

static const ttt_operator op_detach = {.name = "detach", .is_view = true, .gradient = detach_gradient};

ttt_tensor ttt_detach(ttt_graph *g, ttt_tensor x)
{
    if (!ttt_exists(x))
        return wrong(g, x, "a detached view");
    ttt_view_spec spec = {.shape = ttt_shape_of(g, x)};
    strides_of(g, x, spec.stride);
    ttt_tensor y;
    ttt_view_add(g, &op_detach, NULL, x, &spec, 1, &y);
    return y;
}

struct permutation {
    int order[TTT_MAX_RANK];
};

static void permute_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *dy, const bool *wanted,
                             ttt_tensor *dx)
{
    (void)wanted;
    const struct permutation *p = ttt_node_attributes(node);
    int inverse[TTT_MAX_RANK];
    for (int i = 0; i < ttt_shape_of(g, dy[0]).rank; i++)
        inverse[p->order[i]] = i;
    dx[0] = ttt_permute(g, dy[0], inverse);
}

static const ttt_operator op_permute = {.name = "permute",
                                        .attribute_size = sizeof(struct permutation),
                                        .is_view = true,
                                        .gradient = permute_gradient};

ttt_tensor ttt_permute(ttt_graph *g, ttt_tensor x, const int *order)
{
    if (!ttt_exists(x))
        return wrong(g, x, "a permutation");
    ttt_shape from = ttt_shape_of(g, x);
    ttt_view_spec spec = {.shape = from};
    struct permutation p = {{0}};
    unsigned seen = 0;
    for (int i = 0; i < from.rank; i++) {
        int at = dimension_of(g, x, order[i]);
        if (at < 0 || at >= from.rank || seen >> at & 1)
            return wrong(g, x, "a permutation that is not one");
        seen |= 1u << at;
        p.order[i] = at;
        spec.shape.size[i] = from.size[at];
        spec.stride[i] = ttt_stride(g, x, at);
    }
    ttt_tensor y;
    ttt_view_add(g, &op_permute, &p, x, &spec, 1, &y);
    return y;
}

ttt_tensor ttt_transpose(ttt_graph *g, ttt_tensor x, int a, int b)
{
    int order[TTT_MAX_RANK];
    if (!ttt_exists(x) || !dimension_is_there(g, x, a) || !dimension_is_there(g, x, b))
        return wrong(g, x, "a transpose");
    for (int i = 0; i < TTT_MAX_RANK; i++)
        order[i] = i;
    order[dimension_of(g, x, a)] = dimension_of(g, x, b);
    order[dimension_of(g, x, b)] = dimension_of(g, x, a);
    return ttt_permute(g, x, order);
}

static void expand_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *dy, const bool *wanted,
                            ttt_tensor *dx)
{
    (void)wanted;
    dx[0] = ttt_sum_to(g, dy[0], ttt_shape_of(g, ttt_node_input(node, 0)));
}

static const ttt_operator op_expand = {.name = "expand", .is_view = true, .gradient = expand_gradient};

ttt_tensor ttt_expand(ttt_graph *g, ttt_tensor x, ttt_shape shape)
{
    char text[TTT_SHAPE_TEXT];
    ttt_shape from = ttt_shape_of(g, x);
    if (!ttt_exists(x) || shape.rank < from.rank || shape.rank > TTT_MAX_RANK)
        return wrong(g, x, ttt_shape_text(shape, text));
    if (ttt_shape_equal(from, shape))
        return x;
    ttt_view_spec spec = {.shape = shape};
    for (int i = 1; i <= from.rank; i++) {
        int64_t size = from.size[from.rank - i], wanted = shape.size[shape.rank - i];
        if (size != wanted && size != 1)
            return wrong(g, x, ttt_shape_text(shape, text));
        spec.stride[shape.rank - i] = size == wanted ? ttt_stride(g, x, -i) : 0;
    }
    ttt_tensor y;
    ttt_view_add(g, &op_expand, NULL, x, &spec, 1, &y);
    return y;
}

struct cut {
    int dimension;
};

enum { MOST_PIECES = 64 };

/* The pieces' gradients joined, zeros where none came. */
static void split_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *dy, const bool *wanted,
                           ttt_tensor *dx)
{
    (void)wanted;
    const struct cut *cut = ttt_node_attributes(node);
    ttt_tensor parts[MOST_PIECES];
    for (int i = 0; i < ttt_node_output_count(node); i++)
        parts[i] = ttt_exists(dy[i]) ? dy[i] : ttt_fill(g, ttt_shape_of(g, ttt_node_output(node, i)), 0);
    dx[0] = ttt_concat(g, parts, ttt_node_output_count(node), cut->dimension);
}

static const ttt_operator op_split = {
    .name = "split", .attribute_size = sizeof(struct cut), .is_view = true, .gradient = split_gradient};

void ttt_split(ttt_graph *g, ttt_tensor x, int dimension, int count, const int64_t *sizes, ttt_tensor *pieces)
{
    ttt_view_spec specs[MOST_PIECES];
    struct cut cut = {dimension_of(g, x, dimension)};
    bool fits = ttt_exists(x) && dimension_is_there(g, x, dimension) && count >= 1 && count <= MOST_PIECES;
    int64_t at = 0;
    for (int i = 0; i < count && fits; i++) {
        specs[i] =
            (ttt_view_spec){.shape = ttt_shape_of(g, x), .offset = at * ttt_stride(g, x, cut.dimension)};
        specs[i].shape.size[cut.dimension] = sizes[i];
        strides_of(g, x, specs[i].stride);
        fits = sizes[i] >= 1;
        at += sizes[i];
    }
    if (fits && at == ttt_size(g, x, cut.dimension)) {
        ttt_view_add(g, &op_split, &cut, x, specs, count, pieces);
        return;
    }
    wrong(g, x, "a split whose sizes do not add up");
    for (int i = 0; i < count; i++)
        pieces[i] = TTT_INVALID;
}

ttt_tensor ttt_slice(ttt_graph *g, ttt_tensor x, int dimension, int64_t start, int64_t length)
{
    int64_t size = ttt_size(g, x, dimension);
    if (!ttt_exists(x) || start < 0 || length < 1 || start > size - length)
        return wrong(g, x, "a slice");
    if (length == size)
        return x;
    int64_t sizes[3];
    ttt_tensor pieces[3];
    int count = 0, wanted = start > 0;
    if (start > 0)
        sizes[count++] = start;
    sizes[count++] = length;
    if (start + length < size)
        sizes[count++] = size - start - length;
    ttt_split(g, x, dimension, count, sizes, pieces);
    return pieces[wanted];
}
