/* Work over the elements of many tensors, shared evenly among threads.
 *
 * The elements of all tensors stand in one row, which is cut into chunks of equal length.  A chunk that spans
 * several tensors is done in pieces, in order, by one thread.  Chunks do not depend on the number of threads.
 */
#ifndef TTT_OPS_OPTIMISER_PIECES_H
#define TTT_OPS_OPTIMISER_PIECES_H

#include "ttt/graph/operator.h"

/* Elements start .. start+count-1 of the i-th tensor. */
struct ttt_piece {
    int i;
    int64_t chunk, start, count;
};

typedef void ttt_piece_work(const ttt_launch *launch, const struct ttt_piece *piece, const void *context);

/* How many chunks the tensors in[first], in[first + step], ... make. */
int64_t ttt_chunk_count(const ttt_launch *launch, int first, int step);

/* Calls `work` for every piece of in[first], in[first + step], ..., in launch->threads threads. */
void ttt_for_each_piece(const ttt_launch *launch, int first, int step, ttt_piece_work *work,
                        const void *context);

#endif
