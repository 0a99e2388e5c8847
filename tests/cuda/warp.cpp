/* Shuffles and votes: what happens when the lanes have met. */
#include "tests/cuda/warp.hpp"

namespace
{
struct shuffle_argument {
    unsigned long long bits, result;
    unsigned source;
};

void finish_shuffle(void *const *arguments, unsigned lanes)
{
    for (unsigned lane = 0; lane < 32; lane++) {
        if (!(lanes >> lane & 1))
            continue;
        auto *mine = static_cast<shuffle_argument *>(arguments[lane]);
        mine->result = lanes >> mine->source & 1
                           ? static_cast<const shuffle_argument *>(arguments[mine->source])->bits
                           : ~0ull;
    }
}

struct vote_argument {
    bool predicate;
    emulated_votes votes;
};

void finish_vote(void *const *arguments, unsigned lanes)
{
    unsigned yes = 0;
    for (unsigned lane = 0; lane < 32; lane++)
        if (lanes >> lane & 1 && static_cast<const vote_argument *>(arguments[lane])->predicate)
            yes |= 1u << lane;
    for (unsigned lane = 0; lane < 32; lane++)
        if (lanes >> lane & 1)
            static_cast<vote_argument *>(arguments[lane])->votes = {yes, lanes};
}

void finish_nothing(void *const *, unsigned)
{
}

const emulated_collective shuffle = {"a shuffle", finish_shuffle}, vote = {"a vote", finish_vote},
                          warp_barrier = {"__syncwarp", finish_nothing};
} // namespace

unsigned long long emulated_shuffle(unsigned mask, unsigned long long bits, unsigned source)
{
    shuffle_argument argument = {bits, 0, source % 32};
    emulated_meet(shuffle, mask, &argument);
    return argument.result;
}

emulated_votes emulated_vote(unsigned mask, bool predicate)
{
    vote_argument argument = {predicate, {}};
    emulated_meet(vote, mask, &argument);
    return argument.votes;
}

void __syncwarp(unsigned mask)
{
    emulated_meet(warp_barrier, mask, nullptr);
}
