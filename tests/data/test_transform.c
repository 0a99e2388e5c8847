/* Transforms: the golden evaluation picture, the law of random crops, crop decoding against whole decoding.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/image_write.h"
#include "data/transform.h"
#include "tests/data/picture_fixture.h"
#include "tests/support/check.h"

static ttt_random stream(uint32_t sample)
{
    return ttt_random_start(11, TTT_RANDOM_AUGMENT, 0, sample);
}

static void golden_evaluation_is_exact(void **state)
{
    (void)state;
    safetensors_file *file = fixture_open("resize.safetensors");
    struct picture_transform t = picture_transform_default(64, 64);
    struct image in = fixture_golden(file, "in.val"), expected = fixture_golden(file, "out.val_uint8"), out;
    const safetensors_tensor *floats;
    uint8_t *bytes;
    size_t size;
    struct decode_options options = decode_options_default();
    float *normalised = check_alloc(3 * 64 * 64, sizeof *normalised);
    check_ok(picture_eval_resize(&t, &in, &out));
    check_same_picture(&out, &expected);
    check_ok(png_encode(&in, &bytes, &size));
    check_ok(picture_eval(&t, bytes, size, &options, normalised, NULL));
    check_ok(safetensors_require(file, "out.val_normalised_chw", &floats));
    assert_int_equal(floats->bytes, 3 * 64 * 64 * sizeof *normalised);
    assert_memory_equal(normalised, floats->data, floats->bytes);
    free(normalised);
    free(bytes);
    image_free(&out);
    image_free(&expected);
    image_free(&in);
    safetensors_close(file);
}

static void random_crops_follow_their_law(void **state)
{
    (void)state;
    struct picture_transform t = picture_transform_default(224, 224);
    t.area_min = 0.25;
    const int width = 640, height = 480, count = 4000;
    double areas = 0, log_ratios = 0, x_places = 0;
    for (int i = 0; i < count; i++) {
        ttt_random random = stream((uint32_t)i);
        struct rect crop = random_crop(&t, width, height, &random);
        assert_true(rect_within(&crop, width, height));
        double ratio = (double)crop.width / crop.height;
        double area = (double)crop.width * crop.height / (width * height);
        assert_true(ratio > 0.74 && ratio < 1.345 && area > 0.248 && area <= 1);
        areas += area / count;
        log_ratios += log(ratio) / count;
        x_places += (double)crop.x / (width - crop.width + 1e-9) / count;
    }
    /* Tries that do not fit are drawn again, so large areas and, in this picture, low ratios are rarer. */
    assert_true(areas > 0.5 && areas < 0.6);
    assert_true(log_ratios > -0.02 && log_ratios < 0.1);
    assert_true(x_places > 0.47 && x_places < 0.53);
}

static void crops_that_cannot_fit_fall_back_to_the_centre(void **state)
{
    (void)state;
    struct picture_transform t = picture_transform_default(224, 224);
    ttt_random random = stream(0);
    t.area_min = t.area_max = 1;
    struct rect wide = random_crop(&t, 1000, 30, &random), high = random_crop(&t, 30, 1000, &random);
    assert_memory_equal(&wide, (&(struct rect){480, 0, 40, 30}), sizeof wide);
    assert_memory_equal(&high, (&(struct rect){0, 480, 30, 40}), sizeof high);
    struct rect dot = random_crop(&t, 1, 1, &random), line = random_crop(&t, 1, 900, &random);
    assert_true(rect_within(&dot, 1, 1));
    assert_true(rect_within(&line, 1, 900));
}

static void ratios_that_cannot_round_stay_within(void **state)
{
    (void)state;
    struct picture_transform t = picture_transform_default(8, 8);
    for (int width = 1; width < 12; width++)
        for (int height = 1; height < 12; height++)
            for (uint32_t i = 0; i < 20; i++) {
                ttt_random random = stream(i);
                struct rect crop = random_crop(&t, width, height, &random);
                assert_true(rect_within(&crop, width, height));
            }
}

/* Both ways of decoding, training and evaluation, to the last bit, with the streams left in the same place.
 */
