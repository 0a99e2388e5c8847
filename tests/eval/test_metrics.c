/* Metrics against golden vectors, against plain versions written from the formulas, and on NaN and ties. */
#include "tests/support/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/safetensors.h"
#include "eval/metrics.h"
#include "ttt/base/random.h"

static const double tolerance = 1e-6;

static void golden_pictures(void **state)
{
    (void)state;
    safetensors_file *file;
    const safetensors_tensor *a, *b, *psnr, *ssim;
    check_ok(safetensors_open(TEST_GOLDEN "/metrics.safetensors", &file));
    check_ok(safetensors_require(file, "in.a", &a));
    check_ok(safetensors_require(file, "in.b", &b));
    check_ok(safetensors_require(file, "out.psnr", &psnr));
    check_ok(safetensors_require(file, "out.ssim", &ssim));
    assert_int_equal(a->dtype, SAFETENSORS_F64);
    double got;
    assert_true(fabs(metrics_psnr(a->data, b->data, a->count) - *(const double *)psnr->data) < tolerance);
    check_ok(metrics_ssim(a->data, b->data, (int)a->shape[0], (int)a->shape[1], (int)a->shape[2], &got));
    assert_true(fabs(got - *(const double *)ssim->data) < tolerance);
    safetensors_close(file);
}

/* SSIM of one window position, straight from the definition with a 2-D window. */
static double plain_window(const double *a, const double *b, int w, int ch, int top, int left, int c)
{
    double window[11][11], sum = 0, ux = 0, uy = 0, xx = 0, yy = 0, xy = 0;
    for (int i = 0; i < 11; i++)
        for (int j = 0; j < 11; j++)
            sum += window[i][j] = exp(-((i - 5) * (i - 5) + (j - 5) * (j - 5)) / (2 * 1.5 * 1.5));
    for (int i = 0; i < 11; i++)
        for (int j = 0; j < 11; j++) {
            const double g = window[i][j] / sum;
            const double x = a[((top + i) * w + left + j) * ch + c],
                         y = b[((top + i) * w + left + j) * ch + c];
            ux += g * x;
            uy += g * y;
            xx += g * x * x;
            yy += g * y * y;
            xy += g * x * y;
        }
    const double s = 121.0 / 120, vx = s * (xx - ux * ux), vy = s * (yy - uy * uy), vxy = s * (xy - ux * uy);
    return (2 * ux * uy + 1e-4) * (2 * vxy + 9e-4) / ((ux * ux + uy * uy + 1e-4) * (vx + vy + 9e-4));
}

static void ssim_equals_the_definition(void **state)
{
    (void)state;
    const int sizes[][3] = {{11, 11, 1}, {11, 12, 3}, {29, 11, 3}, {17, 40, 2}, {64, 33, 4}};
    ttt_random random = ttt_random_start(3, TTT_RANDOM_TEST, 0, 0);
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        const int h = sizes[s][0], w = sizes[s][1], ch = sizes[s][2];
        double *a = check_alloc((size_t)(h * w * ch), sizeof *a),
               *b = check_alloc((size_t)(h * w * ch), sizeof *b);
        for (int i = 0; i < h * w * ch; i++) {
            a[i] = ttt_random_uniform(&random);
            b[i] = 0.5 * a[i] + 0.5 * ttt_random_uniform(&random);
        }
        double wanted = 0, got;
        for (int c = 0; c < ch; c++)
            for (int top = 0; top + 11 <= h; top++)
                for (int left = 0; left + 11 <= w; left++)
                    wanted += plain_window(a, b, w, ch, top, left, c) / (double)(ch * (h - 10) * (w - 10));
        check_ok(metrics_ssim(a, b, h, w, ch, &got));
        assert_true(fabs(got - wanted) < 1e-12);
        check_ok(metrics_ssim(a, a, h, w, ch, &got));
        assert_true(fabs(got - 1) < 1e-12);
        free(b);
        free(a);
    }
}

static void ssim_needs_eleven_pixels(void **state)
{
    (void)state;
    double picture[11 * 10] = {0}, ssim;
    check_error(metrics_ssim(picture, picture, 10, 11, 1, &ssim), TTT_SHAPE, "SSIM of 11 x 10 pixels");
    check_error(metrics_ssim(picture, picture, 11, 10, 1, &ssim), TTT_SHAPE, "at least 11 x 11");
    check_error(metrics_ssim(picture, picture, 11, 11, 0, &ssim), TTT_SHAPE, "0 channels");
}

static void psnr_edges(void **state)
{
    (void)state;
    const double a[2] = {0, 1}, b[2] = {0.1, 0.9};
    assert_true(fabs(metrics_psnr(a, b, 2) - 20) < 1e-12);
    assert_true(isinf(metrics_psnr(a, a, 2)) && metrics_psnr(a, a, 2) > 0);
    assert_true(isnan(metrics_psnr(a, b, 0)));
}

static void ranks_and_ties(void **state)
{
    (void)state;
    const float logits[6] = {1, 3, 3, -INFINITY, 2, 3};
    const int wanted[6] = {4, 0, 1, 5, 3, 2};
    for (int label = 0; label < 6; label++)
        assert_int_equal(metrics_rank(logits, 6, label), wanted[label]);
    const float broken[3] = {1, NAN, 0};
    for (int label = 0; label < 3; label++)
        assert_int_equal(metrics_rank(broken, 3, label), 3);
}

