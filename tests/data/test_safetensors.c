/* Safetensors: what is written is read back to the bit; what cannot be written is refused. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "data/safetensors.h"
#include "tests/support/check.h"
#include "tests/support/temporary.h"

static char *folder, *path;

static int make_folder(void **state)
{
    (void)state;
    folder = temporary_folder();
    path = temporary_path(folder, "file.safetensors");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    free(path);
    temporary_remove(folder);
    return 0;
}

static const float weights[6] = {1, -2, 3.5f, INFINITY, -0.0f, 1e-40f};
static const uint8_t letters[3] = {7, 0, 255};
static const double scalar = 0.1;
static const int64_t large[2] = {INT64_MIN, INT64_MAX};
static const safetensors_tensor sample[] = {
    {.name = "blocks.0.weight", .dtype = SAFETENSORS_F32, .rank = 2, .shape = {2, 3}, .data = weights},
    {.name = "letters", .dtype = SAFETENSORS_U8, .rank = 1, .shape = {3}, .data = letters},
    {.name = "scalar", .dtype = SAFETENSORS_F64, .rank = 0, .data = &scalar},
    {.name = "empty \xc3\xa9", .dtype = SAFETENSORS_BF16, .rank = 3, .shape = {4, 0, 2}, .data = NULL},
    {.name = "large", .dtype = SAFETENSORS_I64, .rank = 1, .shape = {2}, .data = large},
};
enum { sample_count = sizeof sample / sizeof sample[0] };
static const safetensors_metadata strings[] = {{"step", "12"}, {"note", "a \"b\"\n\t\xe2\x82\xac"}};

static void write_sample(void)
{
    check_ok(safetensors_write(path, sample, sample_count, strings, 2));
}

static void round_trip(void **state)
{
    (void)state;
    write_sample();
    safetensors_file *file;
    check_ok(safetensors_open(path, &file));
    assert_string_equal(safetensors_path(file), path);
    assert_int_equal(safetensors_count(file), sample_count);
    for (int i = 0; i < sample_count; i++) {
        const safetensors_tensor *t = safetensors_at(file, (size_t)i), *wanted = &sample[i];
        assert_string_equal(t->name, wanted->name);
        assert_ptr_equal(safetensors_find(file, wanted->name), t);
        assert_int_equal(t->dtype, wanted->dtype);
        assert_int_equal(t->rank, wanted->rank);
        assert_memory_equal(t->shape, wanted->shape, sizeof t->shape);
        assert_int_equal((uintptr_t)t->data % 64, 0);
        if (t->bytes)
            assert_memory_equal(t->data, wanted->data, t->bytes);
    }
    assert_int_equal(safetensors_at(file, 3)->count, 0);
    assert_null(safetensors_find(file, "weight"));
    assert_string_equal(safetensors_metadata_get(file, "step"), "12");
    assert_string_equal(safetensors_metadata_get(file, "note"), strings[1].value);
    assert_null(safetensors_metadata_get(file, "steps"));
    const safetensors_tensor *none;
    check_error(safetensors_require(file, "nothing", &none), TTT_FORMAT, "no tensor 'nothing'");
    safetensors_close(file);
}

static void header_is_padded_to_eight(void **state)
{
    (void)state;
    for (int length = 1; length < 18; length++) {
        char name[32] = {0};
        memset(name, 'n', (size_t)length);
        safetensors_tensor tensor = sample[0];
        tensor.name = name;
        check_ok(safetensors_write(path, &tensor, 1, NULL, 0));
        size_t n;
        uint8_t *bytes = temporary_read(path, &n);
        assert_int_equal(bytes[0] % 8, 0);
        assert_int_equal(n, 8 + bytes[0] + sizeof weights);
        free(bytes);
    }
}

static void conversion(void **state)
{
    (void)state;
    const uint16_t half[5] = {0x3c00, 0xc500, 0x0001, 0x7c00, 0x3555};
    const uint16_t brain[2] = {0x3f80, 0xc0a0};
    const int32_t whole[2] = {-7, 123456789};
    const struct {
        safetensors_tensor tensor;
        double wanted[6];
    } cases[] = {
        {{.dtype = SAFETENSORS_F16, .count = 5, .data = half}, {1, -5, 0x1p-24, INFINITY, 0x1.554p-2}},
        {{.dtype = SAFETENSORS_BF16, .count = 2, .data = brain}, {1, -5}},
        {{.dtype = SAFETENSORS_I32, .count = 2, .data = whole}, {-7, 123456789}},
        {{.dtype = SAFETENSORS_I64, .count = 2, .data = large}, {-0x1p63, 0x1p63}},
        {{.dtype = SAFETENSORS_U8, .count = 3, .data = letters}, {7, 0, 255}},
        {{.dtype = SAFETENSORS_F64, .count = 1, .bytes = 8, .data = &scalar}, {0.1}},
        {{.dtype = SAFETENSORS_F32, .count = 6, .bytes = 24, .data = weights},
         {1, -2, 3.5, INFINITY, 0, 1e-40f}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        double doubles[6];
        float floats[6];
        safetensors_to_f64(&cases[c].tensor, doubles);
        safetensors_to_f32(&cases[c].tensor, floats);
        for (int i = 0; i < cases[c].tensor.count; i++) {
            assert_true(doubles[i] == cases[c].wanted[i]);
            assert_true(floats[i] == (float)cases[c].wanted[i]);
        }
    }
    /* Longer than one part of the float conversion. */
    double many[1300];
    float out[1300];
    for (int i = 0; i < 1300; i++)
        many[i] = i * 0.25;
    const safetensors_tensor tensor = {
        .dtype = SAFETENSORS_F64, .count = 1300, .bytes = sizeof many, .data = many};
    safetensors_to_f32(&tensor, out);
    for (int i = 0; i < 1300; i++)
        assert_true(out[i] == (float)many[i]);
}

