/* A 64-bit checksum of bytes, against damage and not against an adversary.
 *
 * The algorithm is XXH64 (Collet, https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md): it
 * reads memory about as fast as it can be copied, so that checksums cost a checkpoint next to nothing.
 */
#ifndef TRAIN_CHECKSUM_H
#define TRAIN_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of data[bytes]; `seed` chains one checksum into the next. */
uint64_t checksum(const void *data, size_t bytes, uint64_t seed);

#endif
