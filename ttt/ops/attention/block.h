/* What both directions of attention do with blocks of scores: products, and where heads lie. */
#ifndef TTT_OPS_ATTENTION_BLOCK_H
#define TTT_OPS_ATTENTION_BLOCK_H

#include "ttt/graph/operator.h"

/* Queries and keys of a block: its scores (two of them in the backward pass), the panel and the rows of q
 * that it is made of stay in the second-level cache. */
enum { TTT_ATTENTION_QUERIES = 96, TTT_ATTENTION_KEYS = 128 };

/* A matrix by its strides, in elements. */
struct attention_matrix {
    float *at;
    int64_t row, column;
};

/* Row `first` and on of head i (of B*H) of a tensor with dimensions (B, H, L, d), or, where `joined`,
 * (B, L, H, d). */
struct attention_matrix attention_head(const ttt_operand *x, bool joined, int64_t heads, int64_t i,
                                       int64_t first);

struct attention_matrix attention_transposed(struct attention_matrix x);

/* c = a b, or c + a b where `add`; a is rows x depth, b is depth x columns.  `panel` has
 * attention_panel(depth) bytes.  The last bits do not depend on how c is cut. */
void attention_multiply(int64_t rows, int64_t columns, int64_t depth, struct attention_matrix a,
                        struct attention_matrix b, struct attention_matrix c, bool add, float *panel);

/* Elements of a panel that serves every product of blocks with vectors of d. */
int64_t attention_panel(int64_t d);

#endif
