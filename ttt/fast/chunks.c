/* Chunks in the recurrent form, and what both forms check. */
#include "ttt/fast/chunks.h"

#include <stdlib.h>

#include "ttt/fast/chunks_internal.h"
#include "ttt/graph/operator.h"
#include "ttt/ops/concat/concat.h"

bool chunks_fit(ttt_graph *g, const ttt_lact_tokens *tokens, int64_t chunk, ttt_tensor momentum)
{
    if (!ttt_exists(tokens->k) || !ttt_exists(tokens->v) || !ttt_valid(tokens->q) || !ttt_valid(momentum))
        return false;
    char a[TTT_SHAPE_TEXT], b[TTT_SHAPE_TEXT];
    const ttt_shape k = ttt_shape_of(g, tokens->k), v = ttt_shape_of(g, tokens->v),
                    beta = ttt_shape_of(g, momentum);
    if (k.rank != 4 || !ttt_shape_equal(k, v)) {
        ttt_graph_fail(g, TTT_SHAPE, "chunks: keys %s and values %s are not both (B, H, L, d)",
                       ttt_shape_text(k, a), ttt_shape_text(v, b));
        return false;
    }
    if (chunk < 1) {
        ttt_graph_fail(g, TTT_ARGUMENT, "chunks: %lld tokens a chunk", (long long)chunk);
        return false;
    }
    const int64_t count = chunks_count(g, tokens, chunk);
    if (ttt_exists(momentum) && (beta.rank != 3 || beta.size[2] != count)) {
        ttt_graph_fail(g, TTT_SHAPE,
                       "chunks: momentum %s is not (B, H, %lld), one factor for each chunk of %s",
                       ttt_shape_text(beta, a), (long long)count, ttt_shape_text(k, b));
        return false;
    }
    return true;
}

int64_t chunks_count(const ttt_graph *g, const ttt_lact_tokens *tokens, int64_t chunk)
{
    const int64_t length = ttt_size(g, tokens->k, 2);
    return length / chunk + (length % chunk != 0);
}

enum { MOST_PIECES = 64 }; /* of one split */

/* Cuts dimension 2 of x into pieces of `chunk`, the last one what is left; groups first where there are many.
 */
static void cut(ttt_graph *g, ttt_tensor x, int64_t chunk, ttt_tensor *pieces)
{
    const int64_t length = ttt_size(g, x, 2);
    int64_t group = chunk, sizes[MOST_PIECES];
    while (length > group * MOST_PIECES)
        group *= MOST_PIECES;
    int count = 0;
    for (int64_t at = 0; at < length; at += group)
        sizes[count++] = length - at < group ? length - at : group;
    if (group == chunk) {
        ttt_split(g, x, 2, count, sizes, pieces);
        return;
    }
    ttt_tensor groups[MOST_PIECES];
    ttt_split(g, x, 2, count, sizes, groups);
    for (int i = 0; i < count; i++)
        cut(g, groups[i], chunk, pieces + i * (group / chunk));
}

/* Each token array, and the momentum, chunk by chunk. */
enum { QUERY, KEY, VALUE, RATE, FACTOR = RATE + 3, ARRAYS };

static ttt_tensor run_chunks(ttt_graph *g, const ttt_lact_options *options, ttt_lact_fast *fast,
                             ttt_tensor *const *pieces, int64_t count)
{
    for (int64_t c = 0; c < count; c++) {
        ttt_lact_tokens tokens = {.k = pieces[KEY][c], .v = pieces[VALUE][c]};
        for (int i = 0; i < 3; i++)
            tokens.rate[i] = pieces[RATE + i][c];
        ttt_tensor factor = pieces[FACTOR][c];
        if (ttt_exists(factor))
            factor = ttt_reshape(g, factor, ttt_dims(ttt_size(g, factor, 0), ttt_size(g, factor, 1), 1, 1));
        ttt_tensor y = ttt_lact_apply(g, options, fast, pieces[QUERY][c]);
        ttt_lact_update(g, options, fast, &tokens, factor);
        pieces[QUERY][c] = y;
    }
    return ttt_concat(g, pieces[QUERY], (int)count, 2);
}

ttt_tensor ttt_chunks_recurrent(ttt_graph *g, const ttt_lact_options *options, ttt_lact_fast *fast,
                                const ttt_lact_tokens *tokens, int64_t chunk, ttt_tensor momentum)
{
    if (!chunks_fit(g, tokens, chunk, momentum))
        return TTT_INVALID;
    const int64_t count = chunks_count(g, tokens, chunk);
    const bool rated = options->variant.token_lr;
    ttt_tensor *room = calloc((size_t)(count * ARRAYS), sizeof *room), *pieces[ARRAYS];
    if (!room)
        return ttt_graph_fail(g, TTT_MEMORY, "no memory for %lld chunks", (long long)count);
    for (int i = 0; i < ARRAYS; i++)
        pieces[i] = room + i * count;
    cut(g, ttt_lact_query(options, tokens), chunk, pieces[QUERY]);
    cut(g, tokens->k, chunk, pieces[KEY]);
    cut(g, tokens->v, chunk, pieces[VALUE]);
    for (int i = 0; i < 3 && rated; i++)
        if (ttt_exists(tokens->rate[i]))
            cut(g, tokens->rate[i], chunk, pieces[RATE + i]);
    if (ttt_exists(momentum))
        cut(g, momentum, 1, pieces[FACTOR]);
    ttt_tensor y = run_chunks(g, options, fast, pieces, count);
    free(room);
    return y;
}
