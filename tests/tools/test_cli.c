/* The command line: help, mistakes, configs and info, as a user types them. */
#include "tests/support/check.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tests/support/temporary.h"
#include "tests/tools/program.h"

static const char *const described[] = {"verify", "data", "config", "info"};

static void test_help_of_everything(void **state)
{
    (void)state;
    struct program_result all = run("--help");
    assert_int_equal(all.exit_status, 0);
    for (size_t i = 0; i < sizeof described / sizeof *described; i++) {
        check_contains(all.out, described[i]);
        struct program_result one = run(described[i], "--help");
        assert_int_equal(one.exit_status, 0);
        check_contains(one.out, "usage: ttt ");
        check_contains(one.out, "examples:");
        assert_string_equal(one.err, "");
        program_free(&one);
    }
    program_free(&all);
}

static void test_mistakes_in_the_command(void **state)
{
    (void)state;
    check_refusal(2, "there is no command 'verfy'", "verfy");
    check_refusal(2, "unknown option '--jsn'; the nearest is --json", "info", "--jsn");
    check_refusal(2, "unknown option '--onyl'; the nearest is --only", "verify", "--onyl", "jpeg", ".");
    check_refusal(2, "--only needs a value", "verify", "--only");
    check_refusal(2, "--json is given twice", "info", "--json", "--json");
    check_refusal(2, "--json takes no value", "info", "--json=yes");
    check_refusal(2, "--size takes a whole number from 16 to 1024, not '64px'", "data", "make", "pictures",
                  "x", "--size", "64px");
    check_refusal(2, "--size takes a whole number", "data", "make", "pictures", "x", "--size=8");
    check_refusal(2, "there is no 'data mak'", "data", "mak");
    check_refusal(2, "there is no set 'views'", "data", "make", "views", "x");
    check_refusal(2, "make pictures takes one folder", "data", "make", "pictures");
    check_refusal(2, "which config?", "config");
    check_refusal(2, "which files?", "verify");
}

static void test_config_is_printed_and_can_be_used(void **state)
{
    (void)state;
    char *folder = temporary_folder(), *copy = temporary_path(folder, "copy.yaml");
    struct program_result first = run("config", TEST_SOURCE "/configs/vittt_tiny.yaml", "train.lr=0.25",
                                      "run.name=mine", "model.ttt.variant=variant6");
    assert_int_equal(first.exit_status, 0);
    check_contains(first.out, "  lr: 0.25\n");
    check_contains(first.out, "    update: last\n");
    temporary_file(folder, "copy.yaml", first.out, strlen(first.out));
    struct program_result second = run("config", copy);
    assert_int_equal(second.exit_status, 0);
    assert_string_equal(first.out, second.out);
    program_free(&first);
    program_free(&second);
    free(copy);
    temporary_remove(folder);
}

static void test_config_mistakes(void **state)
{
    (void)state;
    static const char tiny[] = TEST_SOURCE "/configs/vittt_tiny.yaml";
    check_refusal(2, "train.lrr: no such key; the nearest name is train.lr", "config", tiny, "train.lrr=1");
    check_refusal(2, "nowhere.yaml", "config", "nowhere.yaml");
    check_refusal(2, "it takes no file", "config", "--keys", tiny);
    check_refusal(2, "--json goes with --keys", "config", tiny, "--json");
    check_refusal(2, "7", "info", tiny, "model.heads=7");
    check_refusal(2, "patch", "info", tiny, "model.image_size=225");
}

static void test_keys_are_listed(void **state)
{
    (void)state;
    struct program_result text = run("config", "--keys"), list = run("config", "--keys", "--json");
    check_contains(text.out, "\ntrain.lr\n");
    check_contains(text.out, "default:");
    json_t *keys = json_loads(list.out, 0, NULL);
    assert_true(json_array_size(keys) > 40);
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *name = json_string_value(json_object_get(json_array_get(keys, i), "key"));
        assert_non_null(name);
        check_contains(text.out, name);
    }
    json_decref(keys);
    program_free(&text);
    program_free(&list);
}

static void test_info_of_the_build(void **state)
{
    (void)state;
    struct program_result text = run("info"), object = run("info", "--json");
    assert_int_equal(text.exit_status, 0);
    check_contains(text.out, "-march=");
    check_contains(text.out, "BLAS");
    json_t *info = json_loads(object.out, 0, NULL);
    json_t *device = json_array_get(json_object_get(info, "devices"), 0);
    assert_string_equal(json_string_value(json_object_get(device, "name")), "cpu");
    assert_true(json_integer_value(json_object_get(device, "memory_total_bytes")) > 0);
    json_decref(info);
    program_free(&text);
    program_free(&object);
}

static json_int_t number(const json_t *object, const char *key)
{
    assert_true(json_is_number(json_object_get(object, key)));
    return (json_int_t)json_number_value(json_object_get(object, key));
}

/* The published model has 6.15 million parameters at 1000 classes; the layers add up. */
static void test_info_of_a_model(void **state)
{
    (void)state;
    struct program_result result =
        run("info", TEST_SOURCE "/configs/vittt_tiny.yaml", "model.classes=1000", "train.batch_size=4",
            "train.accumulate=1", "eval.batch_size=4", "--json");
    assert_string_equal(result.err, "");
    json_t *info = json_loads(result.out, 0, NULL), *model = json_object_get(info, "model");
    json_t *layers = json_object_get(model, "layers"), *training = json_object_get(model, "training");
    json_int_t parameters = 0, flops = 0;
    for (size_t i = 0; i < json_array_size(layers); i++) {
        parameters += number(json_array_get(layers, i), "parameters");
        flops += number(json_array_get(layers, i), "flops");
    }
    assert_int_equal(json_array_size(layers), 14);
    assert_int_equal(number(model, "parameters"), 6149416);
    assert_int_equal(parameters, 6149416);
    assert_true(llabs(flops - number(model, "flops")) <= 14);
    /* The linear layers alone: 2 FLOPs for each weight of a block and token. */
    assert_true(flops > 2 * 196 * 12 * (json_int_t)470000);
    assert_true(number(training, "flops") > 8 * flops);
    assert_true(number(training, "variable_bytes") >= 3 * 4 * parameters);
    assert_true(number(training, "predicted_peak_bytes") >
                number(json_object_get(model, "inference"), "predicted_peak_bytes"));
    json_decref(info);
    program_free(&result);
}

static void test_info_says_what_does_not_fit(void **state)
{
    (void)state;
    struct program_result result = run("info", TEST_SOURCE "/configs/vittt_tiny.yaml", "model.classes=10",
                                       "train.batch_size=64", "device.memory_limit=300M");
    assert_int_equal(result.exit_status, 0);
    check_contains(result.out, "train.batch_size=");
    program_free(&result);
}

static void test_full_disk_is_a_failure(void **state)
{
    (void)state;
    int status = system("'" TEST_PROGRAM "' config --keys >/dev/full 2>/dev/null");
    assert_int_equal(status, 1 << 8);
    status = system("'" TEST_PROGRAM "' info --json >/dev/full 2>/dev/null");
    assert_int_equal(status, 1 << 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help_of_everything),
        cmocka_unit_test(test_mistakes_in_the_command),
        cmocka_unit_test(test_config_is_printed_and_can_be_used),
        cmocka_unit_test(test_config_mistakes),
        cmocka_unit_test(test_keys_are_listed),
        cmocka_unit_test(test_info_of_the_build),
        cmocka_unit_test(test_info_of_a_model),
        cmocka_unit_test(test_info_says_what_does_not_fit),
        cmocka_unit_test(test_full_disk_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
