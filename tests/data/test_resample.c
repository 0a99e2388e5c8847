/* Resampling: golden pictures, an oracle written per pixel, windows against whole pictures. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/resample.h"
#include "tests/data/picture_fixture.h"
#include "tests/support/check.h"

static const char *const FILTERS[] = {"bilinear", "bicubic", "lanczos"};

static void check_golden(const safetensors_file *file, const struct image *in, enum resample_filter filter,
                         int width, int height, const char *name)
{
    struct image out, expected = fixture_golden(file, name);
    check_ok(image_resize(in, width, height, filter, &out));
    check_same_picture(&out, &expected);
    image_free(&out);
    image_free(&expected);
}

static void golden_pictures_are_exact(void **state)
{
    (void)state;
    static const int sizes[][2] = {{32, 24}, {90, 70}, {61, 20}, {7, 5}, {200, 11}};
    safetensors_file *file = fixture_open("resize.safetensors");
    struct image in = fixture_golden(file, "in.image"), crop;
    check_ok(image_crop(&in, &(struct rect){5, 3, 45, 37}, &crop));
    for (int f = 0; f < 3; f++) {
        enum resample_filter filter;
        char name[64];
        check_ok(resample_filter_parse(FILTERS[f], &filter));
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            snprintf(name, sizeof name, "out.%s_%dx%d", FILTERS[f], sizes[i][0], sizes[i][1]);
            check_golden(file, &in, filter, sizes[i][0], sizes[i][1], name);
        }
        snprintf(name, sizeof name, "out.%s_crop_5_3_45_37_to_28x28", FILTERS[f]);
        check_golden(file, &crop, filter, 28, 28, name);
    }
    image_free(&crop);
    image_free(&in);
    safetensors_close(file);
}

static void golden_alpha_is_exact(void **state)
{
    (void)state;
    safetensors_file *file = fixture_open("resize.safetensors");
    struct image in = fixture_golden(file, "in.rgba"), small, white;
    struct image expected = fixture_golden(file, "out.rgba_lanczos_24x18");
    struct image expected_white = fixture_golden(file, "out.rgba_lanczos_24x18_on_white");
    check_ok(image_resize(&in, 24, 18, RESAMPLE_LANCZOS, &small));
    check_same_picture(&small, &expected);
    check_ok(image_over_white(&small, &white));
    check_same_picture(&white, &expected_white);
    image_free(&expected_white);
    image_free(&expected);
    image_free(&white);
    image_free(&small);
    image_free(&in);
    safetensors_close(file);
}

/* The filters as their authors define them. */
static double oracle_filter(int filter, double x)
{
    x = fabs(x);
    if (filter == 0)
        return fmax(0, 1 - x);
    if (filter == 1)
        return x < 1   ? 1.5 * x * x * x - 2.5 * x * x + 1
               : x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2
                       : 0;
    if (x == 0)
        return 1;
    return x < 3 ? 3 * sin(M_PI * x) * sin(M_PI * x / 3) / (M_PI * M_PI * x * x) : 0;
}

/* One output sample of a line of n samples that becomes m samples, in double precision. */
static double oracle_sample(int filter, const double *line, int n, int m, int i)
{
    double scale = (double)n / m, stretch = fmax(scale, 1), centre = (i + 0.5) * scale;
    double support = stretch * (filter + 1), sum = 0, weights = 0;
    int first = (int)fmax(0, floor(centre - support + 0.5)),
        end = (int)fmin(n, floor(centre + support + 0.5));
    for (int k = first; k < end; k++) {
        double weight = oracle_filter(filter, (k + 0.5 - centre) / stretch);
        sum += weight * line[k];
        weights += weight;
    }
    return fmin(255, fmax(0, floor(sum / weights + 0.5)));
}

