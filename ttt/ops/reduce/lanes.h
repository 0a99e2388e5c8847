/* Eight numbers as one vector, for sums along rows on the CPU: where compilers take such sums themselves,
 * they go through memory at the end of every row, which a short row waits for. */
#ifndef TTT_OPS_REDUCE_LANES_H
#define TTT_OPS_REDUCE_LANES_H

#include <stdint.h>
#include <string.h>

#define TTT_LANES 8
#define TTT_LANES_INLINE static inline __attribute__((always_inline))

/* Passed by address, since the calling convention for vectors depends on the instruction set. */
typedef float ttt_lanes __attribute__((vector_size(TTT_LANES * sizeof(float))));

/* The first `count` lanes come from memory, the others, where it has no more, are 0. */
TTT_LANES_INLINE void ttt_lanes_load(ttt_lanes *lanes, const float *from, int64_t count)
{
    if (count >= TTT_LANES) {
        memcpy(lanes, from, sizeof *lanes);
        return;
    }
    float some[TTT_LANES] = {0};
    for (int64_t i = 0; i < count; i++)
        some[i] = from[i];
    memcpy(lanes, some, sizeof *lanes);
}

TTT_LANES_INLINE void ttt_lanes_store(float *to, const ttt_lanes *lanes, int64_t count)
{
    if (count >= TTT_LANES) {
        memcpy(to, lanes, sizeof *lanes);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        to[i] = (*lanes)[i];
}

TTT_LANES_INLINE float ttt_lanes_sum(const ttt_lanes *x)
{
    const ttt_lanes a = *x;
    return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
}

/* The sum of x[i] y[i]. */
TTT_LANES_INLINE float ttt_row_dot(const float *x, const float *y, int64_t d)
{
    ttt_lanes even = {0}, odd = {0}, a, b;
    for (int64_t i = 0; i < d; i += 2 * TTT_LANES) {
        ttt_lanes_load(&a, x + i, d - i);
        ttt_lanes_load(&b, y + i, d - i);
        even += a * b;
        ttt_lanes_load(&a, x + i + TTT_LANES, d - i - TTT_LANES);
        ttt_lanes_load(&b, y + i + TTT_LANES, d - i - TTT_LANES);
        odd += a * b;
    }
    even += odd;
    return ttt_lanes_sum(&even);
}

TTT_LANES_INLINE float ttt_row_sum(const float *x, int64_t d)
{
    ttt_lanes even = {0}, odd = {0}, a, b;
    for (int64_t i = 0; i < d; i += 2 * TTT_LANES) {
        ttt_lanes_load(&a, x + i, d - i);
        ttt_lanes_load(&b, x + i + TTT_LANES, d - i - TTT_LANES);
        even += a;
        odd += b;
    }
    even += odd;
    return ttt_lanes_sum(&even);
}

#endif