static void dtypes_map_both_ways(void **state)
{
    (void)state;
    const ttt_dtype all[] = {TTT_F32, TTT_BF16, TTT_F64, TTT_I32, TTT_U8};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(safetensors_to_dtype(safetensors_from_dtype(all[i])), all[i]);
        assert_int_equal(safetensors_dtype_size(safetensors_from_dtype(all[i])), ttt_dtype_size(all[i]));
    }
    assert_int_equal(safetensors_to_dtype(SAFETENSORS_F16), 0);
    assert_int_equal(safetensors_to_dtype(SAFETENSORS_I64), 0);
}

static void writer_refuses(void **state)
{
    (void)state;
    unlink(path);
    safetensors_tensor two[2] = {sample[0], sample[0]};
    check_error(safetensors_write(path, two, 2, NULL, 0), TTT_ARGUMENT, "given twice");
    two[1].name = "__metadata__";
    check_error(safetensors_write(path, two, 2, NULL, 0), TTT_ARGUMENT, "reserved");
    two[1].name = "\xff";
    check_error(safetensors_write(path, two, 2, NULL, 0), TTT_ARGUMENT, "UTF-8");
    two[1].name = "b";
    two[1].rank = 9;
    check_error(safetensors_write(path, two, 2, NULL, 0), TTT_SHAPE, "rank 9");
    two[1].rank = 2;
    two[1].shape[0] = -1;
    check_error(safetensors_write(path, two, 2, NULL, 0), TTT_SHAPE, "negative or overflows");
    two[1].shape[0] = two[1].shape[1] = INT64_MAX / 2;
    check_error(safetensors_write(path, two, 2, NULL, 0), TTT_SHAPE, "negative or overflows");
    const safetensors_metadata twice[2] = {{"k", "1"}, {"k", "2"}}, bad = {"k", "\xff"};
    check_error(safetensors_write(path, NULL, 0, twice, 2), TTT_ARGUMENT, "given twice");
    check_error(safetensors_write(path, NULL, 0, &bad, 1), TTT_ARGUMENT, "UTF-8");
    assert_int_not_equal(access(path, F_OK), 0);
}

static void full_disk_is_reported(void **state)
{
    (void)state;
    unlink(path);
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    static const float big[4096];
    const safetensors_tensor tensor = {"big", SAFETENSORS_F32, 1, {4096}, 0, 0, big};
    ttt_status status = safetensors_write(path, &tensor, 1, NULL, 0);
    setrlimit(RLIMIT_FSIZE, &old);
    check_error(status, TTT_IO, "bytes are needed");
    assert_int_not_equal(access(path, F_OK), 0);
}

static void unwritable_place_is_reported(void **state)
{
    (void)state;
    const safetensors_tensor none = {0};
    check_error(safetensors_write("/nowhere/file.safetensors", &none, 0, NULL, 0), TTT_IO,
                "/nowhere/file.safetensors: cannot create: No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(header_is_padded_to_eight),
        cmocka_unit_test(conversion),
        cmocka_unit_test(dtypes_map_both_ways),
        cmocka_unit_test(writer_refuses),
        cmocka_unit_test(full_disk_is_reported),
        cmocka_unit_test(unwritable_place_is_reported),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