static void cross_entropy(void **state)
{
    (void)state;
    const float even[4] = {7, 7, 7, 7}, huge[2] = {10000, -10000}, broken[2] = {0, NAN};
    const float some[3] = {0.5f, -1, 2};
    assert_true(fabs(metrics_cross_entropy(even, 4, 2) - log(4)) < 1e-12);
    assert_true(fabs(metrics_cross_entropy(huge, 2, 0)) < 1e-12);
    assert_true(fabs(metrics_cross_entropy(huge, 2, 1) - 20000) < 1e-9);
    assert_true(isnan(metrics_cross_entropy(broken, 2, 0)));
    for (int label = 0; label < 3; label++)
        assert_true(fabs(metrics_cross_entropy(some, 3, label) +
                         log(exp(some[label]) / (exp(0.5) + exp(-1) + exp(2)))) < 1e-12);
}

static void top_k(void **state)
{
    (void)state;
    const float logits[6] = {1, 3, 3, -INFINITY, 2, 3};
    const int order[6] = {1, 2, 5, 4, 0, 3};
    int index[8];
    double probability[8], sum = 0;
    for (int k = 0; k <= 8; k++) {
        const int found = metrics_top_k(logits, 6, k, index, probability);
        assert_int_equal(found, k < 6 ? k : 6);
        for (int i = 0; i < found; i++)
            assert_int_equal(index[i], order[i]);
    }
    for (int i = 0; i < 6; i++) {
        sum += probability[i];
        assert_true(fabs(probability[i] - exp(-metrics_cross_entropy(logits, 6, order[i]))) < 1e-12);
    }
    assert_true(fabs(sum - 1) < 1e-12);
    const float broken[4] = {NAN, 1, NAN, 2};
    const int broken_order[4] = {3, 1, 0, 2};
    assert_int_equal(metrics_top_k(broken, 4, 4, index, probability), 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(index[i], broken_order[i]);
        assert_true(isnan(probability[i]));
    }
}

static void counts_agree_with_sorting(void **state)
{
    (void)state;
    enum { classes = 9, batch = 500 };
    static float logits[batch * classes];
    static int32_t labels[batch];
    ttt_random random = ttt_random_start(5, TTT_RANDOM_TEST, 0, 0);
    /* Few distinct values, so that ties are common. */
    for (int i = 0; i < batch * classes; i++)
        logits[i] = (float)ttt_random_below(&random, 6);
    int64_t top1 = 0, top5 = 0, confusion[classes][classes] = {{0}};
    for (int i = 0; i < batch; i++) {
        int index[5];
        double probability[5];
        labels[i] = (int32_t)ttt_random_below(&random, classes - 1);
        metrics_top_k(logits + i * classes, classes, 5, index, probability);
        top1 += index[0] == labels[i];
        for (int k = 0; k < 5; k++)
            top5 += index[k] == labels[i];
        confusion[labels[i]][index[0]]++;
    }
    classification_counts counts;
    check_ok(classification_counts_create(classes, &counts));
    check_ok(classification_count(&counts, logits, labels, 200));
    check_ok(classification_count(&counts, logits + 200 * classes, labels + 200, batch - 200));
    assert_int_equal(counts.total, batch);
    assert_int_equal(counts.top1, top1);
    assert_int_equal(counts.top5, top5);
    assert_int_equal(counts.without_prediction, 0);
    assert_memory_equal(counts.confusion, confusion, sizeof confusion);
    assert_true(isnan(classification_accuracy(&counts, classes - 1)));
    assert_true(fabs(classification_accuracy(&counts, 2) -
                     (double)confusion[2][2] / (double)counts.per_class[2]) < 1e-15);
    classification_counts_free(&counts);
}

static void nan_rows_count_as_wrong(void **state)
{
    (void)state;
    const float logits[3][2] = {{NAN, NAN}, {5, NAN}, {1, 0}};
    const int32_t labels[3] = {0, 0, 0};
    classification_counts counts;
    check_ok(classification_counts_create(2, &counts));
    check_ok(classification_count(&counts, logits[0], labels, 3));
    assert_int_equal(counts.total, 3);
    assert_int_equal(counts.top1, 1);
    assert_int_equal(counts.top5, 1);
    assert_int_equal(counts.without_prediction, 2);
    assert_int_equal(counts.confusion[0] + counts.confusion[1], 1);
    assert_true(isnan(counts.loss_sum));
    assert_true(fabs(classification_accuracy(&counts, 0) - 1.0 / 3) < 1e-15);
    classification_counts_free(&counts);
}

static void bad_labels_are_refused(void **state)
{
    (void)state;
    const float logits[2][2] = {{0, 1}, {1, 0}};
    const int32_t high[2] = {0, 2}, low[2] = {0, -1};
    classification_counts counts;
    check_ok(classification_counts_create(2, &counts));
    check_error(classification_count(&counts, logits[0], high, 2), TTT_ARGUMENT, "label 2 of a set of 2");
    check_error(classification_count(&counts, logits[0], low, 2), TTT_ARGUMENT, "label -1");
    assert_int_equal(counts.total, 0);
    classification_counts_free(&counts);
    check_error(classification_counts_create(0, &counts), TTT_ARGUMENT, "0 classes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_pictures),
        cmocka_unit_test(ssim_equals_the_definition),
        cmocka_unit_test(ssim_needs_eleven_pixels),
        cmocka_unit_test(psnr_edges),
        cmocka_unit_test(ranks_and_ties),
        cmocka_unit_test(cross_entropy),
        cmocka_unit_test(top_k),
        cmocka_unit_test(counts_agree_with_sorting),
        cmocka_unit_test(nan_rows_count_as_wrong),
        cmocka_unit_test(bad_labels_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
