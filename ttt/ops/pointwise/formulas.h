/* What pointwise functions compute, for the CPU, the interpreter on CUDA and compiled kernels alike.
 *
 * POINTWISE_TEXT takes the formulas, as code or (for compiled kernels) as text.  Whoever defines it also
 * defines POINTWISE_INLINE and the functions of his machine: ttt_fast_exp(x), of a relative error below 2e-6
 * for |x| < 16; ttt_exp(x), which goes on to infinity; ttt_quotient(x, y).  Else it is the CPU: math.h.
 */
#ifndef TTT_OPS_POINTWISE_FORMULAS_H
#define TTT_OPS_POINTWISE_FORMULAS_H

#ifndef POINTWISE_TEXT
#include "ttt/ops/pointwise/math.h"
#endif

POINTWISE_TEXT(
    /* s(x) = 1 / (1 + exp(-x)) */
    POINTWISE_INLINE float ttt_fast_sigmoid(float x) { return ttt_quotient(1.0f, 1.0f + ttt_fast_exp(-x)); }

    /* erf(x): relative error below 4e-7.  A rational function in x^2 times x, fitted to erf(x) / x in the
     * minimax sense on |x| <= 3.92 (relative error 1.9e-8 before rounding), from where on erf is 1 in single
     * precision.  All coefficients are positive, so nothing cancels. */
    POINTWISE_INLINE float ttt_fast_erf(float x) {
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
        return ttt_quotient(x * p, q);
    }

    /* x/2 (1 + erf(x / sqrt 2)) */
    POINTWISE_INLINE float ttt_fast_gelu(float x) {
        return 0.5f * x * (1.0f + ttt_fast_erf(x * 0.70710678f));
    }

    /* d gelu / dx = (1 + erf(x / sqrt 2)) / 2 + x exp(-x^2 / 2) / sqrt(2 pi): absolute error below 3e-7.  It
     * is 1/2 and an odd function, for which we take x times a rational function in x^2, fitted in the minimax
     * sense on |x| <= 6 (error 3.2e-8 before rounding), from where on the odd part stays at its limit. */
    POINTWISE_INLINE float ttt_fast_gelu_grad(float x) {
        x = x < -6.0f ? -6.0f : x;
        x = x > 6.0f ? 6.0f : x;
        float t = x * x;
        float p = -1.535762509e-11f;
        p = p * t + 2.785030428e-9f;
        p = p * t - 1.008728998e-7f;
        p = p * t + 3.300830093e-5f;
        p = p * t - 1.481587224e-4f;
        p = p * t + 1.452999612e-2f;
        p = p * t - 4.151697825e-2f;
        p = p * t + 7.978847897e-1f;
        float q = 5.556687708e-6f;
        q = q * t + 1.502087499e-4f;
        q = q * t + 2.952293347e-3f;
        q = q * t + 3.697190067e-2f;
        q = q * t + 2.81301975e-1f;
        q = q * t + 1.0f;
        return 0.5f + ttt_quotient(x * p, q);
    }

    /* gelu'' = (2 - x^2) exp(-x^2 / 2) / sqrt(2 pi) */
    POINTWISE_INLINE float ttt_fast_gelu_grad2(float x) {
        return 0.39894228f * (2.0f - x * x) * ttt_fast_exp(-0.5f * x * x);
    }

    /* silu'(x), s being the sigmoid of x */
    POINTWISE_INLINE float ttt_fast_silu_grad(float x, float s) { return s * (1.0f + x * (1.0f - s)); }

    /* silu'' = s' (2 + x (1 - 2 s)), with s' = s (1 - s) */
    POINTWISE_INLINE float ttt_fast_silu_grad2(float x, float s) {
        return s * (1.0f - s) * (2.0f + x * (1.0f - 2.0f * s));
    }

    POINTWISE_INLINE float ttt_fast_softplus(float x) { return x > 20.0f ? x : log1pf(expf(x)); })

/* The functions of program.h: of values a and b and the constant c. */
#define POINTWISE_FUNCTIONS(FUNCTION)                                                                        \
    FUNCTION(POINTWISE_ADD, a + b)                                                                           \
    FUNCTION(POINTWISE_SUB, a - b)                                                                           \
    FUNCTION(POINTWISE_MUL, (a * b))                                                                         \
    FUNCTION(POINTWISE_DIV, a / b)                                                                           \
    FUNCTION(POINTWISE_SCALE, (a * c))                                                                       \
    FUNCTION(POINTWISE_SHIFT, a + c)                                                                         \
    FUNCTION(POINTWISE_EXP, ttt_exp(a))                                                                      \
    FUNCTION(POINTWISE_SQRT, sqrtf(a))                                                                       \
    FUNCTION(POINTWISE_SQUARE, (a * a))                                                                      \
    FUNCTION(POINTWISE_RECIPROCAL, 1.0f / a)                                                                 \
    FUNCTION(POINTWISE_RECIPROCAL_OR_ZERO, a == 0.0f ? 0.0f : 1.0f / a)                                      \
    FUNCTION(POINTWISE_SIGMOID, ttt_fast_sigmoid(a))                                                         \
    FUNCTION(POINTWISE_SILU, ttt_fast_sigmoid(a) * a)                                                        \
    FUNCTION(POINTWISE_SILU_GRAD, ttt_fast_silu_grad(a, ttt_fast_sigmoid(a)))                                \
    FUNCTION(POINTWISE_SILU_GRAD2, ttt_fast_silu_grad2(a, ttt_fast_sigmoid(a)))                              \
    FUNCTION(POINTWISE_GELU, ttt_fast_gelu(a))                                                               \
    FUNCTION(POINTWISE_GELU_GRAD, ttt_fast_gelu_grad(a))                                                     \
    FUNCTION(POINTWISE_GELU_GRAD2, ttt_fast_gelu_grad2(a))                                                   \
    FUNCTION(POINTWISE_SOFTPLUS, ttt_fast_softplus(a))                                                       \
    FUNCTION(POINTWISE_SILU_GRAD_OF, ttt_fast_silu_grad(a, b))                                               \
    FUNCTION(POINTWISE_SILU_GRAD2_OF, ttt_fast_silu_grad2(a, b))

#endif
