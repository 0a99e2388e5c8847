/* Configs written for a test, in a folder of the test's own. */
#include "tests/train/config_files.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/check.h"

int enter_config_folder(void **state)
{
    char template[] = "/tmp/ttt_config_XXXXXX";
    *state = mkdtemp(template) ? strdup(template) : NULL;
    return *state && chdir(*state) == 0 ? 0 : -1;
}

int leave_config_folder(void **state)
{
    glob_t found;
    if (!glob("*", 0, NULL, &found))
        for (size_t i = 0; i < found.gl_pathc; i++)
            remove(found.gl_pathv[i]);
    globfree(&found);
    int failed = chdir("/") || rmdir(*state);
    free(*state);
    return failed;
}

void write_config_bytes(const char *path, const char *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

void write_config(const char *path, const char *text)
{
    write_config_bytes(path, text, strlen(text));
}

struct run_config load_config(const char *path)
{
    struct run_config config;
    check_ok(run_config_load(path, 0, NULL, &config));
    return config;
}

struct run_config load_config_text(const char *text)
{
    write_config("x.yaml", text);
    return load_config("x.yaml");
}

void assert_config_refused(ttt_status status, const char *expected)
{
    assert_non_null(status);
    const char *text = ttt_status_text(status);
    size_t n = strlen(expected);
    bool open = n > 3 && !strcmp(expected + n - 3, "...");
    if (open ? strncmp(text, expected, n - 3) != 0 : strcmp(text, expected) != 0)
        fail_msg("got      %s\nexpected %s", text, expected);
    assert_null(strchr(text, '\n'));
    assert_true(ttt_status_is_mistake(status));
    ttt_status_free(status);
}

void assert_text_refused(const char *text, const char *expected)
{
    struct run_config config;
    write_config("x.yaml", text);
    assert_config_refused(run_config_load("x.yaml", 0, NULL, &config), expected);
}

void assert_override_refused(const char *override, const char *expected)
{
    struct run_config config;
    write_config("x.yaml", "task: classify\n");
    char *overrides[] = {(char *) override};
    assert_config_refused(run_config_load("x.yaml", 1, overrides, &config), expected);
}

char *written_config(const struct run_config *config, bool with_help)
{
    char *text;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    check_ok(run_config_write(config, file, with_help));
    assert_int_equal(fclose(file), 0);
    return text;
}

/* Everything but the strings, bit by bit; the strings by their text. */
static void assert_same_config(struct run_config *a, struct run_config *b)
{
    char *texts[2] = {written_config(a, false), written_config(b, false)};
    assert_string_equal(texts[0], texts[1]);
    free(texts[0]);
    free(texts[1]);
    assert_memory_equal(&a->run.seed, &b->run.seed, sizeof a->run.seed);
    assert_memory_equal(&a->device.memory_limit, &b->device.memory_limit, sizeof a->device.memory_limit);
    assert_memory_equal(&a->model.vittt, &b->model.vittt, sizeof a->model.vittt);
    size_t numbers = offsetof(struct config_data, threads);
    assert_memory_equal((char *)&a->data + numbers, (char *)&b->data + numbers, sizeof a->data - numbers);
    assert_memory_equal(&a->train, &b->train, sizeof a->train);
    assert_memory_equal(&a->model.lact, &b->model.lact, sizeof a->model.lact);
    assert_memory_equal(&a->eval, &b->eval, offsetof(struct config_eval, views));
}

void assert_config_round_trip(struct run_config *config, bool with_help)
{
    char *text = written_config(config, with_help);
    write_config("again.yaml", text);
    struct run_config again = load_config("again.yaml");
    assert_same_config(config, &again);
    run_config_free(&again);
    free(text);
}
