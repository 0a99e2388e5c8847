/* The two schedules against golden vectors, and at their edges. */
#include "tests/support/check.h"

#include <math.h>

#include "data/safetensors.h"
#include "train/schedule.h"

/* The golden rates are rounded to float. */
static const double tolerance = 6e-8;

static void check_golden(const char *name, rate_schedule schedule)
{
    safetensors_file *file;
    const safetensors_tensor *rates;
    check_ok(safetensors_open(TEST_GOLDEN "/optimiser.safetensors", &file));
    check_ok(safetensors_require(file, name, &rates));
    double wanted[100];
    assert_int_equal(rates->count, 100);
    safetensors_to_f64(rates, wanted);
    for (int64_t step = 0; step < 100; step++) {
        const double got = schedule_rate(&schedule, step);
        if (fabs(got - wanted[step]) > tolerance * wanted[step])
            fail_msg("%s, step %d: %.17g, wanted %.17g", name, (int)step, got, wanted[step]);
    }
    safetensors_close(file);
}

static void golden_cosine_to_zero(void **state)
{
    (void)state;
    check_golden("out.cosine_to_zero", (rate_schedule){SCHEDULE_COSINE_TO_ZERO, 10, 100, 1e-3, 0, 0});
}

static void golden_cosine_to_floor(void **state)
{
    (void)state;
    check_golden("out.cosine_to_floor", (rate_schedule){SCHEDULE_COSINE_TO_FLOOR, 10, 100, 1e-3, 1e-6, 1e-5});
}

static void ends_and_stays(void **state)
{
    (void)state;
    const rate_schedule zero = {SCHEDULE_COSINE_TO_ZERO, 10, 100, 1e-3, 0, 0};
    const rate_schedule bottom = {SCHEDULE_COSINE_TO_FLOOR, 10, 100, 1e-3, 1e-6, 1e-5};
    for (int64_t step = 100; step < 300; step += 50) {
        assert_true(schedule_rate(&zero, step) == 0);
        assert_true(schedule_rate(&bottom, step) == 1e-5);
    }
}

static void without_warm_up(void **state)
{
    (void)state;
    const rate_schedule zero = {SCHEDULE_COSINE_TO_ZERO, 0, 4, 1, 0, 0};
    const rate_schedule bottom = {SCHEDULE_COSINE_TO_FLOOR, 0, 4, 1, 0.5, 0.2};
    assert_true(schedule_rate(&zero, 0) == 1);
    assert_true(fabs(schedule_rate(&zero, 2) - 0.5) < 1e-15);
    assert_true(schedule_rate(&bottom, 0) == 1);
    assert_true(fabs(schedule_rate(&bottom, 2) - 0.6) < 1e-15);
}

static void warm_up_as_long_as_the_run(void **state)
{
    (void)state;
    const rate_schedule zero = {SCHEDULE_COSINE_TO_ZERO, 4, 4, 1, 0, 0};
    assert_true(schedule_rate(&zero, 3) == 0.75);
    assert_true(schedule_rate(&zero, 4) == 0);
    const rate_schedule longer = {SCHEDULE_COSINE_TO_ZERO, 8, 4, 1, 0, 0};
    assert_true(schedule_rate(&longer, 3) == 0.375);
    assert_true(schedule_rate(&longer, 8) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_cosine_to_zero),
        cmocka_unit_test(golden_cosine_to_floor),
        cmocka_unit_test(ends_and_stays),
        cmocka_unit_test(without_warm_up),
        cmocka_unit_test(warm_up_as_long_as_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
