/* ttt bench as a user types it: every measurement is an object with sane numbers; mistakes exit 2. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <jansson.h>

#include "data/make_pictures.h"
#include "tests/support/check.h"
#include "tests/support/temporary.h"
#include "ttt/ops/operators.h"

static const char config[] =
    "task: classify\n"
    "device: {threads: 2}\n"
    "model: {image_size: [32, 48], patch: 8, width: 24, depth: 2, heads: 2, classes: 7}\n"
    "train: {batch_size: 4, ema: 0.99}\n"
    "eval: {batch_size: 4}\n";

struct fixture {
    char *folder, *config;
    char *output; /* of the last run */
};

/* Runs "ttt bench ARGUMENTS" and keeps stdout; returns the exit status. */
static int bench(struct fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int bench(struct fixture *f, const char *format, ...)
{
    char arguments[1024], command[2048];
    size_t room = 1 << 20, length;
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(command, sizeof command, "'%s' bench %s 2>'%s/errors'", TEST_PROGRAM, arguments, f->folder);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    free(f->output);
    f->output = check_alloc(room, 1);
    length = fread(f->output, 1, room - 1, pipe);
    f->output[length] = 0;
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* The objects that the last run printed, one a line. */
static json_t *objects(const struct fixture *f)
{
    json_t *all = json_array();
    for (const char *line = f->output; *line;) {
        size_t length = strcspn(line, "\n");
        json_error_t error;
        json_t *object = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
        if (!object)
            fail_msg("not JSON: %s: %.*s", error.text, (int)length, line);
        json_array_append_new(all, object);
        line += length + (line[length] == '\n');
    }
    return all;
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        fail_msg("'%s' is no number", key);
    assert_true(isfinite(json_number_value(value)));
    return json_number_value(value);
}

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    if (!value)
        fail_msg("'%s' is no text", key);
    return value;
}

static void check_measurement(const json_t *m, const char *name, int batch)
{
    assert_memory_equal(text(m, "name"), name, strlen(name));
    assert_string_equal(text(m, "device"), "cpu");
    assert_string_equal(text(m, "dtype"), "f32");
    assert_int_equal(number(m, "batch"), batch);
    assert_true(number(m, "seconds") > 0);
    assert_true(number(m, "fastest_seconds") <= number(m, "seconds"));
    assert_true(fabs(number(m, "items_per_second") * number(m, "seconds") / batch - 1) < 1e-6);
    assert_true(number(m, "matmul_flops_per_second") > 1e8);
    assert_true(number(m, "copy_bytes_per_second") > 1e8);
    assert_true(number(m, "peak_bytes") > 1e6);
    assert_true(json_object_get(m, "flops_per_second") && json_object_get(m, "predicted_peak_bytes"));
    assert_true(json_is_null(json_object_get(m, "watts"))); /* a GPU says what it draws */
}

static void check_prediction(const json_t *m)
{
    double ratio = number(m, "predicted_peak_bytes") / number(m, "peak_bytes");
    /* The sanitizer keeps freed memory, and shadows of what is touched. */
#ifdef __SANITIZE_ADDRESS__
    assert_true(ratio > 0.1 && ratio < 2);
#else
    assert_true(ratio > 0.9 && ratio < 1.1);
#endif
}

static double flops(const json_t *m)
{
    return number(m, "flops_per_second") * number(m, "seconds");
}

static bool has_name(const json_t *lines, const char *name)
{
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line) if (!strcmp(text(line, "name"), name)) return true;
    return false;
}

static double sum_of(const json_t *lines, const char *key)
{
    size_t i;
    json_t *line;
    double sum = 0;
    json_array_foreach(lines, i, line) sum += number(line, key);
    return sum;
}

/* Operators, layers and nodes are three ways to cut the same time. */
static void check_profile(const json_t *profile, const char *const *layers)
{
    const json_t *nodes = json_object_get(profile, "nodes");
    const double count = (double)json_array_size(nodes), seconds = number(profile, "seconds");
    assert_true(count > 20 && seconds > 0);
    static const char *const cuts[] = {"operators", "layers", "nodes"};
    for (int i = 0; i < 3; i++) {
        const json_t *lines = json_object_get(profile, cuts[i]);
        assert_int_equal(sum_of(lines, "nodes"), count);
        assert_true(fabs(sum_of(lines, "seconds") / seconds - 1) < 1e-6);
    }
    for (; *layers; layers++)
        if (!has_name(json_object_get(profile, "layers"), *layers))
            fail_msg("no layer '%s' in the profile", *layers);
}