static void crop_decoding_changes_nothing(void **state)
{
    (void)state;
    struct picture_transform t = picture_transform_default(32, 40);
    struct decode_options part = decode_options_default(), whole = part;
    whole.decode_whole = true;
    for (uint32_t i = 0; i < 60; i++) {
        struct image source = fixture_picture(90 + (int)i, 150 - (int)i, 3, i), a, b;
        uint8_t *bytes;
        size_t size;
        check_ok(jpeg_encode(&source, 85, i % 2 ? JPEG_SAMPLING_420 : JPEG_SAMPLING_444, &bytes, &size));
        ttt_random first = stream(i), second = stream(i);
        check_ok(picture_train_image(&t, bytes, size, &part, &first, &a, NULL));
        check_ok(picture_train_image(&t, bytes, size, &whole, &second, &b, NULL));
        check_same_picture(&a, &b);
        assert_int_equal(a.width, 40);
        assert_int_equal(a.height, 32);
        assert_int_equal(ttt_random_bits(&first), ttt_random_bits(&second));
        image_free(&a);
        image_free(&b);
        t.eval_crop = i % 3 ? EVAL_CROP_CENTRE : EVAL_CROP_NONE;
        check_ok(picture_eval_image(&t, bytes, size, &part, &a, NULL));
        check_ok(picture_eval_image(&t, bytes, size, &whole, &b, NULL));
        check_same_picture(&a, &b);
        image_free(&a);
        image_free(&b);
        free(bytes);
        image_free(&source);
    }
}

static void evaluation_covers_odd_shapes(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1, 700}, {700, 1}, {64, 64}, {63, 65}, {40, 33}, {1000, 7}};
    struct picture_transform t = picture_transform_default(48, 64);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int mode = 0; mode < 2; mode++) {
            t.eval_crop = mode ? EVAL_CROP_NONE : EVAL_CROP_CENTRE;
            struct image source = fixture_picture(sizes[i][0], sizes[i][1], 3, 1), out, expected;
            check_ok(picture_eval_resize(&t, &source, &out));
            assert_int_equal(out.width, 64);
            assert_int_equal(out.height, 48);
            if (mode) {
                check_ok(image_resize(&source, 64, 48, RESAMPLE_BICUBIC, &expected));
                check_same_picture(&out, &expected);
                image_free(&expected);
            }
            image_free(&out);
            image_free(&source);
        }
}

static void flips_come_with_their_probability(void **state)
{
    (void)state;
    struct picture_transform t = picture_transform_default(8, 8), never = t;
    struct decode_options options = decode_options_default();
    struct image source = fixture_picture(30, 30, 3, 2);
    uint8_t *bytes;
    size_t size;
    int flipped = 0;
    check_ok(png_encode(&source, &bytes, &size));
    never.flip = 0;
    for (uint32_t i = 0; i < 400; i++) {
        struct image maybe, plain;
        ttt_random first = stream(i), second = stream(i);
        check_ok(picture_train_image(&t, bytes, size, &options, &first, &maybe, NULL));
        check_ok(picture_train_image(&never, bytes, size, &options, &second, &plain, NULL));
        if (memcmp(maybe.pixels, plain.pixels, image_bytes(&plain)) != 0) {
            image_flip(&plain);
            check_same_picture(&maybe, &plain);
            flipped++;
        }
        image_free(&maybe);
        image_free(&plain);
    }
    assert_true(flipped > 160 && flipped < 240);
    free(bytes);
    image_free(&source);
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    struct picture_transform good = picture_transform_default(64, 64), t;
    check_ok(picture_transform_check(&good));
    t = good;
    t.width = 0;
    check_error(picture_transform_check(&t), TTT_ARGUMENT, "0x64");
    t = good;
    t.area_min = 0;
    check_error(picture_transform_check(&t), TTT_ARGUMENT, "crop area");
    t = good;
    t.ratio_max = 0.5;
    check_error(picture_transform_check(&t), TTT_ARGUMENT, "aspect ratio");
    t = good;
    t.flip = NAN;
    check_error(picture_transform_check(&t), TTT_ARGUMENT, "flip");
    t = good;
    t.eval_ratio = 0.9;
    check_error(picture_transform_check(&t), TTT_ARGUMENT, "evaluation ratio");
    t = good;
    t.deviation[1] = 0;
    check_error(picture_transform_check(&t), TTT_ARGUMENT, "deviation");
}

static void bad_files_are_refused(void **state)
{
    (void)state;
    struct picture_transform t = picture_transform_default(8, 8);
    struct decode_options options = decode_options_default();
    ttt_random random = stream(0);
    float out[3 * 8 * 8];
    check_error(picture_train(&t, (const uint8_t *)"words", 5, &options, &random, out, NULL), TTT_FORMAT,
                "neither");
    check_error(picture_eval(&t, (const uint8_t *)"words", 5, &options, out, NULL), TTT_FORMAT, "neither");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_evaluation_is_exact),
        cmocka_unit_test(random_crops_follow_their_law),
        cmocka_unit_test(crops_that_cannot_fit_fall_back_to_the_centre),
        cmocka_unit_test(ratios_that_cannot_round_stay_within),
        cmocka_unit_test(crop_decoding_changes_nothing),
        cmocka_unit_test(evaluation_covers_odd_shapes),
        cmocka_unit_test(flips_come_with_their_probability),
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(bad_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
