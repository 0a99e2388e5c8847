/* Kind metrics: PSNR and SSIM of the pictures in.a and in.b, (height, width, 3) in [0, 1]. */
#include "eval/metrics.h"

#include <stdlib.h>

#include "tools/verify/kind.h"

enum { SIDE_MAX = 65536 };

static ttt_status check(const struct fixture *fixture, const safetensors_tensor *a,
                        const safetensors_tensor *b, double *pixels, struct report *report)
{
    const safetensors_tensor *expected_psnr, *expected_ssim;
    double *x = pixels, *y = pixels + a->count, ssim;
    TRY(fixture_tensor(fixture, "", "out.psnr", ttt_dims(1), &expected_psnr));
    TRY(fixture_tensor(fixture, "", "out.ssim", ttt_dims(1), &expected_ssim));
    safetensors_to_f64(a, x);
    safetensors_to_f64(b, y);
    const double psnr = metrics_psnr(x, y, a->count);
    TRY(metrics_ssim(x, y, (int)a->shape[0], (int)a->shape[1], (int)a->shape[2], &ssim));
    TRY(report_doubles(report, expected_psnr, &psnr, VERIFY_OUTPUT));
    return report_doubles(report, expected_ssim, &ssim, VERIFY_OUTPUT);
}

ttt_status verify_metrics(const struct fixture *fixture, const struct verify_place *place,
                          struct report *report)
{
    (void)place;
    const safetensors_tensor *a, *b;
    TRY(fixture_tensor_of_rank(fixture, "in.a", 3, &a));
    if (a->shape[0] > SIDE_MAX || a->shape[1] > SIDE_MAX || a->shape[2] > 4)
        return ttt_fail(TTT_FORMAT, "tensor 'in.a' is not (height, width, at most 4)");
    TRY(fixture_tensor(fixture, "", "in.b", ttt_dims(a->shape[0], a->shape[1], a->shape[2]), &b));
    double *pixels = malloc((size_t)a->count * 2 * sizeof *pixels);
    if (!pixels)
        return ttt_fail(TTT_MEMORY, "out of memory for two pictures");
    ttt_status status = check(fixture, a, b, pixels, report);
    free(pixels);
    return status;
}
