/* Barriers, shuffles and votes. */
#ifndef TESTS_CUDA_WARP_HPP
#define TESTS_CUDA_WARP_HPP

#include <cstring>

#include "tests/cuda/emulator.hpp"

inline void __syncthreads()
{
    emulated_barrier();
}
void __syncwarp(unsigned mask = 0xffffffffu);

/* What `source` brought; NaN bytes when that lane takes no part. */
unsigned long long emulated_shuffle(unsigned mask, unsigned long long bits, unsigned source);

/* The lanes of mask whose predicate holds, and the lanes of mask that are there. */
struct emulated_votes {
    unsigned yes, voters;
};
emulated_votes emulated_vote(unsigned mask, bool predicate);

template <class T> T emulated_shuffle_value(unsigned mask, T value, unsigned source)
{
    static_assert(sizeof(T) <= sizeof(unsigned long long));
    unsigned long long bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = emulated_shuffle(mask, bits, source);
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/* Lanes are shuffled within groups of `width`, a power of two; a lane that would look past its group keeps
 * its own value. */
template <class T> T __shfl_sync(unsigned mask, T value, int source, int width = 32)
{
    const unsigned first = emulated_lane() & ~(static_cast<unsigned>(width) - 1);
    return emulated_shuffle_value(
        mask, value, first + (static_cast<unsigned>(source) & (static_cast<unsigned>(width) - 1)));
}
template <class T> T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32)
{
    const unsigned lane = emulated_lane(), source = lane ^ static_cast<unsigned>(bits),
                   end = (lane | (static_cast<unsigned>(width) - 1)) + 1;
    return emulated_shuffle_value(mask, value, source < end ? source : lane);
}
template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32)
{
    const unsigned lane = emulated_lane(), end = (lane | (static_cast<unsigned>(width) - 1)) + 1;
    return emulated_shuffle_value(mask, value, lane + delta < end ? lane + delta : lane);
}
template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32)
{
    const unsigned lane = emulated_lane(), first = lane & ~(static_cast<unsigned>(width) - 1);
    return emulated_shuffle_value(mask, value, lane >= first + delta ? lane - delta : lane);
}

inline unsigned __ballot_sync(unsigned mask, int predicate)
{
    return emulated_vote(mask, predicate != 0).yes;
}
inline int __any_sync(unsigned mask, int predicate)
{
    return emulated_vote(mask, predicate != 0).yes != 0;
}
inline int __all_sync(unsigned mask, int predicate)
{
    const emulated_votes votes = emulated_vote(mask, predicate != 0);
    return votes.yes == votes.voters;
}

#endif
