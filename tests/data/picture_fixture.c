/* Pictures and files for the tests of decoding, resampling and transforms. */
#include "tests/data/picture_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "tests/support/check.h"
#include "tests/support/temporary.h"

struct image fixture_picture(int width, int height, int channels, uint32_t seed)
{
    struct image image;
    ttt_random random = ttt_random_start(seed, TTT_RANDOM_TEST, 0, 0);
    check_ok(image_new(width, height, channels, &image));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++) {
                double wave = 127 + 100 * sin(x / (5.0 + c) + y / (17.0 - 4 * c) + seed);
                if (x > width / 4 && x < width / 2 && y > height / 3 && y < height / 2)
                    wave = c * 120;
                wave += 24 * ttt_random_uniform(&random) - 12;
                image_at(&image, x, y)[c] = (uint8_t)(wave < 0 ? 0 : wave > 255 ? 255 : wave);
            }
    return image;
}

struct image fixture_golden(const safetensors_file *file, const char *name)
{
    const safetensors_tensor *tensor;
    struct image image;
    check_ok(safetensors_require(file, name, &tensor));
    assert_int_equal(tensor->dtype, SAFETENSORS_U8);
    assert_int_equal(tensor->rank, 3);
    check_ok(image_new((int)tensor->shape[1], (int)tensor->shape[0], (int)tensor->shape[2], &image));
    memcpy(image.pixels, tensor->data, tensor->bytes);
    return image;
}

safetensors_file *fixture_open(const char *name)
{
    char path[512];
    safetensors_file *file;
    snprintf(path, sizeof path, "%s/%s", TEST_GOLDEN, name);
    check_ok(safetensors_open(path, &file));
    return file;
}

void check_same_picture_at(const struct image *a, const struct image *b, const char *file, int line)
{
    bool same_shape = a->width == b->width && a->height == b->height && a->channels == b->channels;
    if (!same_shape) {
        print_error("(%d, %d, %d) against (%d, %d, %d)\n", a->height, a->width, a->channels, b->height,
                    b->width, b->channels);
        _fail(file, line);
    }
    size_t differing = 0, first = 0;
    for (size_t i = image_bytes(a); i-- > 0;)
        if (a->pixels[i] != b->pixels[i]) {
            differing++;
            first = i;
        }
    if (differing == 0)
        return;
    size_t pixel = first / (size_t)a->channels, width = (size_t)a->width;
    print_error("%zu samples differ, the first at (%zu, %zu): %d against %d\n", differing, pixel % width,
                pixel / width, a->pixels[first], b->pixels[first]);
    _fail(file, line);
}

struct rect fixture_part(ttt_random *random, int width, int height)
{
    struct rect part;
    part.width = 1 + (int)ttt_random_below(random, (uint32_t)width);
    part.height = 1 + (int)ttt_random_below(random, (uint32_t)height);
    part.x = (int)ttt_random_below(random, (uint32_t)(width - part.width) + 1);
    part.y = (int)ttt_random_below(random, (uint32_t)(height - part.height) + 1);
    return part;
}

uint8_t *fixture_encode_jpeg(const struct image *image, const struct fixture_jpeg *how, size_t *size)
{
    static const J_COLOR_SPACE spaces[] = {[1] = JCS_GRAYSCALE, [3] = JCS_RGB, [4] = JCS_CMYK};
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long n = 0;
    assert_int_equal(image->channels, how->components);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &n);
    jpeg.image_width = (JDIMENSION)image->width;
    jpeg.image_height = (JDIMENSION)image->height;
    jpeg.input_components = how->components;
    jpeg.in_color_space = spaces[how->components];
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, how->quality, TRUE);
    jpeg.comp_info[0].h_samp_factor = how->h;
    jpeg.comp_info[0].v_samp_factor = how->v;
    jpeg.restart_interval = (unsigned)how->restart;
    if (how->progressive)
        jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < image->height; y++) {
        JSAMPROW row = image_at(image, 0, y);
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    *size = n;
    return bytes;
}

static char **split_columns(char *line)
{
    char **columns = check_alloc(MANIFEST_COLUMNS, sizeof *columns);
    for (size_t i = 0; i < MANIFEST_COLUMNS; i++) {
        char *column = strsep(&line, "\t");
        columns[i] = column ? column : columns[0] + strlen(columns[0]);
    }
    return columns;
}

bool manifest_read(const char *set, struct manifest *manifest)
{
    char path[512];
    size_t size;
    snprintf(path, sizeof path, "%s/%s/MANIFEST.tsv", TEST_SHARED_DATA, set);
    FILE *there = fopen(path, "rb");
    if (!there)
        return false;
    fclose(there);
    uint8_t *bytes = temporary_read(path, &size);
    *manifest = (struct manifest){.text = check_alloc(size + 1, 1)};
    memcpy(manifest->text, bytes, size);
    free(bytes);
    manifest->rows = check_alloc(size + 1, sizeof *manifest->rows);
    char *at = manifest->text;
    strsep(&at, "\n");
    for (char *line = strsep(&at, "\n"); line; line = strsep(&at, "\n"))
        if (*line)
            manifest->rows[manifest->count++] = split_columns(line);
    return true;
}

void manifest_free(struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++)
        free(manifest->rows[i]);
    free(manifest->rows);
    free(manifest->text);
}
