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

/* s(x) = 1 / (1 + exp(-x)) */
static inline float ttt_fast_sigmoid(float x)
{
    return 1.0f / (1.0f + ttt_fast_exp(-x));
}

/* d silu / dx = s (1 + x (1 - s)), s being the sigmoid of x */
static inline float ttt_fast_silu_grad(float x, float s)
{
    return s * (1.0f + x * (1.0f - s));
}

/* erf(x): relative error below 4e-7.  A rational function in x^2 times x, fitted to erf(x) / x in the minimax
 * sense on |x| <= 3.92 (relative error 1.9e-8 before rounding), from where on erf is 1 in single precision.
 * All coefficients are positive, so nothing cancels. */
static inline float ttt_fast_erf(float x)
{
    x = x < -3.92f ? -3.92f : x;
    x = x > 3.92f ? 3.92f : x;
    float t = x * x;
    float p = 2.050037273e-6f;
    p = p * t + 2.848376673e-4f;
    p = p * t + 3.764433659e-3f;
    p = p * t + 5.274500951e-2f;
    p = p * t + 1.903814423e-1f;
    p = p * t + 1.128379146f;
    float q = 3.808884212e-5f;
    q = q * t + 1.162214219e-3f;
    q = q * t + 1.49668612e-2f;
    q = q * t + 1.140984013e-1f;
    q = q * t + 5.020539081e-1f;
    q = q * t + 1.0f;
    return x * p / q;
}

/* x/2 (1 + erf(x / sqrt 2)) */
static inline float ttt_fast_gelu(float x)
{
    return 0.5f * x * (1.0f + ttt_fast_erf(x * 0.70710678f));
}

/* d gelu / dx = (1 + erf(x / sqrt 2)) / 2 + x exp(-x^2 / 2) / sqrt(2 pi) */
static inline float ttt_fast_gelu_grad(float x)
{
    float e = ttt_fast_exp(-0.5f * x * x);
    return 0.5f + 0.5f * ttt_fast_erf(x * 0.70710678f) + 0.39894228f * x * e;
}

#endif
