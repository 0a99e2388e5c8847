/* Branch-free single-precision functions that compilers vectorise.  NaN in gives NaN out. */
#ifndef TTT_OPS_POINTWISE_MATH_H
#define TTT_OPS_POINTWISE_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline int32_t ttt_bits_of(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float ttt_float_of(int32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* exp(x): relative error below 2.5e-7 between -87.3 and 88.3; outside it stays at its value there.
 * x = n log 2 + r with |r| <= log(2) / 2.  Adding `round` leaves n in the low bits of the sum, from where it
 * moves into the exponent of exp(r), a polynomial. */
static inline float ttt_fast_exp(float x)
{
    const float round = 12582912.0f; /* 1.5 * 2^23 */
    float t = x < -87.3f ? -87.3f : x;
    t = t > 88.3f ? 88.3f : t;
    float shifted = t * 1.44269504f + round;
    float n = shifted - round;
    float r = t - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    float p = 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    float y = ttt_float_of((int32_t)((uint32_t)ttt_bits_of(p) + ((uint32_t)ttt_bits_of(shifted) << 23)));
    return x == x ? y : x;
}

static inline float ttt_exp(float x)
{
    return x > 88.7f ? INFINITY : ttt_fast_exp(x);
}

static inline float ttt_quotient(float x, float y)
{
    return x / y;
}

#define POINTWISE_TEXT(...) __VA_ARGS__
#define POINTWISE_INLINE static inline
#include "ttt/ops/pointwise/formulas.h"

#endif
