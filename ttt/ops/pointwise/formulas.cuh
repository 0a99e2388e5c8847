/* The pointwise functions in device code: formulas.h with the functions of a GPU. */
#ifndef TTT_OPS_POINTWISE_FORMULAS_CUH
#define TTT_OPS_POINTWISE_FORMULAS_CUH

__device__ inline float ttt_fast_exp(float x)
{
    return __expf(x);
}

__device__ inline float ttt_exp(float x)
{
    return expf(x);
}

__device__ inline float ttt_quotient(float x, float y)
{
    return __fdividef(x, y);
}

#define POINTWISE_TEXT(...) __VA_ARGS__
#define POINTWISE_INLINE __device__ inline
#include "ttt/ops/pointwise/formulas.h"

#endif
