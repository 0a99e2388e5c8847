/* View synthesis on a GPU, or on the emulated one, in both precisions: training, evaluation, rendering, and
 * views that come later.  Where there is no device everything is skipped. */
#include <math.h>
#include <stdio.h>

#include "tests/support/check.h"
#include "tests/tools/printed.h"
#include "tests/tools/training.h"
#include "ttt/device/device.h"

static const char *const dtypes[] = {"f32", "bf16"};
enum { DTYPES = sizeof dtypes / sizeof *dtypes };

/* PSNR in dB: bf16 has 8 bits. */
static const double NEAR[DTYPES] = {1e-3, 0.3};

/* A GPU and a CPU find the same in what either trained. */
static void trains_judges_and_renders(void **state)
{
    (void)state;
    for (int i = 0; i < DTYPES; i++) {
        char name[32], folder[32];
        snprintf(name, sizeof name, "run.name=%s", dtypes[i]);
        snprintf(folder, sizeof folder, "runs/%s", dtypes[i]);
        succeed(run("train", "views.yaml", name, "--device", "cuda", "--dtype", dtypes[i]));
        json_t *here = printed(run("eval", folder, "--json")),
               *cpu = printed(run("eval", folder, "--json", "--device", "cpu", "--dtype", "f32"));
        assert_true(fabs(number(here, "psnr") - number(cpu, "psnr")) < NEAR[i]);
        json_decref(here);
        json_decref(cpu);
        succeed(
            run("render", folder, "scenes/00002", "--path", "turntable", "--views", "3", "--out", dtypes[i]));
    }
}

/* View 0 of a scene from `inputs` views and `add` later ones. */
static json_t *rendered(const char *dtype, const char *inputs, const char *add)
{
    return printed(run("render", "runs/sum", "scenes/00002", "--views", "0,", "--out", "sum", "--json",
                       "--device", "cuda", "--dtype", dtype, "--inputs", inputs, add ? "--add" : NULL, add));
}

static double psnr(const json_t *object)
{
    return number(json_object_get(object, "likeness"), "psnr");
}

/* Adding views takes the memory of the device's own kernels in its precision, as a reconstruction from as
 * many does, and leaves the same state. */
static void adds_views(void **state)
{
    (void)state;
    succeed(run("train", "views.yaml", "run.name=sum", "model.ttt.variant=variant6", "model.depth=1",
                "train.lr=0.01", "--device", "cuda"));
    for (int i = 0; i < DTYPES; i++) {
        json_t *whole = rendered(dtypes[i], "4", NULL), *added = rendered(dtypes[i], "2", "2");
        assert_true(fabs(psnr(whole) - psnr(added)) < NEAR[i]);
        assert_int_equal(number(added, "add_bytes"), number(added, "reconstruct_bytes"));
        json_decref(whole);
        json_decref(added);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trains_judges_and_renders),
        cmocka_unit_test(adds_views),
    };
    char name[TTT_DEVICE_NAME];
    if (ttt_device_at(1, name))
        return cmocka_run_group_tests(tests, training_enter_views, training_leave);
    print_message("skipped: this machine, or this build, has no CUDA device\n");
    return 0;
}
