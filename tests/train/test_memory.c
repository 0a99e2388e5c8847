/* What a run needs is weighed before its first step. */
#include "train/memory.h"

#include <stdio.h>

#include "tests/support/check.h"
#include "tests/train/config_files.h"
#include "tests/train/line_task.h"
#include "train/run_folder.h"

static struct run_config limited_config(const char *more)
{
    char text[200];
    snprintf(text, sizeof text, "train: {epochs: 1, batch_size: 4%s", more);
    return load_config_text(text);
}

static void a_plan_over_the_limit_says_what_is_needed(void **state)
{
    (void)state;
    struct run_config config = limited_config("}\ndevice: {memory_limit: 16}");
    struct line_task line = {0};
    check_error(line_run(&line, &config), TTT_MEMORY, "not even a batch of 1 fits");
    assert_int_equal(line.fed, 0);
    run_config_free(&config);
}

/* The limit holds for a step, its update and an evaluation together, before the first step. */
static void check_limit(const char *more, int64_t evaluation_bytes, const char *advice)
{
    struct run_config config = limited_config(more);
    struct line_task line = {.evaluation_bytes = evaluation_bytes};
    line_run_ok(&line, &config);
    config.device.memory_limit = line.outcome.predicted_bytes;
    check_ok(folder_remove("runs"));
    line_run_ok(&line, &config);
    config.device.memory_limit--;
    check_ok(folder_remove("runs"));
    line = (struct line_task){.evaluation_bytes = evaluation_bytes};
    check_error(line_run(&line, &config), TTT_MEMORY, advice);
    assert_int_equal(line.fed, 0);
    check_ok(folder_remove("runs"));
    run_config_free(&config);
}

static void all_that_is_held_together_is_weighed(void **state)
{
    (void)state;
    check_limit("}", 0, "the plan needs ");
    check_limit(", accumulate: 2}", 0, "the plan needs ");
    check_limit("}", 1000, "; judge less at once");
    check_limit(", ema: 0.9, accumulate: 2}\neval: {weights: ema}", 1000, "; judge less at once");
}

static int leave(void **state)
{
    check_ok(folder_remove("runs"));
    return leave_config_folder(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_over_the_limit_says_what_is_needed),
        cmocka_unit_test(all_that_is_held_together_is_weighed),
    };
    return cmocka_run_group_tests(tests, enter_config_folder, leave);
}
