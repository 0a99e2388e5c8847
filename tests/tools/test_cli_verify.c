/* ttt verify: the golden vectors pass; wrong, broken and hostile ones do not, and never end it by a crash. */
#include "tests/support/check.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "data/safetensors.h"
#include "tests/support/temporary.h"
#include "tests/tools/program.h"
#include "ttt/base/random.h"

static const char layer[] = TEST_GOLDEN "/vittt_layer_baseline.safetensors";

static void test_golden_vectors_pass(void **state)
{
    (void)state;
    struct program_result result = run("verify", TEST_GOLDEN);
    if (result.exit_status)
        print_error("%s", result.out);
    assert_int_equal(result.exit_status, 0);
    check_contains(result.out, " passed, 0 failed, 0 skipped\n");
    check_contains(result.out, "grad.blocks.1.attn.w3");
    program_free(&result);
}

static void test_only_some_kinds(void **state)
{
    (void)state;
    struct program_result result = run("verify", "--only", "jpeg,resize", TEST_GOLDEN);
    assert_int_equal(result.exit_status, 0);
    check_contains(result.out, "2 passed, 0 failed, 0 skipped\n");
    program_free(&result);
    check_refusal(2, "there is no kind 'jpg'; there are vittt_layer", "verify", "--only", "jpg", TEST_GOLDEN);
    check_refusal(2, "no kind", "verify", "--only", "", TEST_GOLDEN);
    check_refusal(2, "no file is of a kind", "verify", "--only", "jpeg", layer);
}

static void test_help_lists_the_kinds(void **state)
{
    (void)state;
    static const char *const kinds[] = {"vittt_layer", "vittt_model", "lact_layer", "lact_chunks",
                                        "lact_model",  "optimiser",   "resize",     "jpeg",
                                        "metrics",     "cameras"};
    struct program_result help = run("verify", "--help");
    const char *list = strstr(help.out, "\nkinds:\n");
    assert_non_null(list);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        check_contains(list, kinds[i]);
    program_free(&help);
}

static void test_json(void **state)
{
    (void)state;
    struct program_result result = run("verify", layer, "--json");
    json_t *object = json_loads(result.out, 0, NULL);
    json_t *file = json_array_get(json_object_get(object, "files"), 0);
    json_t *tensors = json_object_get(file, "tensors");
    assert_int_equal(json_integer_value(json_object_get(object, "passed")), 1);
    assert_string_equal(json_string_value(json_object_get(file, "result")), "passed");
    assert_int_equal(json_array_size(tensors), 9);
    for (size_t i = 0; i < json_array_size(tensors); i++) {
        const json_t *tensor = json_array_get(tensors, i);
        double error = json_number_value(json_object_get(tensor, "relative_error"));
        /* Rounding is there, so a comparison with itself would show. */
        assert_true(error > 0 && error <= json_number_value(json_object_get(tensor, "tolerance")));
    }
    json_decref(object);
    program_free(&result);
}

static void test_no_files(void **state)
{
    check_refusal(2, "no .safetensors file in", "verify", *state);
    check_refusal(2, "nowhere", "verify", "nowhere");
    check_refusal(2, "f32", "verify", layer, "--dtype", "bf16");
    check_refusal(2, "gpu", "verify", layer, "--device", "gpu");
}

/* A copy of a golden file with changes: a factor on one tensor, another metadata value, a further tensor. */
struct change {
    const char *scaled, *key, *value, *extra;
};

static void write_changed(const char *folder, const char *name, const struct change *change)
{
    safetensors_file *file;
    check_ok(safetensors_open(layer, &file));
    size_t n = safetensors_count(file), m;
    const safetensors_metadata *entries = safetensors_metadata_all(file, &m);
    safetensors_tensor *tensors = check_alloc(n + 1, sizeof *tensors);
    safetensors_metadata *metadata = check_alloc(m, sizeof *metadata);
    float *scaled = NULL;
    for (size_t i = 0; i < n; i++) {
        tensors[i] = *safetensors_at(file, i);
        if (!change->scaled || strcmp(change->scaled, tensors[i].name))
            continue;
        scaled = check_alloc((size_t)tensors[i].count, sizeof *scaled);
        safetensors_to_f32(&tensors[i], scaled);
        for (int64_t k = 0; k < tensors[i].count; k++)
            scaled[k] *= 1.001f;
        tensors[i].data = scaled;
    }
    if (change->extra) {
        tensors[n] = tensors[0];
        tensors[n++].name = change->extra;
    }
    for (size_t i = 0; i < m; i++) {
        metadata[i] = entries[i];
        if (change->key && !strcmp(change->key, metadata[i].key))
            metadata[i].value = change->value;
    }
    char *path = temporary_path(folder, "%s.safetensors", name);
    check_ok(safetensors_write(path, tensors, n, metadata, m));
    free(path);
    free(scaled);
    free(tensors);
    free(metadata);
    safetensors_close(file);
}

