/* A batched matrix product with its dimensions merged into as few as the strides allow.
 *
 * y[i] = sum over terms t of a[i, t] b[i, t] for each batch i, where a[i, t] is M x K and b[i, t] is K x N.
 * Batch dimensions over which b is shared become rows of a; summed ones become depth (K), if they can.
 */
#ifndef TTT_OPS_MATMUL_PRODUCT_H
#define TTT_OPS_MATMUL_PRODUCT_H

#include "ttt/graph/operator.h"

typedef struct ttt_product_dimension {
    int64_t size;
    int64_t a, b; /* strides, in elements; 0 where the operand is broadcast */
} ttt_product_dimension;

typedef struct ttt_product {
    int64_t m, n, k;
    int64_t a_row, a_column; /* strides within a matrix, in elements */
    int64_t b_row, b_column;
    int n_batch, n_term; /* dimensions, outermost first */
    ttt_product_dimension batch[TTT_MAX_RANK], term[TTT_MAX_RANK];
    int64_t batches, terms; /* products of their sizes; y's batches lie m * n apart */
} ttt_product;

/* The product that a launch of "matmul" asks for: in[0] in[1] into out[0]. */
ttt_product ttt_product_of(const ttt_launch *launch);

/* Where batch `batch`, term `term` starts in a and in b, in elements. */
void ttt_product_offsets(const ttt_product *p, int64_t batch, int64_t term, int64_t *a, int64_t *b);

/* The largest batch dimension (the first of several), -1 when there is none. */
int ttt_product_largest_batch(const ttt_product *p);

/* How BLAS can address a row-major rows x columns matrix. */
typedef struct ttt_blas_matrix {
    bool possible;
    bool transposed;
    int64_t leading; /* the leading dimension */
} ttt_blas_matrix;

ttt_blas_matrix ttt_blas_matrix_of(int64_t rows, int64_t columns, int64_t row_stride, int64_t column_stride);

#endif