static double *oracle_resize(const struct image *in, int width, int height, int filter)
{
    double *narrow = check_alloc((size_t)(in->height * width * 3), sizeof *narrow);
    double *out = check_alloc((size_t)(height * width * 3), sizeof *out);
    double *line = check_alloc((size_t)(in->width + in->height), sizeof *line);
    for (int c = 0; c < 3; c++) {
        for (int y = 0; y < in->height; y++) {
            for (int x = 0; x < in->width; x++)
                line[x] = image_at(in, x, y)[c];
            for (int x = 0; x < width; x++)
                narrow[(y * width + x) * 3 + c] = oracle_sample(filter, line, in->width, width, x);
        }
        for (int x = 0; x < width; x++) {
            for (int y = 0; y < in->height; y++)
                line[y] = narrow[(y * width + x) * 3 + c];
            for (int y = 0; y < height; y++)
                out[(y * width + x) * 3 + c] = oracle_sample(filter, line, in->height, height, y);
        }
    }
    free(line);
    free(narrow);
    return out;
}

/* The oracle rounds in double precision and Pillow after 22 bits: they may part by one where a sum lies on
 * the edge, which must stay rare. */
static void odd_sizes_follow_the_definition(void **state)
{
    (void)state;
    static const int sizes[][4] = {{1, 1, 5, 3},     {3, 2, 1, 1},      {7, 5, 7, 5},    {64, 1, 13, 9},
                                   {17, 130, 31, 8}, {101, 67, 99, 68}, {250, 9, 3, 30}, {33, 31, 128, 127}};
    for (int filter = 0; filter < 3; filter++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            int width = sizes[i][2], height = sizes[i][3];
            struct image in = fixture_picture(sizes[i][0], sizes[i][1], 3, (uint32_t)i), out;
            check_ok(image_resize(&in, width, height, (enum resample_filter)filter, &out));
            double *expected = oracle_resize(&in, width, height, filter);
            size_t differing = 0;
            for (size_t k = 0; k < image_bytes(&out); k++) {
                double error = fabs(out.pixels[k] - expected[k]);
                assert_true(error <= 1);
                differing += error > 0;
            }
            assert_true(differing * 500 <= image_bytes(&out));
            free(expected);
            image_free(&out);
            image_free(&in);
        }
}

static void windows_equal_the_whole(void **state)
{
    (void)state;
    ttt_random random = ttt_random_start(4, TTT_RANDOM_TEST, 0, 0);
    for (int i = 0; i < 200; i++) {
        int channels = 3 + i % 2, width = 1 + (int)ttt_random_below(&random, 90);
        int height = 1 + (int)ttt_random_below(&random, 90);
        enum resample_filter filter = (enum resample_filter)(i % 3);
        struct image in = fixture_picture(70, 41, channels, (uint32_t)i), whole, part, cut, window;
        struct rect wanted = fixture_part(&random, width, height);
        struct resample_axis x, y;
        check_ok(image_resize(&in, width, height, filter, &whole));
        check_ok(image_crop(&whole, &wanted, &cut));
        check_ok(resample_axis_new(filter, 70, width, wanted.x, wanted.width, &x));
        check_ok(resample_axis_new(filter, 41, height, wanted.y, wanted.height, &y));
        struct rect needed = {x.in_first, y.in_first, x.in_end - x.in_first, y.in_end - y.in_first};
        assert_true(rect_within(&needed, 70, 41));
        check_ok(image_crop(&in, &needed, &part));
        check_ok(image_resample(&part, needed.x, needed.y, &x, &y, &window));
        check_same_picture(&window, &cut);
        resample_axis_free(&x);
        resample_axis_free(&y);
        image_free(&window);
        image_free(&part);
        image_free(&cut);
        image_free(&whole);
        image_free(&in);
    }
}

static void mistakes_are_refused(void **state)
{
    (void)state;
    struct image in = fixture_picture(4, 4, 3, 0), out;
    enum resample_filter filter;
    check_error(image_resize(&in, 0, 4, RESAMPLE_BICUBIC, &out), TTT_ARGUMENT, "0x4");
    check_error(image_resize(&in, 4, -1, RESAMPLE_BICUBIC, &out), TTT_ARGUMENT, "4x-1");
    check_error(resample_filter_parse("nearest", &filter), TTT_ARGUMENT, "unknown filter 'nearest'");
    image_free(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_pictures_are_exact),
        cmocka_unit_test(golden_alpha_is_exact),
        cmocka_unit_test(odd_sizes_follow_the_definition),
        cmocka_unit_test(windows_equal_the_whole),
        cmocka_unit_test(mistakes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
