/* Random programs in double precision: each instruction element by element. */
#include <math.h>
#include <string.h>

#include "tests/ttt/random_program.h"

/* The element of x that is broadcast to `index` of a tensor of rank `rank`. */
static double element(const double *x, const ttt_shape *shape, const int64_t *index, int rank)
{
    int64_t at = 0;
    for (int d = 0; d < shape->rank; d++) {
        int64_t i = index[rank - shape->rank + d];
        at = at * shape->size[d] + (shape->size[d] == 1 ? 0 : i);
    }
    return x[at];
}

static double unary(int kind, double x)
{
    switch (kind) {
    case 0:
        return x / (1 + exp(-x));
    case 1:
        return x / 2 * erfc(-x / sqrt(2));
    case 2:
        return 1 / (1 + exp(-x));
    case 3:
        return log1p(exp(x));
    case 4:
        return -0.75 * x;
    default:
        return x + 0.25;
    }
}

static double matmul(const double *a, const double *b, const ttt_shape *sa, const ttt_shape *sb,
                     const int64_t *index, int rank)
{
    int64_t ia[TTT_MAX_RANK], ib[TTT_MAX_RANK], depth = sa->size[sa->rank - 1];
    double sum = 0;
    memcpy(ia, index, sizeof ia);
    memcpy(ib, index, sizeof ib);
    for (int64_t k = 0; k < depth; k++) {
        ia[rank - 1] = k;
        ib[rank - 2] = k;
        sum += element(a, sa, ia, rank) * element(b, sb, ib, rank);
    }
    return sum / (double)depth;
}

static double sum_along(const double *a, const ttt_shape *shape, const int64_t *index, int dimension)
{
    int64_t i[TTT_MAX_RANK];
    double sum = 0;
    memcpy(i, index, sizeof i);
    for (i[dimension] = 0; i[dimension] < shape->size[dimension]; i[dimension]++)
        sum += element(a, shape, i, shape->rank);
    return sum;
}

static double normalised(const double *a, const ttt_shape *shape, const int64_t *index)
{
    int64_t i[TTT_MAX_RANK], width = shape->size[shape->rank - 1];
    double mean = sum_along(a, shape, index, shape->rank - 1) / (double)width, variance = 0;
    memcpy(i, index, sizeof i);
    for (int64_t k = 0; k < width; k++) {
        i[shape->rank - 1] = k;
        variance += pow(element(a, shape, i, shape->rank) - mean, 2) / (double)width;
    }
    return (element(a, shape, index, shape->rank) - mean) / sqrt(variance + 0.5);
}

static double compute(const struct program *program, const struct instruction *in, double *const *values,
                      int64_t number, const int64_t *index)
{
    const double *a = values[in->a], *b = values[in->b];
    const ttt_shape *sa = &program->at[in->a].shape, *sb = &program->at[in->b].shape;
    int64_t moved[TTT_MAX_RANK];
    int rank = in->shape.rank;
    double x, y;
    memcpy(moved, index, sizeof moved);
    switch (in->op) {
    case PROGRAM_UNARY:
        return unary(in->kind, a[number]);
    case PROGRAM_BINARY:
        x = element(a, sa, index, rank);
        y = element(b, sb, index, rank);
        return in->kind == 0 ? x + y : in->kind == 1 ? x - y : x * y;
    case PROGRAM_PERMUTE:
        for (int d = 0; d < rank; d++)
            moved[in->order[d]] = index[d];
        return element(a, sa, moved, rank);
    case PROGRAM_SLICE:
        moved[in->kind] += in->start;
        return element(a, sa, moved, rank);
    case PROGRAM_EXPAND:
        return element(a, sa, index, rank);
    case PROGRAM_SUM:
        return sum_along(a, sa, index, in->kind);
    case PROGRAM_MATMUL:
        return matmul(a, b, sa, sb, index, rank);
    case PROGRAM_CONCAT:
        if (index[in->kind] < sa->size[in->kind])
            return element(a, sa, index, rank);
        moved[in->kind] -= sa->size[in->kind];
        return element(b, sb, moved, rank);
    case PROGRAM_LAYERNORM:
        return normalised(a, sa, index);
    default:
        return a[number];
    }
}

void program_evaluate(const struct program *program, double *const *values)
{
    for (int i = PROGRAM_INPUTS; i < program->count; i++) {
        const struct instruction *in = &program->at[i];
        int64_t index[TTT_MAX_RANK] = {0};
        for (int64_t k = 0; k < ttt_shape_elements(in->shape); k++) {
            values[i][k] = compute(program, in, values, k, index);
            for (int d = in->shape.rank - 1; d >= 0 && ++index[d] == in->shape.size[d]; d--)
                index[d] = 0;
        }
    }
}
