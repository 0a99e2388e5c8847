/* Activations and their derivatives in f32, by the formulas of ops/pointwise/math.h. */
#ifndef TTT_OPS_MATMUL_ACTIVATION_CUH
#define TTT_OPS_MATMUL_ACTIVATION_CUH

#include "ttt/device/kernel.cuh"

__device__ inline float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}
__device__ inline float silu(float x)
{
    return x * sigmoid(x);
}
__device__ inline float silu_grad(float x)
{
    const float s = sigmoid(x);
    return s * (1.0f + x * (1.0f - s));
}
__device__ inline float gelu(float x)
{
    return 0.5f * x * (1.0f + erff(x * 0.70710678f));
}
__device__ inline float gelu_grad(float x)
{
    return 0.5f + 0.5f * erff(x * 0.70710678f) + 0.39894228f * x * expf(-0.5f * x * x);
}

#endif
