/* The function behind every stream of random numbers, for the CPU and for kernels. */
#ifndef TTT_BASE_RANDOM_INTERNAL_H
#define TTT_BASE_RANDOM_INTERNAL_H

#include <Random123/philox.h>

/* Words 4 * block ... 4 * block + 3 of the stream (seed, purpose, a, b).
 * Counter: 32 bits of block index, `a` and `b`; key: the seed, with the purpose mixed into its upper half. */
R123_CUDA_DEVICE static inline philox4x32_ctr_t ttt_random_block(uint64_t seed, uint32_t purpose, uint64_t a,
                                                                 uint32_t b, uint64_t block)
{
    philox4x32_ctr_t counter = {{(uint32_t)block, (uint32_t)a, (uint32_t)(a >> 32), b}};
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32) ^ purpose * UINT32_C(0x9E3779B9)}};
    return philox4x32(counter, key);
}

/* Uniform in [0, 1), from 53 of the bits of two words. */
R123_CUDA_DEVICE static inline double ttt_random_fraction(uint32_t first, uint32_t second)
{
    uint64_t high = first >> 5, low = second >> 6;
    return (double)(high << 26 | low) * 0x1p-53;
}

#endif
