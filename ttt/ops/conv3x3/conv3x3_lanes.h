/* Eight neighbouring channels as one vector, for the CPU rows. */
#ifndef TTT_OPS_CONV3X3_CONV3X3_LANES_H
#define TTT_OPS_CONV3X3_CONV3X3_LANES_H

#include "ttt/graph/operator.h"
#include "ttt/ops/reduce/lanes.h"

/* Eight channels of three neighbouring picture rows; a row outside the picture is one zero pixel again and
 * again. */
struct ttt_three_rows {
    const float *pixel[3];
    int64_t step[3]; /* floats from a pixel to the next */
};

static const float ttt_zero_pixel[TTT_LANES];

/* Rows i-1, i, i+1 of sample b, from channel c on; x is (B, h, w, C) with channels of unit stride. */
static inline struct ttt_three_rows ttt_three_rows_at(const ttt_operand *x, int64_t b, int64_t i, int64_t c)
{
    struct ttt_three_rows rows;
    for (int u = 0; u < 3; u++) {
        const int64_t row = i + u - 1;
        const bool inside = row >= 0 && row < x->shape.size[1];
        const int64_t offset = b * x->stride[0] + row * x->stride[1] + c;
        rows.pixel[u] = inside ? (const float *)x->data + offset : ttt_zero_pixel;
        rows.step[u] = inside ? x->stride[2] : 0;
    }
    return rows;
}

#endif
