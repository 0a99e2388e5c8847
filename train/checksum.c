/* XXH64: four lanes over 32-byte stripes, merged, then the tail, then a final mix. */
#include "train/checksum.h"

#include <string.h>

static const uint64_t prime1 = 0x9E3779B185EBCA87, prime2 = 0xC2B2AE3D27D4EB4F, prime3 = 0x165667B19E3779F9,
                      prime4 = 0x85EBCA77C2B2AE63, prime5 = 0x27D4EB2F165667C5;

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

/* Little-endian words at any address. */
static uint64_t word64(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static uint64_t word32(const unsigned char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static uint64_t lane_step(uint64_t lane, uint64_t word)
{
    return rotate(lane + word * prime2, 31) * prime1;
}

static uint64_t merge(uint64_t sum, uint64_t lane)
{
    return (sum ^ lane_step(0, lane)) * prime1 + prime4;
}

static uint64_t stripes(const unsigned char *at, size_t count, uint64_t seed)
{
    uint64_t a = seed + prime1 + prime2, b = seed + prime2, c = seed, d = seed - prime1;
    for (; count; count--, at += 32) {
        a = lane_step(a, word64(at));
        b = lane_step(b, word64(at + 8));
        c = lane_step(c, word64(at + 16));
        d = lane_step(d, word64(at + 24));
    }
    uint64_t sum = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
    return merge(merge(merge(merge(sum, a), b), c), d);
}

static uint64_t tail(const unsigned char *at, size_t bytes, uint64_t sum)
{
    for (; bytes >= 8; bytes -= 8, at += 8)
        sum = rotate(sum ^ lane_step(0, word64(at)), 27) * prime1 + prime4;
    if (bytes >= 4) {
        sum = rotate(sum ^ word32(at) * prime1, 23) * prime2 + prime3;
        bytes -= 4;
        at += 4;
    }
    for (; bytes; bytes--, at++)
        sum = rotate(sum ^ *at * prime5, 11) * prime1;
    return sum;
}

uint64_t checksum(const void *data, size_t bytes, uint64_t seed)
{
    const unsigned char *at = data;
    const size_t count = bytes / 32;
    uint64_t sum = count ? stripes(at, count, seed) : seed + prime5;
    sum += bytes;
    if (bytes % 32)
        sum = tail(at + count * 32, bytes % 32, sum);
    sum = (sum ^ sum >> 33) * prime2;
    sum = (sum ^ sum >> 29) * prime3;
    return sum ^ sum >> 32;
}