static void training_and_inference(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(bench(f, "infer %s --runs 3 --warmup 1 --profile --json", f->config), 0);
    json_t *infer = objects(f), *m = json_array_get(infer, 0);
    assert_int_equal(json_array_size(infer), 1);
    check_measurement(m, "infer vittt_tiny", 4);
    check_prediction(m);
    assert_int_equal(number(m, "runs"), 3);
    check_profile(json_object_get(m, "profile"),
                  (const char *const[]){"patch_embed", "blocks.0", "blocks.1", "head", NULL});
    const double forward = flops(m);

    for (int accumulate = 1; accumulate <= 2; accumulate++) {
        assert_int_equal(bench(f, "train %s train.accumulate=%d --runs 3 --warmup 1 --profile --json",
                               f->config, accumulate),
                         0);
        json_t *train = objects(f);
        m = json_array_get(train, 0);
        assert_int_equal(json_array_size(train), 1);
        check_measurement(m, "train vittt_tiny", 4);
        check_prediction(m);
        assert_true(fabs(number(m, "step_seconds") / number(m, "seconds") - accumulate) < 1e-6);
        assert_true(number(m, "share_beside_products") > 0);
        check_profile(json_object_get(m, "profile"),
                      (const char *const[]){"blocks.0", "blocks.1", "head", "loss", "optimiser", NULL});
        /* A backward pass is about twice a forward one; the inner loop's gradients add to it. */
        assert_true(flops(m) > 2.5 * forward && flops(m) < 6 * forward);
        json_decref(train);
    }
    json_decref(infer);
}

static void tables(void **state)
{
    struct fixture *f = *state;
    static const char *const kinds[] = {"train", "infer"};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(bench(f, "%s %s --runs=1 --profile", kinds[i], f->config), 0);
        assert_non_null(strstr(f->output, "pictures/s"));
        assert_non_null(strstr(f->output, "of the SGEMM rate"));
        assert_non_null(strstr(f->output, "  beside "));
        assert_non_null(strstr(f->output, "at the peak; predicted"));
        assert_non_null(strstr(f->output, "slowest nodes"));
    }
}

static void loading(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"loader train crop", "loader train whole", "loader eval"};
    struct make_pictures_options options = make_pictures_options_default();
    char *pictures = temporary_path(f->folder, "pictures");
    options.classes = 2;
    options.train = 6;
    options.val = 2;
    options.size = 64;
    check_ok(make_pictures(pictures, &options));
    temporary_file(f->folder, "pictures/train/broken", "", 0); /* another extension: left out */

    assert_int_equal(bench(f, "loader %s data.root=%s data.threads=2 --runs 2 --json", f->config, pictures),
                     0);
    json_t *all = objects(f);
    assert_int_equal(json_array_size(all), 6);
    for (int i = 0; i < 6; i++) {
        const json_t *m = json_array_get(all, (size_t)i);
        check_measurement(m, names[i % 3], 6);
        assert_int_equal(number(m, "threads"), i < 3 ? 1 : 2);
        assert_int_equal(number(m, "bad"), 0);
        assert_true(number(m, "items_per_second_per_thread") > 0);
        assert_true(json_is_null(json_object_get(m, "flops_per_second")));
    }
    json_decref(all);
    /* Class folders without train/ around them; one thread. */
    assert_int_equal(bench(f, "loader %s data.root=%s/val data.threads=0 --runs 1", f->config, pictures), 0);
    assert_non_null(strstr(f->output, "as fast as decoding everything"));
    free(pictures);
}

static void every_operator_has_a_case(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(bench(f, "ops --list"), 0);
    for (int i = 0; ttt_operators[i]; i++) {
        char start[80];
        snprintf(start, sizeof start, "\n%s ", ttt_operators[i]->name);
        if (!strstr(f->output, start) && strncmp(f->output, start + 1, strlen(start) - 1))
            fail_msg("'ttt bench ops --list' has no line for %s", ttt_operators[i]->name);
    }
}

