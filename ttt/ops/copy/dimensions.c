/* Merging the dimensions of a copy. */
#include "ttt/ops/copy/dimensions.h"

int ttt_copy_merge(ttt_shape shape, const int64_t *to, const int64_t *from, struct ttt_copy_dimension *merged)
{
    int rank = 0;
    for (int i = 0; i < shape.rank; i++) {
        struct ttt_copy_dimension next = {shape.size[i], to[i], from[i]};
        struct ttt_copy_dimension *last = rank ? &merged[rank - 1] : NULL;
        if (next.size == 1)
            continue;
        if (last && last->to == next.to * next.size && last->from == next.from * next.size) {
            next.size *= last->size;
            *last = next;
        } else {
            merged[rank++] = next;
        }
    }
    return rank;
}
