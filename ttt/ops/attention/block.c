/* Products of blocks by the kernel of matmul. */
#include "ttt/ops/attention/block.h"

struct attention_matrix attention_head(const ttt_operand *x, bool joined, int64_t heads, int64_t i,
                                       int64_t first)
{
    const int64_t row = x->stride[joined ? 1 : 2], head = x->stride[joined ? 2 : 1];
    return (struct attention_matrix){
        (float *)x->data + i / heads * x->stride[0] + i % heads * head + first * row, row, 1};
}

struct attention_matrix attention_transposed(struct attention_matrix x)
{
    return (struct attention_matrix){x.at, x.column, x.row};
}

int64_t attention_panel(int64_t d)
{
    const int64_t depth = d > TTT_ATTENTION_KEYS ? d : TTT_ATTENTION_KEYS;
    return depth * TTT_PANEL_WIDTH;
}

void attention_ask(struct attention_ahead *ahead, struct attention_matrix x, int64_t rows, int64_t d,
                   int64_t tiles)
{
    const int64_t share = (tiles + TTT_ATTENTION_STREAMS - 1) / TTT_ATTENTION_STREAMS;
    if (x.at && tiles && ahead->count < TTT_ATTENTION_STREAMS)
        ahead->stream[ahead->count++] = ttt_panel_ahead_of(x.at, x.row, rows, d, share);
}

int64_t attention_tiles(int64_t rows, int64_t columns)
{
    return rows / TTT_PANEL_ROWS * ((columns + TTT_PANEL_WIDTH - 1) / TTT_PANEL_WIDTH);
}

/* The stream whose turn it is; NULL after the last one. */
static ttt_panel_ahead *next_stream(struct attention_ahead *ahead)
{
    while (ahead->next < ahead->count && !ahead->stream[ahead->next].runs)
        ahead->next++;
    return ahead->next < ahead->count ? &ahead->stream[ahead->next] : NULL;
}

void attention_multiply(int64_t rows, int64_t columns, int64_t depth, struct attention_matrix a,
                        struct attention_matrix b, struct attention_matrix c, bool add, float *panel,
                        struct attention_ahead *ahead)
{
    for (int64_t j = 0; j < columns; j += TTT_PANEL_WIDTH) {
        const int64_t width = columns - j < TTT_PANEL_WIDTH ? columns - j : TTT_PANEL_WIDTH;
        ttt_panel_ahead *stream = next_stream(ahead);
        ttt_panel_pack(depth, width, b.at + j * b.column, b.row, b.column, panel);
        ttt_panel_multiply(&(ttt_panel_product){
            .rows = rows,
            .depth = depth,
            .width = width,
            .a = a.at,
            .a_row = a.row,
            .a_column = a.column,
            .a_tile = TTT_PANEL_ROWS * a.row,
            .panel = panel,
            .panel_row = TTT_PANEL_WIDTH,
            .c = c.at + j,
            .c_row = c.row,
            .add = add,
            .ahead = stream,
            .n_ahead = stream != NULL,
        });
    }
}
