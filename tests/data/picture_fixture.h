/* Pictures and files for the tests of decoding, resampling and transforms. */
#ifndef TESTS_DATA_PICTURE_FIXTURE_H
#define TESTS_DATA_PICTURE_FIXTURE_H

#include <stdbool.h>

#include "data/image.h"
#include "data/safetensors.h"
#include "ttt/base/random.h"

/* Waves, a hard edge and noise, the same for the same arguments; the caller frees it. */
struct image fixture_picture(int width, int height, int channels, uint32_t seed);

/* The U8 tensor (h, w, c) of a golden file as a picture that the caller frees. */
struct image fixture_golden(const safetensors_file *file, const char *name);

/* Opens TEST_GOLDEN/name. */
safetensors_file *fixture_open(const char *name);

/* Fails the running test unless both pictures are the same to the last bit. */
#define check_same_picture(a, b) check_same_picture_at((a), (b), __FILE__, __LINE__)
void check_same_picture_at(const struct image *a, const struct image *b, const char *file, int line);

/* A part, not empty, of a picture of this size. */
struct rect fixture_part(ttt_random *random, int width, int height);

/* How a JPEG file is to be made. */
struct fixture_jpeg {
    int components; /* 1: grey, 3: YCbCr, 4: CMYK */
    int h, v;       /* sampling factors of the first component, the others' being 1 */
    bool progressive;
    int restart; /* MCUs between restart markers, 0 for none */
    int quality;
};

/* Encodes a picture of that many channels; the caller frees the bytes. */
uint8_t *fixture_encode_jpeg(const struct image *image, const struct fixture_jpeg *how, size_t *size);

/* The rows of a real data set's MANIFEST.tsv. */
struct manifest {
    char *text;
    char ***rows; /* (count) of the columns; a missing one is "" */
    size_t count;
};

enum { MANIFEST_COLUMNS = 20 };

/* Reads TEST_SHARED_DATA/set/MANIFEST.tsv, without its heading; false when the set is not there. */
bool manifest_read(const char *set, struct manifest *manifest);
void manifest_free(struct manifest *manifest);

#endif
