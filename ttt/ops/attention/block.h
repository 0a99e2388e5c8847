/* What both directions of attention do with blocks of scores: products, and where heads lie. */
#ifndef TTT_OPS_ATTENTION_BLOCK_H
#define TTT_OPS_ATTENTION_BLOCK_H

#include "ttt/graph/operator.h"
#include "ttt/ops/matmul/panel.h"

/* Queries and keys of a block: its scores (two of them in the backward pass), the panel and the rows of q
 * that it is made of stay in the second-level cache. */
enum { TTT_ATTENTION_QUERIES = 96, TTT_ATTENTION_KEYS = 128, TTT_ATTENTION_STREAMS = 8 };

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

/* Memory that products ask for while they compute, one stream after another. */
struct attention_ahead {
    ttt_panel_ahead stream[TTT_ATTENTION_STREAMS];
    int count, next;
};

/* Adds `rows` rows of x, d elements each, a stream that takes its share of the next `tiles` tiles. */
void attention_ask(struct attention_ahead *ahead, struct attention_matrix x, int64_t rows, int64_t d,
                   int64_t tiles);

/* Whole tiles of a product with `rows` rows and `columns` columns. */
int64_t attention_tiles(int64_t rows, int64_t columns);

/* c = a b, or c + a b where `add`; a is rows x depth, b is depth x columns.  `panel` has
 * attention_panel(depth) bytes.  The last bits do not depend on how c is cut. */
void attention_multiply(int64_t rows, int64_t columns, int64_t depth, struct attention_matrix a,
                        struct attention_matrix b, struct attention_matrix c, bool add, float *panel,
                        struct attention_ahead *ahead);

/* Elements of a panel that serves every product of blocks with vectors of d. */
int64_t attention_panel(int64_t d);

#endif
