/* Device functions that need no other thread: arithmetic, bits, atomics. */
#ifndef TESTS_CUDA_DEVICE_MATH_HPP
#define TESTS_CUDA_DEVICE_MATH_HPP

#include <math.h>

#include <bit>
#include <cstdint>
#include <cstring>

/* glibc declares these names itself, so they cannot be functions of ours. */
#define __expf expf
#define __logf logf
#define __log2f log2f
#define __powf powf
#define __sinf sinf
#define __cosf cosf
#define __tanhf emulated_tanh

/* Off by 2^-11 of the value, as the instruction may be. */
inline float emulated_tanh(float x)
{
    return std::bit_cast<float>(std::bit_cast<uint32_t>(tanhf(x)) & ~0xfffu);
}
inline float rsqrtf(float x)
{
    return 1 / sqrtf(x);
}
inline float __frcp_rn(float x)
{
    return 1 / x;
}
inline float __frsqrt_rn(float x)
{
    return 1 / sqrtf(x);
}
inline float __fsqrt_rn(float x)
{
    return sqrtf(x);
}
inline float __fdividef(float x, float y)
{
    return x / y;
}
inline float __fdiv_rn(float x, float y)
{
    return x / y;
}
inline float __fmaf_rn(float x, float y, float z)
{
    return fmaf(x, y, z);
}
/* The barrier keeps the compiler from contracting what these promise to round. */
inline float emulated_rounded(float x)
{
    asm("" : "+m"(x));
    return x;
}
inline float __fmul_rn(float x, float y)
{
    return emulated_rounded(x * y);
}
inline float __fadd_rn(float x, float y)
{
    return emulated_rounded(x + y);
}
inline float __fsub_rn(float x, float y)
{
    return emulated_rounded(x - y);
}
inline float __saturatef(float x)
{
    return x > 0 ? fminf(x, 1) : 0;
}
inline int __float2int_rn(float x)
{
    return static_cast<int>(rintf(x));
}
inline float __int2float_rn(int x)
{
    return static_cast<float>(x);
}

#define EMULATED_MIN_MAX(type)                                                                               \
    inline type min(type a, type b)                                                                          \
    {                                                                                                        \
        return b < a ? b : a;                                                                                \
    }                                                                                                        \
    inline type max(type a, type b)                                                                          \
    {                                                                                                        \
        return a < b ? b : a;                                                                                \
    }
EMULATED_MIN_MAX(int)
EMULATED_MIN_MAX(unsigned)
EMULATED_MIN_MAX(long)
EMULATED_MIN_MAX(unsigned long)
EMULATED_MIN_MAX(long long)
EMULATED_MIN_MAX(unsigned long long)
#undef EMULATED_MIN_MAX
inline float min(float a, float b)
{
    return fminf(a, b);
}
inline float max(float a, float b)
{
    return fmaxf(a, b);
}
inline double min(double a, double b)
{
    return fmin(a, b);
}
inline double max(double a, double b)
{
    return fmax(a, b);
}

inline int __float_as_int(float x)
{
    return std::bit_cast<int>(x);
}
inline unsigned __float_as_uint(float x)
{
    return std::bit_cast<unsigned>(x);
}
inline float __int_as_float(int x)
{
    return std::bit_cast<float>(x);
}
inline float __uint_as_float(unsigned x)
{
    return std::bit_cast<float>(x);
}
inline unsigned __umulhi(unsigned x, unsigned y)
{
    return static_cast<unsigned>(static_cast<uint64_t>(x) * y >> 32);
}
inline int __mulhi(int x, int y)
{
    return static_cast<int>(static_cast<int64_t>(x) * y >> 32);
}
inline unsigned long long __umul64hi(unsigned long long x, unsigned long long y)
{
    return static_cast<unsigned long long>(static_cast<unsigned __int128>(x) * y >> 64);
}
inline int __mul24(int x, int y)
{
    return (x << 8 >> 8) * (y << 8 >> 8);
}
inline int __clz(int x)
{
    return std::countl_zero(static_cast<unsigned>(x));
}
inline int __clzll(long long x)
{
    return std::countl_zero(static_cast<unsigned long long>(x));
}
inline int __popc(unsigned x)
{
    return std::popcount(x);
}
inline int __popcll(unsigned long long x)
{
    return std::popcount(x);
}
inline int __ffs(int x)
{
    return __builtin_ffs(x);
}

template <class T> T __ldg(const T *p)
{
    return *p;
}
template <class T> T __ldcs(const T *p)
{
    return *p;
}
template <class T> void __stcs(T *p, T value)
{
    *p = value;
}

/* Threads only give way at barriers and collectives, so plain accesses are atomic. */
template <class T> T emulated_exchange(T *p, T value)
{
    const T old = *p;
    *p = value;
    return old;
}
#define EMULATED_ATOMICS(type)                                                                               \
    inline type atomicAdd(type *p, type value)                                                               \
    {                                                                                                        \
        return emulated_exchange(p, static_cast<type>(*p + value));                                          \
    }                                                                                                        \
    inline type atomicMax(type *p, type value)                                                               \
    {                                                                                                        \
        return emulated_exchange(p, max(*p, value));                                                         \
    }                                                                                                        \
    inline type atomicMin(type *p, type value)                                                               \
    {                                                                                                        \
        return emulated_exchange(p, min(*p, value));                                                         \
    }                                                                                                        \
    inline type atomicOr(type *p, type value)                                                                \
    {                                                                                                        \
        return emulated_exchange(p, *p | value);                                                             \
    }                                                                                                        \
    inline type atomicExch(type *p, type value)                                                              \
    {                                                                                                        \
        return emulated_exchange(p, value);                                                                  \
    }                                                                                                        \
    inline type atomicCAS(type *p, type compare, type value)                                                 \
    {                                                                                                        \
        return emulated_exchange(p, *p == compare ? value : *p);                                             \
    }
EMULATED_ATOMICS(int)
EMULATED_ATOMICS(unsigned)
EMULATED_ATOMICS(unsigned long long)
#undef EMULATED_ATOMICS

inline void __threadfence()
{
}
inline void __threadfence_block()
{
}

#endif
