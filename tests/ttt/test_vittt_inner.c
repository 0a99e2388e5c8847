/* The ViTTT layer with its inside as one operator, on the CPU in f32 and on CUDA in bf16, against the layer
 * out of plain operators on the CPU: outputs and all gradients, for every setting of the switches. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/check.h"
#include "tests/support/tolerance.h"
#include "ttt/base/random.h"
#include "ttt/fast/vittt.h"
#include "ttt/graph/plan.h"
#include "ttt/ops/vittt_inner/vittt_inner.h"

enum { TENSORS = 9 }; /* x, seven weights, the cotangent */

struct setting {
    int64_t batch, height, width, heads, d;
    ttt_variant variant;
};

/* What a layer gives: its output and the gradients of x and the weights. */
struct results {
    float *data[TENSORS];
    int64_t count[TENSORS];
};

static ttt_shape shape_of(const struct setting *s, int i)
{
    const int64_t width = s->heads * s->d, d = s->d;
    const ttt_shape shapes[TENSORS] = {
        ttt_dims(s->batch, s->height, s->width, width),
        ttt_dims(3 * width + 3 * d, width),
        ttt_dims(3 * width + 3 * d),
        ttt_dims(1, s->heads, d, d),
        ttt_dims(1, s->heads, d, d),
        ttt_dims(d, 1, 3, 3),
        ttt_dims(width, width + d),
        ttt_dims(width),
        ttt_dims(s->batch, s->height, s->width, width),
    };
    return shapes[i];
}

/* Normal numbers; weights shrink with their columns, as trained ones do. */
static float *draw(const struct setting *s, int i)
{
    const ttt_shape shape = shape_of(s, i);
    const int64_t count = ttt_shape_elements(shape);
    const float scale = i == 0 || i == TENSORS - 1 ? 1 : i == 5 ? 0.3F : i < 3 ? 0.05F : 0.1F;
    float *values = check_alloc((size_t)count, sizeof *values);
    ttt_random random = ttt_random_start(7, TTT_RANDOM_TEST, (uint64_t)i, 0);
    for (int64_t k = 0; k < count; k++)
        values[k] = scale * (float)ttt_random_normal(&random);
    return values;
}

static const char *const names[TENSORS] = {"x",  "qkv.weight",  "qkv.bias",  "w1",       "w2",
                                           "w3", "proj.weight", "proj.bias", "cotangent"};

static void build(ttt_graph *g, const struct setting *s)
{
    ttt_tensor in[TENSORS], gradient[TENSORS];
    for (int i = 0; i < TENSORS; i++)
        in[i] = ttt_input(g, names[i], TTT_F32, shape_of(s, i));
    const ttt_vittt_weights weights = {in[1], in[2], in[3], in[4], in[5], in[6], in[7]};
    ttt_tensor y = ttt_vittt_layer(g, &weights, in[0], &s->variant);
    ttt_output(g, "y", y);
    ttt_gradient_from(g, y, in[TENSORS - 1], in, TENSORS - 1, gradient);
    for (int i = 0; i < TENSORS - 1; i++) {
        char name[32];
        snprintf(name, sizeof name, "gradient of %s", names[i]);
        if (ttt_exists(gradient[i]))
            ttt_output(g, name, gradient[i]);
    }
}

/* activations: those that the graph is built for; TTT_I32: it is built for no device, out of plain operators.
 */
static void run(ttt_device *device, ttt_dtype activations, const struct setting *s, struct results *results)
{
    ttt_graph *g;
    ttt_store *store;
    ttt_plan *plan;
    check_ok(ttt_graph_create(&g));
    if (activations != TTT_I32)
        ttt_graph_target_device(g, device, activations);
    build(g, s);
    check_ok(ttt_store_create(device, &store));
    check_ok(ttt_plan_create(g, store, NULL, &plan));
    check_ok(ttt_plan_prepare(plan));
    for (int i = 0; i < TENSORS; i++) {
        float *values = draw(s, i);
        check_ok(ttt_plan_write(plan, names[i], values));
        free(values);
    }
    check_ok(ttt_plan_run(plan));
    for (int i = 0; i < TENSORS; i++) {
        char name[32] = "y";
        ttt_dtype dtype;
        ttt_shape shape;
        if (i > 0)
            snprintf(name, sizeof name, "gradient of %s", names[i - 1]);
        *results = i ? *results : (struct results){0};
        if (!ttt_plan_describe(plan, name, &dtype, &shape))
            continue;
        results->count[i] = ttt_shape_elements(shape);
        results->data[i] = check_alloc((size_t)results->count[i], sizeof(float));
        check_ok(ttt_plan_read(plan, name, results->data[i]));
    }
    ttt_plan_destroy(plan);
    ttt_store_destroy(store);
    ttt_graph_destroy(g);
}

/* The relative error of result i; what the composition does not depend on must be 0. */
static double error_of(const struct results *got, const struct results *expected, int i)
{
    const int64_t count = got->count[i];
    double *values = check_alloc((size_t)count, sizeof *values);
    for (int64_t k = 0; k < count && expected->data[i]; k++)
        values[k] = expected->data[i][k];
    double error = relative_error(got->data[i], values, count);
    free(values);
    return error;
}

