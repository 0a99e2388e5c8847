/* Pictures: allocation, crops, mirroring, blending over white. */
#include "data/image.h"

#include <stdlib.h>
#include <string.h>

ttt_status image_new(int width, int height, int channels, struct image *out)
{
    size_t bytes = (size_t)width * (size_t)height * (size_t)channels;
    *out = (struct image){0};
    uint8_t *pixels = malloc(bytes);
    if (!pixels)
        return ttt_fail(TTT_MEMORY, "no memory for a picture of %dx%d pixels (%zu bytes)", width, height,
                        bytes);
    *out = (struct image){width, height, channels, pixels};
    return TTT_OK;
}

void image_free(struct image *image)
{
    free(image->pixels);
    *image = (struct image){0};
}

size_t image_bytes(const struct image *image)
{
    return (size_t)image->width * (size_t)image->height * (size_t)image->channels;
}

uint8_t *image_at(const struct image *image, int x, int y)
{
    return image->pixels + ((size_t)y * (size_t)image->width + (size_t)x) * (size_t)image->channels;
}

bool rect_within(const struct rect *part, int width, int height)
{
    return part->x >= 0 && part->y >= 0 && part->width > 0 && part->height > 0 && part->x < width &&
           part->y < height && part->width <= width - part->x && part->height <= height - part->y;
}

ttt_status image_crop(const struct image *image, const struct rect *part, struct image *out)
{
    TRY(image_new(part->width, part->height, image->channels, out));
    size_t row = (size_t)part->width * (size_t)image->channels;
    for (int y = 0; y < part->height; y++)
        memcpy(image_at(out, 0, y), image_at(image, part->x, part->y + y), row);
    return TTT_OK;
}

void image_flip(struct image *image)
{
    size_t channels = (size_t)image->channels;
    for (int y = 0; y < image->height; y++) {
        uint8_t *left = image_at(image, 0, y);
        uint8_t *right = image_at(image, image->width - 1, y);
        for (; left < right; left += channels, right -= channels) {
            uint8_t pixel[4];
            memcpy(pixel, left, channels);
            memcpy(left, right, channels);
            memcpy(right, pixel, channels);
        }
    }
}

/* x / 255 rounded, exact for 0 <= x <= 255 * 255. */
static uint8_t divide_by_255(unsigned x)
{
    x += 128;
    return (uint8_t)((x + (x >> 8)) >> 8);
}

ttt_status image_over_white(const struct image *image, struct image *out)
{
    if (image->channels != 4)
        return image_crop(image, &(struct rect){0, 0, image->width, image->height}, out);
    TRY(image_new(image->width, image->height, 3, out));
    size_t pixels = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < pixels; i++) {
        const uint8_t *from = image->pixels + 4 * i;
        for (size_t c = 0; c < 3; c++)
            out->pixels[3 * i + c] = divide_by_255(255u * (255u - from[3]) + (unsigned)from[c] * from[3]);
    }
    return TTT_OK;
}
