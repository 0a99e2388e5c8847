/* Counter-based random numbers: Philox 4x32-10, keyed by what they are for.
 *
 * A number is a pure function of (seed, purpose, a, b, i), so there is no generator to save, and the
 * order or number of threads that ask cannot matter.
 * Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 */
#ifndef TTT_BASE_RANDOM_H
#define TTT_BASE_RANDOM_H

#include <stdint.h>

/* What a stream is for; two purposes never share numbers. */
typedef enum ttt_purpose {
    TTT_RANDOM_INIT = 1,  /* initial weights:     a = hash of the name */
    TTT_RANDOM_SHUFFLE,   /* order of an epoch:   a = epoch */
    TTT_RANDOM_AUGMENT,   /* picture transforms:  a = epoch, b = sample */
    TTT_RANDOM_DROP_PATH, /* stochastic depth:    a = step, b = layer */
    TTT_RANDOM_RENDER,    /* the embedded set:    a = picture */
    TTT_RANDOM_VIEWS,     /* choice of views:     a = epoch or step, b = scene */
    TTT_RANDOM_TEST,
} ttt_purpose;

typedef struct ttt_random {
    uint64_t seed;
    uint32_t purpose;
    uint32_t b;
    uint64_t a;
    uint64_t next;     /* index of the next 32-bit word */
    uint32_t words[4]; /* the block that holds it */
} ttt_random;

/* A stream positioned at its first number. */
ttt_random ttt_random_start(uint64_t seed, ttt_purpose purpose, uint64_t a, uint32_t b);

/* The next 32 random bits. */
uint32_t ttt_random_bits(ttt_random *random);

/* Uniform in [0, 1): a double from 53 bits; a float from 24. */
double ttt_random_uniform(ttt_random *random);
float ttt_random_uniform_f32(ttt_random *random);

/* Uniform in 0 .. n-1, unbiased; n > 0. */
uint32_t ttt_random_below(ttt_random *random, uint32_t n);

/* Standard normal (Box-Muller). */
double ttt_random_normal(ttt_random *random);

/* order[0..n-1] becomes a random permutation of 0..n-1 (Fisher-Yates). */
void ttt_random_permutation(ttt_random *random, uint32_t n, uint32_t *order);

/* 64-bit FNV-1a of a name, for keys. */
uint64_t ttt_hash(const char *text);

#endif
