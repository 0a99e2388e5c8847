/* Merging the dimensions of a batched matrix product. */
#include "ttt/ops/matmul/product.h"

#include <string.h>

ttt_blas_matrix ttt_blas_matrix_of(int64_t rows, int64_t columns, int64_t row_stride, int64_t column_stride)
{
    if ((columns == 1 || column_stride == 1) && (rows == 1 || row_stride >= columns))
        return (ttt_blas_matrix){true, false, rows == 1 ? columns : row_stride};
    if ((rows == 1 || row_stride == 1) && (columns == 1 || column_stride >= rows))
        return (ttt_blas_matrix){true, true, columns == 1 ? rows : column_stride};
    return (ttt_blas_matrix){0};
}

static bool addressable(const ttt_product *p)
{
    return ttt_blas_matrix_of(p->m, p->k, p->a_row, p->a_column).possible &&
           ttt_blas_matrix_of(p->k, p->n, p->b_row, p->b_column).possible;
}

static int64_t batch_stride(const ttt_operand *x, int from_end)
{
    int dimension = x->shape.rank - 1 - from_end;
    return dimension < 0 || x->shape.size[dimension] == 1 ? 0 : x->stride[dimension];
}

static int64_t batch_size(const ttt_operand *x, int from_end)
{
    int dimension = x->shape.rank - 1 - from_end;
    return dimension < 0 ? 1 : x->shape.size[dimension];
}

/* Appends a dimension, or merges it into the last one where both operands step through the two evenly. */
static void append(ttt_product_dimension *list, int *count, ttt_product_dimension d)
{
    ttt_product_dimension *last = *count ? &list[*count - 1] : NULL;
    if (last && last->a == d.a * d.size && last->b == d.b * d.size)
        *last = (ttt_product_dimension){last->size * d.size, d.a, d.b};
    else
        list[(*count)++] = d;
}

/* The innermost batch dimension becomes rows where b is shared and a's rows go on evenly. */
static bool merge_into_rows(ttt_product *p)
{
    if (!p->n_batch)
        return false;
    ttt_product_dimension d = p->batch[p->n_batch - 1];
    if (d.b != 0 || (p->m != 1 && d.a != p->m * p->a_row))
        return false;
    ttt_product merged = *p;
    merged.a_row = p->m == 1 ? d.a : p->a_row;
    merged.m *= d.size;
    merged.n_batch--;
    if (!addressable(&merged))
        return false;
    *p = merged;
    return true;
}

/* A dimension of terms becomes depth where a's columns and b's rows go on evenly. */
static bool merge_into_depth(ttt_product *p)
{
    for (int i = p->n_term - 1; i >= 0; i--) {
        ttt_product_dimension d = p->term[i];
        if (p->k != 1 && (d.a != p->k * p->a_column || d.b != p->k * p->b_row))
            continue;
        ttt_product merged = *p;
        merged.a_column = p->k == 1 ? d.a : p->a_column;
        merged.b_row = p->k == 1 ? d.b : p->b_row;
        merged.k *= d.size;
        merged.n_term--;
        memmove(&merged.term[i], &merged.term[i + 1], (size_t)(merged.n_term - i) * sizeof merged.term[0]);
        if (!addressable(&merged))
            continue;
        *p = merged;
        return true;
    }
    return false;
}

static int64_t count_all(const ttt_product_dimension *list, int count)
{
    int64_t all = 1;
    for (int i = 0; i < count; i++)
        all *= list[i].size;
    return all;
}

ttt_product ttt_product_of(const ttt_launch *launch)
{
    const ttt_operand *a = &launch->in[0], *b = &launch->in[1], *y = &launch->out[0];
    const int ra = a->shape.rank, rb = b->shape.rank;
    ttt_product p = {
        .m = a->shape.size[ra - 2],
        .n = b->shape.size[rb - 1],
        .k = a->shape.size[ra - 1],
        .a_row = a->stride[ra - 2],
        .a_column = a->stride[ra - 1],
        .b_row = b->stride[rb - 2],
        .b_column = b->stride[rb - 1],
    };
    for (int from_end = y->shape.rank - 1; from_end >= 2; from_end--) {
        int64_t in_a = batch_size(a, from_end), in_b = batch_size(b, from_end);
        int64_t size = in_a > in_b ? in_a : in_b;
        ttt_product_dimension d = {size, batch_stride(a, from_end), batch_stride(b, from_end)};
        if (size == 1)
            continue;
        if (batch_size(y, from_end) == 1)
            append(p.term, &p.n_term, d);
        else
            append(p.batch, &p.n_batch, d);
    }
    while (merge_into_rows(&p))
        continue;
    while (merge_into_depth(&p))
        continue;
    p.batches = count_all(p.batch, p.n_batch);
    p.terms = count_all(p.term, p.n_term);
    return p;
}

int ttt_product_largest_batch(const ttt_product *p)
{
    int largest = p->n_batch ? 0 : -1;
    for (int i = 1; i < p->n_batch; i++)
        if (p->batch[i].size > p->batch[largest].size)
            largest = i;
    return largest;
}

static void add_offsets(const ttt_product_dimension *list, int count, int64_t index, int64_t *a, int64_t *b)
{
    for (int i = count - 1; i >= 0; i--) {
        int64_t at = index % list[i].size;
        index /= list[i].size;
        *a += at * list[i].a;
        *b += at * list[i].b;
    }
}

void ttt_product_offsets(const ttt_product *p, int64_t batch, int64_t term, int64_t *a, int64_t *b)
{
    *a = *b = 0;
    add_offsets(p->batch, p->n_batch, batch, a, b);
    add_offsets(p->term, p->n_term, term, a, b);
}
