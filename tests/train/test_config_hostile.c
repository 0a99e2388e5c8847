/* Files that are no configuration, by accident or by design. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/train/config_files.h"

static void files_that_are_no_config_are_refused(void **state)
{
    (void)state;
    struct run_config config;
    assert_config_refused(run_config_load("none.yaml", 0, NULL, &config),
                          "none.yaml: cannot be opened: No such file or directory");
    assert_config_refused(run_config_load(".", 0, NULL, &config), ".: cannot be read: Is a directory");
    assert_text_refused("", "x.yaml: holds no keys; the least config is 'task: classify'");
    assert_text_refused("# only a comment\n", "x.yaml: holds no keys; the least config is 'task: classify'");
    assert_text_refused("- a\n- b\n", "x.yaml:1: a config is 'key: value' lines, not a list or a text");
    assert_text_refused("hello\n", "x.yaml:1: a config is 'key: value' lines, not a list or a text");
    assert_text_refused("task: classify\n---\ntask: views\n",
                        "x.yaml:2: a second document begins; a config file holds one");
    assert_text_refused("task: classify\ntrain:\n\tlr: 1\n",
                        "x.yaml:3: is indented with a tab; YAML takes spaces");
    assert_text_refused("task: classify\ntrain: {lr: 1\n", "x.yaml:3: is not YAML: did not find expected...");
    assert_text_refused("task: \"unfinished\n", "x.yaml:2: is not YAML: found unexpected end of stream");
    assert_text_refused("{a: b}: c\n", "x.yaml:1: a key must be a plain name");
    assert_text_refused("? [task]\n: c\n", "x.yaml:1: a key must be a plain name");
    assert_text_refused("task: classify\nrun: {dir: caf\xe9}\n",
                        "x.yaml:2: is not UTF-8 text without control characters (invalid...");
    write_config_bytes("x.yaml", "task: classify\nrun: {dir: a\0b}\n", 31);
    assert_config_refused(
        run_config_load("x.yaml", 0, NULL, &config),
        "x.yaml:2: is not UTF-8 text without control characters (control characters are not allowed)");
    assert_text_refused("run: {dir: \"a\\0b\"}\n", "x.yaml:1: run.dir: has a NUL character in its value");
    assert_text_refused(
        "run: {dir: \"a\\nb\"}\n",
        "x.yaml:1: run.dir: 'a?b' has control characters or is not UTF-8; allowed: text, not empty");
    assert_text_refused("\"ta\\0sk\": classify\n", "x.yaml:1: 'ta': a key in a file is one name...");
    write_config_bytes("x.yaml", "\xff\xfet\0a\0s\0k\0", 10);
    assert_config_refused(run_config_load("x.yaml", 0, NULL, &config),
                          "x.yaml:1: is not UTF-8 text without control...");
    struct run_config marked = load_config_text("\xef\xbb\xbftask: classify\r\nrun: {seed: 5}\r\n");
    assert_int_equal(marked.run.seed, 5);
    run_config_free(&marked);
}

static void anchors_aliases_and_tags_are_refused(void **state)
{
    (void)state;
    static const char why[] =
        "anchors (&) and aliases (*) are not taken; write the value out, or put it into a file "
        "named by base";
    static const char *const texts[] = {"\ntrain: &a {lr: 1}\n",
                                        "\ntrain: {lr: &a 1}\n",
                                        "\ntrain: *a\n",
                                        "\ndata: {mean: &a [1, 1, 1]}\n",
                                        "\ndata: {mean: [*a, 1, 1]}\n",
                                        "\n&a train: {lr: 1}\n",
                                        "\nbase: *a\n"};
    char expected[256];
    snprintf(expected, sizeof expected, "x.yaml:2: %s", why);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_text_refused(texts[i], expected);
    assert_text_refused("train: {lr: !!float 1}\n",
                        "x.yaml:1: tags (!) are not taken; write the plain value");
    assert_text_refused("train: !!python/object {lr: 1}\n",
                        "x.yaml:1: tags (!) are not taken; write the plain value");
}

/* `n` times the byte between two texts, as x.yaml. */
static void assert_flood_refused(const char *before, char byte, size_t n, const char *expected)
{
    char *text = malloc(strlen(before) + n + 1);
    assert_non_null(text);
    strcpy(text, before);
    memset(text + strlen(before), byte, n);
    text[strlen(before) + n] = 0;
    assert_text_refused(text, expected);
    free(text);
}

static void floods_are_refused(void **state)
{
    (void)state;
    assert_flood_refused("train: ", '[', 1000000, "x.yaml:1: train: is a group and takes no value...");
    assert_flood_refused("data:\n  mean: ", '[', 1000000,
                         "x.yaml:2: data.mean: a list holds plain numbers only");
    assert_flood_refused("", '[', 1000000, "x.yaml:1: a config is 'key: value' lines, not a list or a text");
    assert_flood_refused("", '{', 1000000, "x.yaml:1: a key must be a plain name");
    assert_flood_refused("run:\n  dir: ", 'a', 1000000,
                         "x.yaml:2: run.dir: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...");
    assert_flood_refused("train:\n  lr: ", '9', 1000000,
                         "x.yaml:2: train.lr: '9999999999999999999999999999999999...");
    assert_flood_refused("", 'a', 1000000, "x.yaml:1: a config is 'key: value' lines, not a list or a text");
    assert_flood_refused("# ", 'a', 1 << 20, "x.yaml: is larger than the 1 MiB that a config may have");
    assert_flood_refused("data: {mean: [", ',', 1000, "x.yaml:1: is not YAML...");
    char key[600] = "";
    memset(key, 'k', 500);
    strcpy(key + 500, ": 1\n");
    assert_text_refused(key, "x.yaml:1: kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk...");
}

/* Loading any prefix, and any one-byte change, of a valid file never does worse than fail with one line. */
static void damaged_files_never_crash(void **state)
{
    (void)state;
    static const char text[] = "base: a.yaml\nmodel: {image_size: [64, 64], ttt: {variant: variant3}}\n"
                               "data:\n  mean: [0.5, 0.5, 0.5]\n  root: 'x y'\ntrain: {lr: 1.0e-3}\n";
    static const char changes[] = "\0\t\n\"'[]{}&*!:-,#%\xff~9";
    write_config("a.yaml", "task: classify\n");
    char damaged[sizeof text];
    int loaded = 0, refused = 0;
    for (size_t i = 0; i < sizeof text - 1; i++)
        for (size_t j = 0; j < sizeof changes - 1; j++) {
            memcpy(damaged, text, sizeof text);
            damaged[i] = changes[j];
            write_config_bytes("x.yaml", damaged, j ? sizeof text - 1 : i);
            struct run_config config;
            ttt_status status = run_config_load("x.yaml", 0, NULL, &config);
            if (status) {
                assert_true(ttt_status_is_mistake(status));
                assert_null(strchr(ttt_status_text(status), '\n'));
                ttt_status_free(status);
                refused++;
            } else {
                run_config_free(&config);
                loaded++;
            }
        }
    assert_true(loaded > 100 && refused > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(files_that_are_no_config_are_refused),
        IN_FOLDER(anchors_aliases_and_tags_are_refused),
        IN_FOLDER(floods_are_refused),
        IN_FOLDER(damaged_files_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
