/* The bodies of stb_image (PNG alone, from memory) and stb_image_write; nothing else includes them.
 *
 * stb_image inflates without a bound: one allocation is capped, so a small file cannot ask for all memory. */
#include <stddef.h>
#include <stdlib.h>

enum { LARGEST_ALLOCATION = 1 << 30 };

static void *capped_malloc(size_t size)
{
    return size <= LARGEST_ALLOCATION ? malloc(size) : NULL;
}

static void *capped_realloc(void *memory, size_t size)
{
    return size <= LARGEST_ALLOCATION ? realloc(memory, size) : NULL;
}

#define STBI_MALLOC(size) capped_malloc(size)
#define STBI_REALLOC(memory, size) capped_realloc(memory, size)
#define STBI_FREE(memory) free(memory)
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STB_IMAGE_IMPLEMENTATION
#include <stb_image.h>

#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include <stb_image_write.h>
