/* bfloat16 as CUDA has it, without arithmetic: the library computes in f32. */
#ifndef TESTS_CUDA_INCLUDE_CUDA_BF16_H
#define TESTS_CUDA_INCLUDE_CUDA_BF16_H

#ifdef __cplusplus
#include <cstdint>
#include <cstring>

#include "tests/cuda/language.hpp"

struct __nv_bfloat16 {
    uint16_t bits;
};
struct alignas(4) __nv_bfloat162 {
    __nv_bfloat16 x, y;
};

inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits)
{
    return {bits};
}
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 x)
{
    return x.bits;
}

/* To the nearest, ties to even; every NaN becomes 0x7fff. */
inline __nv_bfloat16 __float2bfloat16_rn(float x)
{
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return {0x7fff};
    return {static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16)};
}
inline __nv_bfloat16 __float2bfloat16(float x)
{
    return __float2bfloat16_rn(x);
}
inline float __bfloat162float(__nv_bfloat16 x)
{
    const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline __nv_bfloat162 __halves2bfloat162(__nv_bfloat16 x, __nv_bfloat16 y)
{
    return {x, y};
}
inline __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 x)
{
    return {x, x};
}
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y)
{
    return {__float2bfloat16_rn(x), __float2bfloat16_rn(y)};
}
inline __nv_bfloat162 __float22bfloat162_rn(float2 x)
{
    return __floats2bfloat162_rn(x.x, x.y);
}
inline __nv_bfloat162 __float2bfloat162_rn(float x)
{
    return __floats2bfloat162_rn(x, x);
}
inline float2 __bfloat1622float2(__nv_bfloat162 x)
{
    return {__bfloat162float(x.x), __bfloat162float(x.y)};
}
inline float __low2float(__nv_bfloat162 x)
{
    return __bfloat162float(x.x);
}
inline float __high2float(__nv_bfloat162 x)
{
    return __bfloat162float(x.y);
}
inline __nv_bfloat16 __low2bfloat16(__nv_bfloat162 x)
{
    return x.x;
}
inline __nv_bfloat16 __high2bfloat16(__nv_bfloat162 x)
{
    return x.y;
}
#endif

#endif
