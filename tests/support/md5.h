/* MD5 as text, for comparing with manifests. */
#ifndef TESTS_SUPPORT_MD5_H
#define TESTS_SUPPORT_MD5_H

#include <stddef.h>
#include <stdint.h>

/* Writes the 32 hexadecimal digits of the MD5 of bytes[size] and a final zero. */
void md5_text(const uint8_t *bytes, size_t size, char text[33]);

#endif
