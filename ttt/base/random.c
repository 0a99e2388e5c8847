/* Streams of Philox numbers. */
#include "ttt/base/random.h"

#include <math.h>

#include "ttt/base/random_internal.h"

ttt_random ttt_random_start(uint64_t seed, ttt_purpose purpose, uint64_t a, uint32_t b)
{
    return (ttt_random){.seed = seed, .purpose = purpose, .a = a, .b = b};
}

static void fill_block(ttt_random *random)
{
    philox4x32_ctr_t words =
        ttt_random_block(random->seed, random->purpose, random->a, random->b, random->next / 4);
    for (int i = 0; i < 4; i++)
        random->words[i] = words.v[i];
}

uint32_t ttt_random_bits(ttt_random *random)
{
    if (random->next % 4 == 0)
        fill_block(random);
    return random->words[random->next++ % 4];
}

double ttt_random_uniform(ttt_random *random)
{
    uint32_t first = ttt_random_bits(random), second = ttt_random_bits(random);
    return ttt_random_fraction(first, second);
}

float ttt_random_uniform_f32(ttt_random *random)
{
    return (float)(ttt_random_bits(random) >> 8) * 0x1p-24f;
}

uint32_t ttt_random_below(ttt_random *random, uint32_t n)
{
    uint32_t unfair = -n % n; /* 2^32 mod n: draws below it would favour small results */
    uint64_t product;
    do
        product = (uint64_t)ttt_random_bits(random) * n;
    while ((uint32_t)product < unfair);
    return (uint32_t)(product >> 32);
}

double ttt_random_normal(ttt_random *random)
{
    double radius = sqrt(-2 * log(1 - ttt_random_uniform(random)));
    return radius * cos(6.283185307179586 * ttt_random_uniform(random));
}

void ttt_random_permutation(ttt_random *random, uint32_t n, uint32_t *order)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t j = ttt_random_below(random, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
}

uint64_t ttt_hash(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}