/* Every row of every operator's table is timed on some case. */
static void every_implementation_is_measured(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(bench(f, "ops --runs 1 --warmup 1 --threads 2 --json"), 0);
    json_t *all = objects(f), *m;
    size_t i;
    json_array_foreach(all, i, m)
    {
        check_measurement(m, text(m, "operator"), 16);
        assert_true(number(m, "share_of_limit") >= 0 && number(m, "bytes_per_second") > 0);
        assert_int_equal(number(m, "threads"), 2);
    }
    for (int k = 0; ttt_operators[k]; k++)
        for (const ttt_implementation *const *row = ttt_operators[k]->implementations; *row; row++) {
            bool found = (*row)->device != TTT_CPU;
            json_array_foreach(all, i, m) found |= !strcmp(text(m, "operator"), ttt_operators[k]->name) &&
                                                   !strcmp(text(m, "implementation"), (*row)->name);
            if (!found)
                fail_msg("%s:%s is not measured", ttt_operators[k]->name, (*row)->name);
        }
    json_decref(all);
}

static void chosen_operators(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(bench(f, "ops --only fill,drop_path --runs 1 --json"), 0);
    json_t *all = objects(f), *m;
    size_t i;
    assert_int_equal(json_array_size(all), 2);
    json_array_foreach(all, i, m)
        assert_true(!strcmp(text(m, "operator"), "fill") || !strcmp(text(m, "operator"), "drop_path"));
    json_decref(all);
}

static void mistakes_exit_2(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *arguments, *says; /* CONFIG stands at %s */
    } mistakes[] = {
        {"", "measure what?"},
        {"speed", "there is no 'bench speed'"},
        {"train", "which config?"},
        {"train missing.yaml", "missing.yaml"},
        {"train %s train.bach_size=1", "train.batch_size"},
        {"train %s --run 3", "the nearest is --runs"},
        {"train %s --runs 0", "whole number from 1"},
        {"train %s --json=yes", "--json takes no value"},
        {"train %s --only fill", "--only goes with ops"},
        {"train %s device.dtype=bf16", "f32 only"},
        {"infer %s task=views", "task: views"},
        {"infer %s model.heads=5", "24"},
        {"infer %s device.implementations=matmul:magic", "magic"},
        {"loader %s", "data.root"},
        {"loader %s data.root=nowhere", "nowhere"},
        {"loader %s --profile", "--profile goes with train and infer"},
        {"ops --only matmul,fil", "the nearest is fill"},
        {"ops --only ''", "no operator is called ''"},
        {"ops config.yaml", "ops takes no config"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        char arguments[512];
        const char *at = strstr(mistakes[i].arguments, "%s");
        int length = at ? (int)(at - mistakes[i].arguments) : (int)strlen(mistakes[i].arguments);
        snprintf(arguments, sizeof arguments, "%.*s%s%s", length, mistakes[i].arguments, at ? f->config : "",
                 at ? at + 2 : "");
        int status = bench(f, "%s", arguments);
        size_t size;
        char *path = temporary_path(f->folder, "errors"), *errors = (char *)temporary_read(path, &size);
        if (status != 2 || f->output[0] || !memmem(errors, size, mistakes[i].says, strlen(mistakes[i].says)))
            fail_msg("bench %s: exit %d: %.*s", arguments, status, (int)size, errors);
        free(errors);
        free(path);
    }
}

static void over_the_limit_exits_1(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(bench(f, "train %s device.memory_limit=1M", f->config), 1);
    assert_string_equal(f->output, "");
}

static int set_up(void **state)
{
    struct fixture *f = check_alloc(1, sizeof *f);
    f->folder = temporary_folder();
    f->config = temporary_path(f->folder, "tiny.yaml");
    temporary_file(f->folder, "tiny.yaml", config, strlen(config));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    free(f->output);
    free(f->config);
    temporary_remove(f->folder);
    free(f);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_has_a_case),
        cmocka_unit_test(mistakes_exit_2),
        cmocka_unit_test(over_the_limit_exits_1),
        cmocka_unit_test(training_and_inference),
        cmocka_unit_test(tables),
        cmocka_unit_test(loading),
        cmocka_unit_test(chosen_operators),
        cmocka_unit_test(every_implementation_is_measured),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
