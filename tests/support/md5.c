/* MD5, written from RFC 1321. */
#include "tests/support/md5.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static uint32_t rotate(uint32_t x, int by)
{
    return x << by | x >> (32 - by);
}

static void add_block(const uint8_t block[64], const uint32_t sines[64], uint32_t state[4])
{
    static const int shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    for (unsigned i = 0; i < 64; i++) {
        uint32_t mixed;
        unsigned word;
        if (i < 16) {
            mixed = (b & c) | (~b & d);
            word = i;
        } else if (i < 32) {
            mixed = (d & b) | (~d & c);
            word = (5 * i + 1) % 16;
        } else if (i < 48) {
            mixed = b ^ c ^ d;
            word = (3 * i + 5) % 16;
        } else {
            mixed = c ^ (b | ~d);
            word = 7 * i % 16;
        }
        const uint8_t *at = block + 4 * word;
        uint32_t x = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        uint32_t next = b + rotate(a + mixed + x + sines[i], shifts[i / 16][i % 4]);
        a = d;
        d = c;
        c = b;
        b = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

void md5_text(const uint8_t *bytes, size_t size, char text[33])
{
    uint32_t sines[64], state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    for (int i = 0; i < 64; i++)
        sines[i] = (uint32_t)floor(4294967296.0 * fabs(sin(i + 1)));
    size_t done = 0;
    for (; size - done >= 64; done += 64)
        add_block(bytes + done, sines, state);
    uint8_t last[128] = {0};
    size_t rest = size - done, padded = rest < 56 ? 64 : 128;
    if (rest > 0)
        memcpy(last, bytes + done, rest);
    last[rest] = 0x80;
    for (size_t i = 0; i < 8; i++)
        last[padded - 8 + i] = (uint8_t)((uint64_t)size * 8 >> 8 * i);
    for (size_t at = 0; at < padded; at += 64)
        add_block(last + at, sines, state);
    for (size_t i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", (unsigned)(state[i / 4] >> 8 * (i % 4) & 255));
}
