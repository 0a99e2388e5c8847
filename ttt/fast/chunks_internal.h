/* What both forms of chunks check and count. */
#ifndef TTT_FAST_CHUNKS_INTERNAL_H
#define TTT_FAST_CHUNKS_INTERNAL_H

#include "ttt/fast/lact.h"

/* Whether the arguments of a form fit each other; else the graph has the error. */
bool chunks_fit(ttt_graph *g, const ttt_lact_tokens *tokens, int64_t chunk, ttt_tensor momentum);

/* Number of chunks, the last one shorter or not. */
int64_t chunks_count(const ttt_graph *g, const ttt_lact_tokens *tokens, int64_t chunk);

#endif
