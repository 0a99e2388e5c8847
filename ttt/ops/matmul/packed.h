/* One large matrix product by our own kernel, with hooks for what comes before and after: c = start + a b. */
#ifndef TTT_OPS_MATMUL_PACKED_H
#define TTT_OPS_MATMUL_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ttt/ops/matmul/panel.h"

typedef struct ttt_packed_product {
    int64_t m, n, k;
    const float *a; /* m x k */
    int64_t a_row, a_column;
    const float *b; /* k x n */
    int64_t b_row, b_column;
    float *c;           /* m x n, contiguous */
    const float *start; /* n values, added to each row; or NULL */
    bool add;           /* c = c + a b instead */
    double *row_sums;   /* m values, set to the sums of a's rows while these are in cache; or NULL */

    ttt_panel_finish *finish; /* or NULL */
    const void *context;
    const float *beside;          /* laid out as c: what finish reads or writes besides it; or NULL */
    const float *next_a, *next_b; /* of a like product that follows, asked for towards the end; or NULL */
    int threads;
} ttt_packed_product;

/* Bytes of workspace; only sizes, strides and threads are looked at. */
size_t ttt_packed_workspace(const ttt_packed_product *p);

/* The results are bit-identical for any number of threads (panel.h). */
void ttt_packed_multiply(const ttt_packed_product *p, float *workspace);

/* The same part by part, for who has several products for his threads: into how many c is cut, no more than
 * p->threads; bytes of workspace for each; one of them. */
int64_t ttt_packed_parts(const ttt_packed_product *p);
size_t ttt_packed_part_workspace(const ttt_packed_product *p);
void ttt_packed_multiply_part(const ttt_packed_product *p, int64_t part, float *workspace);

#endif