static void check_changed(const char *folder, const struct change *change, int status, const char *part)
{
    write_changed(folder, "changed", change);
    struct program_result result = run("verify", folder);
    check_contains(result.out, part);
    assert_int_equal(result.exit_status, status);
    program_free(&result);
}

static void test_wrong_values_fail(void **state)
{
    check_changed(*state, &(struct change){0}, 0, "1 passed, 0 failed, 0 skipped");
    check_changed(*state, &(struct change){.scaled = "out.y"}, 1, "FAIL  out.y");
    check_changed(*state, &(struct change){.scaled = "grad.w3"}, 1, "FAIL  grad.w3");
    check_changed(*state, &(struct change){.scaled = "param.w1"}, 1, "0 passed, 1 failed, 0 skipped");
    check_changed(*state, &(struct change){.extra = "out.z"}, 1, "'out.z' is not one");
    check_changed(*state, &(struct change){.extra = "grad.z"}, 1, "'grad.z' is not one");
}

static void test_unknown_kinds_are_skipped(void **state)
{
    check_changed(*state, &(struct change){.key = "kind", .value = "\"later\""}, 0,
                  "0 passed, 0 failed, 1 skipped");
}

static void test_wrong_metadata_fail(void **state)
{
    static const struct {
        const char *key, *value, *part;
    } cases[] = {
        {"kind", "7", "no text 'kind'"},
        {"kind", "vittt_layer", "not JSON"},
        {"shape", "{}", "shape.batch"},
        {"shape", "[1, 2]", "shape.batch"},
        {"shape", "{\"batch\":2,\"h\":5,\"w\":4,\"dim\":24,\"heads\":5}", "not a multiple"},
        {"shape", "{\"batch\":2,\"h\":4,\"w\":4,\"dim\":24,\"heads\":3}", "has not the shape (2, 16, 24)"},
        {"shape", "{\"batch\":2,\"h\":5,\"w\":4,\"dim\":24,\"heads\":4}", "has not the shape"},
        {"shape", "{\"batch\":2,\"h\":1e9,\"w\":4,\"dim\":24,\"heads\":3}", "shape.h"},
        {"shape", "{\"batch\":65536,\"h\":65536,\"w\":65536,\"dim\":65536,\"heads\":1}", "has not the shape"},
        {"variant", "{}", "variant.update"},
        {"variant", "null", "variant.update"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_changed(*state, &(struct change){.key = cases[i].key, .value = cases[i].value}, 1,
                      cases[i].part);
}

/* Copies of every golden file with bytes changed, mostly in the header, and cut short: each is right or
 * wrong, and the run reaches its end. */
static void test_damaged_files_never_crash(void **state)
{
    enum { COPIES = 12 };
    ttt_random random = ttt_random_start(1, TTT_RANDOM_TEST, 0, 0);
    DIR *golden = opendir(TEST_GOLDEN);
    assert_non_null(golden);
    int written = 0;
    for (struct dirent *entry; (entry = readdir(golden));) {
        if (!strstr(entry->d_name, ".safetensors"))
            continue;
        char *path = temporary_path(TEST_GOLDEN, "%s", entry->d_name), name[300];
        for (int copy = 0; copy < COPIES; copy++) {
            size_t size;
            uint8_t *bytes = temporary_read(path, &size);
            for (int k = 0; k < 1 + copy / 4; k++)
                bytes[ttt_random_below(&random, copy % 3 ? 1500 : (uint32_t)size)] =
                    (uint8_t)(copy % 2 ? '0' + ttt_random_below(&random, 10) : ttt_random_bits(&random));
            if (copy == COPIES - 1)
                size = ttt_random_below(&random, (uint32_t)size);
            snprintf(name, sizeof name, "%d-%s", copy, entry->d_name);
            temporary_file(*state, name, bytes, size);
            free(bytes);
            written++;
        }
        free(path);
    }
    closedir(golden);
    struct program_result result = run("verify", *state);
    const char *summary = strrchr(result.out, '\n');
    assert_non_null(summary);
    while (summary > result.out && summary[-1] != '\n')
        summary--;
    int passed, failed, skipped;
    assert_int_equal(sscanf(summary, "%d passed, %d failed, %d skipped", &passed, &failed, &skipped), 3);
    assert_int_equal(passed + failed + skipped, written);
    assert_true(failed > written / 2);
    assert_int_equal(result.exit_status, 1);
    program_free(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_vectors_pass),
        cmocka_unit_test(test_only_some_kinds),
        cmocka_unit_test(test_help_lists_the_kinds),
        cmocka_unit_test(test_json),
        temporary_test(test_no_files),
        temporary_test(test_wrong_values_fail),
        temporary_test(test_unknown_kinds_are_skipped),
        temporary_test(test_wrong_metadata_fail),
        temporary_test(test_damaged_files_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