/* Returns the number of results that are off. */
static int compare(ttt_device *device, ttt_dtype activations, const struct setting *s)
{
    struct results expected, got;
    ttt_device *cpu;
    int failed = 0;
    check_ok(ttt_device_open("cpu", 1, &cpu));
    run(cpu, TTT_I32, s, &expected);
    run(device, activations, s, &got);
    for (int i = 0; i < TENSORS; i++) {
        const double error = error_of(&got, &expected, i);
        const double limit = activations == TTT_BF16 ? (i ? 5e-2 : 2e-2) : (i ? 1e-4 : 2e-5);
        if (!(error <= limit)) {
            print_error("%d x %d x %d tokens, %d heads of %d: %s%s: %.3g, at most %.3g\n", (int)s->batch,
                        (int)s->height, (int)s->width, (int)s->heads, (int)s->d, i ? "gradient of " : "y",
                        i ? names[i - 1] : "", error, limit);
            failed++;
        }
        free(expected.data[i]);
        free(got.data[i]);
    }
    ttt_device_close(cpu);
    return failed;
}

/* The switches that a ViTTT layer has, from the bits of `bits`. */
static ttt_variant variant_of(int bits)
{
    ttt_variant variant;
    check_ok(ttt_variant_named("baseline", &variant));
    variant.update = bits & 1 ? TTT_UPDATE_LAST : TTT_UPDATE_ALL;
    variant.kernel = bits & 2 ? TTT_KERNEL_LINEAR : TTT_KERNEL_SWIGLU;
    variant.direction = bits & 4 ? TTT_ASCENT : TTT_DESCENT;
    variant.query = bits & 8 ? TTT_QUERY_K : TTT_QUERY_Q;
    variant.condition_gradient = !(bits & 16);
    return variant;
}

static void check_settings(ttt_device *device, ttt_dtype activations)
{
    static const struct setting sizes[] = {
        {.batch = 1, .height = 14, .width = 14, .heads = 2, .d = 64},
        {.batch = 3, .height = 8, .width = 8, .heads = 3, .d = 32},
        {.batch = 5, .height = 7, .width = 7, .heads = 2, .d = 32},
        {.batch = 1, .height = 15, .width = 13, .heads = 2, .d = 32},
        {.batch = 3, .height = 7, .width = 7, .heads = 2, .d = 64},
    };
    int failed = 0;
    for (int bits = 0; bits < 32; bits++) {
        struct setting s = sizes[bits % 5];
        s.variant = variant_of(bits);
        failed += compare(device, activations, &s);
    }
    for (int i = 0; i < 5; i++) {
        struct setting s = sizes[i];
        s.variant = variant_of(0);
        failed += compare(device, activations, &s);
    }
    ttt_device_close(device);
    assert_int_equal(failed, 0);
}

static void same_as_composition_on_the_cpu(void **state)
{
    (void)state;
    ttt_device *device;
    check_ok(ttt_device_open("cpu", 2, &device));
    check_settings(device, TTT_F32);
}

static void same_as_composition_on_cuda(void **state)
{
    (void)state;
    ttt_device *device;
    ttt_status status = ttt_device_open("cuda", 1, &device);
    if (status) {
        print_message("skipped: %s\n", ttt_status_text(status));
        ttt_status_free(status);
        skip();
    }
    check_settings(device, TTT_BF16);
}

/* Where a block has 99 KiB of shared memory, as on small GPUs, the layer is composed where the operator takes
 * more: at 196 tokens of 64 channels, not at 49.  A device that is not emulated has what it has. */
static void with_less_shared_memory(void **state)
{
    (void)state;
    static const struct setting sizes[] = {
        {.batch = 1, .height = 14, .width = 14, .heads = 2, .d = 64},
        {.batch = 1, .height = 7, .width = 7, .heads = 2, .d = 64},
    };
    ttt_device *cuda;
    setenv("EMULATED_SHARED", "101376", 1);
    ttt_status status = ttt_device_open("cuda", 1, &cuda);
    if (status) {
        ttt_status_free(status);
        skip();
    }
    for (int i = 0; i < 2; i++) {
        struct setting s = sizes[i];
        ttt_graph *g;
        s.variant = variant_of(0);
        check_ok(ttt_graph_create(&g));
        ttt_graph_target_device(g, cuda, TTT_BF16);
        if (ttt_device_shared_memory(cuda) == 101376)
            assert_int_equal(ttt_vittt_inner_fits(g, s.d, s.height * s.width), i);
        ttt_graph_destroy(g);
        assert_int_equal(compare(cuda, TTT_BF16, &s), 0);
    }
    ttt_device_close(cuda);
    unsetenv("EMULATED_SHARED");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_composition_on_the_cpu),
        cmocka_unit_test(with_less_shared_memory),
        cmocka_unit_test(same_as_composition_on_cuda),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
