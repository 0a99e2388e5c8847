/* Safetensors: what is written is read back; every broken rule of the format is refused by name; damaged
 * bytes never crash the reader. */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/safetensors.h"
#include "ttt/base/random.h"

static char folder[64], path[96];

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/ttt_safetensors_XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/file.safetensors", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void put_file(const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* A file of a header text and `data_bytes` bytes of data. */
static void put_header(const char *header, size_t length, size_t data_bytes)
{
    unsigned char *bytes = calloc(8 + length + data_bytes, 1);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, header, length);
    put_file(bytes, 8 + length + data_bytes);
    free(bytes);
}

static void assert_refused(ttt_code code, const char *text)
{
    safetensors_file *file;
    ttt_status status = safetensors_open(path, &file);
    assert_null(file);
    assert_non_null(status);
    if (ttt_status_code(status) != code || !strstr(ttt_status_text(status), text) ||
        !strstr(ttt_status_text(status), path) || strchr(ttt_status_text(status), '\n'))
        fail_msg("got '%s' (code %d), wanted '%s' (code %d)", ttt_status_text(status),
                 (int)ttt_status_code(status), text, (int)code);
    ttt_status_free(status);
}

static void assert_ok(ttt_status status)
{
    if (status)
        fail_msg("%s", ttt_status_text(status));
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
    assert_ok(safetensors_write(path, sample, sample_count, strings, 2));
}

static void round_trip(void **state)
{
    (void)state;
    write_sample();
    safetensors_file *file;
    assert_ok(safetensors_open(path, &file));
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
    ttt_status status = safetensors_require(file, "nothing", &none);
    assert_non_null(status);
    assert_non_null(strstr(ttt_status_text(status), "no tensor 'nothing'"));
    ttt_status_free(status);
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
        assert_ok(safetensors_write(path, &tensor, 1, NULL, 0));
        unsigned char prefix[8];
        FILE *f = fopen(path, "rb");
        assert_non_null(f);
        assert_int_equal(fread(prefix, 1, 8, f), 8);
        fclose(f);
        assert_int_equal(prefix[0] % 8, 0);
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

#define TENSOR(dtype, shape, offsets) "{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define F32_OF_2 TENSOR("\"F32\"", "[2]", "[0,8]")

static void sound_headers(void **state)
{
    (void)state;
    const struct {
        const char *header;
        size_t data_bytes;
    } cases[] = {
        {"{}", 0},
        {"{}    ", 0},
        {"{\"a\":" F32_OF_2 "}", 8},
        /* The order of the names says nothing about the order of the bytes. */
        {"{\"b\":" TENSOR("\"U8\"", "[3]", "[8,11]") ",\"a\":" F32_OF_2 "}", 11},
        {"{\"a\":" TENSOR("\"F32\"", "[0]", "[0,0]") ",\"b\":" TENSOR("\"F32\"", "[2,0]", "[0,0]") "}", 0},
        {"{\"__metadata__\":{}}", 0},
        {"{\"a\":" TENSOR("\"U8\"", "[1,1,1,1,1,1,1,1]", "[0,1]") "}", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_header(cases[i].header, strlen(cases[i].header), cases[i].data_bytes);
        safetensors_file *file;
        assert_ok(safetensors_open(path, &file));
        safetensors_close(file);
    }
}

static void broken_headers(void **state)
{
    (void)state;
    const struct {
        const char *header;
        size_t data_bytes;
        const char *error;
    } cases[] = {
        {"", 0, "does not start with '{'"},
        {" {}", 0, "does not start with '{'"},
        {"[]", 0, "does not start with '{'"},
        {"{", 0, "bad JSON"},
        {"{}x", 0, "bad JSON"},
        {"{\"a\":" F32_OF_2 ",\"a\":" F32_OF_2 "}", 8, "duplicate"},
        {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, "duplicate"},
        {"{\"\xff\":" F32_OF_2 "}", 8, "unable to decode byte 0xff"},
        {"{\"a\\u0000b\":" F32_OF_2 "}", 8, "bad JSON"},
        {"{\"a\":3}", 0, "tensor 'a': not an object"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, "needs exactly"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}}", 8, "needs exactly"},
        {"{\"a\":" TENSOR("\"F33\"", "[2]", "[0,8]") "}", 8, "unknown dtype 'F33'"},
        {"{\"a\":" TENSOR("\"f32\"", "[2]", "[0,8]") "}", 8, "unknown dtype 'f32'"},
        {"{\"a\":" TENSOR("4", "[2]", "[0,8]") "}", 8, "dtype is not a string"},
        {"{\"a\":" TENSOR("\"F32\"", "2", "[0,8]") "}", 8, "shape is not an array"},
        {"{\"a\":" TENSOR("\"F32\"", "[-2]", "[0,8]") "}", 8, "dimension 0 is not an integer"},
        {"{\"a\":" TENSOR("\"F32\"", "[2.0]", "[0,8]") "}", 8, "dimension 0 is not an integer"},
        {"{\"a\":" TENSOR("\"F32\"", "[1,\"2\"]", "[0,8]") "}", 8, "dimension 1 is not an integer"},
        {"{\"a\":" TENSOR("\"F32\"", "[true]", "[0,8]") "}", 8, "dimension 0 is not an integer"},
        {"{\"a\":" TENSOR("\"F32\"", "[18446744073709551618]", "[0,8]") "}", 8, "too big integer"},
        {"{\"a\":" TENSOR("\"U8\"", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}", 1, "9 dimensions"},
        {"{\"a\":" TENSOR("\"U8\"", "[4294967296,4294967296]", "[0,0]") "}", 0, "overflows"},
        {"{\"a\":" TENSOR("\"F64\"", "[2305843009213693952]", "[0,0]") "}", 0, "overflows"},
        {"{\"a\":" TENSOR("\"F32\"", "[2]", "[0]") "}", 8, "two increasing integers"},
        {"{\"a\":" TENSOR("\"F32\"", "[2]", "[0,8,16]") "}", 8, "two increasing integers"},
        {"{\"a\":" TENSOR("\"F32\"", "[2]", "[8,0]") "}", 8, "two increasing integers"},
        {"{\"a\":" TENSOR("\"F32\"", "[2]", "[-8,0]") "}", 8, "two increasing integers"},
        {"{\"a\":" TENSOR("\"F32\"", "[2]", "[0.0,8.0]") "}", 8, "two increasing integers"},
        {"{\"a\":" TENSOR("\"F32\"", "[3]", "[0,8]") "}", 8, "span 8 bytes, dtype and shape need 12"},
        {"{\"a\":" TENSOR("\"F32\"", "[2]", "[4,12]") "}", 12, "starts at offset 4 of the data, expected 0"},
        {"{\"a\":" F32_OF_2 ",\"b\":" TENSOR("\"U8\"", "[1]", "[9,10]") "}", 10,
         "offset 9 of the data, expected 8"},
        {"{\"a\":" F32_OF_2 ",\"b\":" F32_OF_2 "}", 8, "offset 0 of the data, expected 8"},
        {"{\"a\":" F32_OF_2 ",\"b\":" TENSOR("\"U8\"", "[4]", "[4,8]") "}", 8,
         "offset 4 of the data, expected 8"},
        {"{\"a\":" F32_OF_2 "}", 9, "bytes after the last tensor: the tensors need 8 bytes, the file has 9"},
        {"{\"a\":" F32_OF_2 "}", 7, "truncated: the tensors need 8 bytes, the file has 7"},
        {"{\"a\":" TENSOR("\"U8\"", "[9223372036854775807]", "[0,9223372036854775807]") "}", 8, "truncated"},
        {"{\"__metadata__\":[]}", 0, "__metadata__ is not an object"},
        {"{\"__metadata__\":{\"epoch\":3}}", 0, "metadata 'epoch' is not a string"},
        {"{\"a\\nb\":3}", 0, "tensor 'a?b'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put_header(cases[i].header, strlen(cases[i].header), cases[i].data_bytes);
        assert_refused(TTT_FORMAT, cases[i].error);
    }
}

static void broken_frames(void **state)
{
    (void)state;
    put_file("", 0);
    assert_refused(TTT_FORMAT, "truncated: 0 bytes");
    put_file("\2\0\0\0\0\0\0", 7);
    assert_refused(TTT_FORMAT, "truncated: 7 bytes");
    put_file("\3\0\0\0\0\0\0\0{}", 10);
    assert_refused(TTT_FORMAT, "truncated: header of 3 bytes, 2 are left");
    put_file("\1\341\365\5\0\0\0\0{}", 10);
    assert_refused(TTT_FORMAT, "header of 100000001 bytes");
    put_file("\377\377\377\377\377\377\377\377{}", 10);
    assert_refused(TTT_FORMAT, "header of 18446744073709551615 bytes");
    unlink(path);
    assert_refused(TTT_IO, "cannot open: No such file");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused(TTT_IO, "not a regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_refused(TTT_IO, "not a regular file");
    unlink(path);
}

static void deep_nesting(void **state)
{
    (void)state;
    const size_t depth = 1000000;
    char *header = malloc(depth + 5);
    assert_non_null(header);
    memcpy(header, "{\"a\":", 5);
    memset(header + 5, '[', depth);
    put_header(header, depth + 5, 0);
    free(header);
    assert_refused(TTT_FORMAT, "depth");
}

static unsigned char *slurp(size_t *n)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    unsigned char *bytes = malloc(*n);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *n, f), *n);
    fclose(f);
    return bytes;
}

/* Opens what stands at `path` and touches every byte that the reader hands out. */
static bool survives(void)
{
    safetensors_file *file;
    ttt_status status = safetensors_open(path, &file);
    if (status) {
        ttt_status_free(status);
        return false;
    }
    unsigned sum = 0;
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const safetensors_tensor *t = safetensors_at(file, i);
        assert_ptr_equal(safetensors_find(file, t->name), t);
        for (size_t b = 0; b < t->bytes; b++)
            sum += ((const unsigned char *)t->data)[b];
    }
    safetensors_close(file);
    return sum != UINT32_MAX;
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    write_sample();
    size_t n;
    unsigned char *bytes = slurp(&n);
    for (size_t length = 0; length < n; length++) {
        put_file(bytes, length);
        assert_false(survives());
    }
    put_file(bytes, n);
    assert_true(survives());
    free(bytes);
}

static void mutations_never_crash(void **state)
{
    (void)state;
    write_sample();
    size_t n;
    unsigned char *bytes = slurp(&n);
    unsigned char *changed = malloc(n + 8);
    assert_non_null(changed);
    ttt_random random = ttt_random_start(1, TTT_RANDOM_TEST, 0, 0);
    const char likely[] = "0123456789-.e\"[]{},:\\ \0\xff";
    int refused = 0;
    for (int round = 0; round < 6000; round++) {
        memcpy(changed, bytes, n);
        uint32_t edits = 1 + ttt_random_below(&random, 4);
        for (uint32_t e = 0; e < edits; e++) {
            size_t at = ttt_random_below(&random, (uint32_t)n);
            changed[at] = ttt_random_below(&random, 2)
                              ? (unsigned char)likely[ttt_random_below(&random, sizeof likely - 1)]
                              : (unsigned char)(changed[at] ^ 1u << ttt_random_below(&random, 8));
        }
        put_file(changed, n);
        refused += !survives();
    }
    /* Most edits hit the header, and most of those must be noticed. */
    assert_true(refused > 3000);
    free(changed);
    free(bytes);
}

static void assert_not_written(const safetensors_tensor *tensors, size_t n,
                               const safetensors_metadata *metadata, size_t m, ttt_code code,
                               const char *text)
{
    ttt_status status = safetensors_write(path, tensors, n, metadata, m);
    assert_non_null(status);
    if (ttt_status_code(status) != code || !strstr(ttt_status_text(status), text))
        fail_msg("got '%s', wanted '%s'", ttt_status_text(status), text);
    ttt_status_free(status);
}

static void writer_refuses(void **state)
{
    (void)state;
    unlink(path);
    safetensors_tensor two[2] = {sample[0], sample[0]};
    assert_not_written(two, 2, NULL, 0, TTT_ARGUMENT, "given twice");
    two[1].name = "__metadata__";
    assert_not_written(two, 2, NULL, 0, TTT_ARGUMENT, "reserved");
    two[1].name = "\xff";
    assert_not_written(two, 2, NULL, 0, TTT_ARGUMENT, "UTF-8");
    two[1].name = "b";
    two[1].rank = 9;
    assert_not_written(two, 2, NULL, 0, TTT_SHAPE, "rank 9");
    two[1].rank = 2;
    two[1].shape[0] = -1;
    assert_not_written(two, 2, NULL, 0, TTT_SHAPE, "negative or overflows");
    two[1].shape[0] = two[1].shape[1] = INT64_MAX / 2;
    assert_not_written(two, 2, NULL, 0, TTT_SHAPE, "negative or overflows");
    const safetensors_metadata twice[2] = {{"k", "1"}, {"k", "2"}}, bad = {"k", "\xff"};
    assert_not_written(NULL, 0, twice, 2, TTT_ARGUMENT, "given twice");
    assert_not_written(NULL, 0, &bad, 1, TTT_ARGUMENT, "UTF-8");
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
    assert_non_null(status);
    assert_int_equal(ttt_status_code(status), TTT_IO);
    assert_non_null(strstr(ttt_status_text(status), "bytes are needed"));
    ttt_status_free(status);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void unwritable_place_is_reported(void **state)
{
    (void)state;
    const safetensors_tensor none = {0};
    ttt_status status = safetensors_write("/nowhere/file.safetensors", &none, 0, NULL, 0);
    assert_non_null(status);
    assert_int_equal(ttt_status_code(status), TTT_IO);
    assert_non_null(
        strstr(ttt_status_text(status), "/nowhere/file.safetensors: cannot create: No such file"));
    ttt_status_free(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(header_is_padded_to_eight),
        cmocka_unit_test(conversion),
        cmocka_unit_test(dtypes_map_both_ways),
        cmocka_unit_test(sound_headers),
        cmocka_unit_test(broken_headers),
        cmocka_unit_test(broken_frames),
        cmocka_unit_test(deep_nesting),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(mutations_never_crash),
        cmocka_unit_test(writer_refuses),
        cmocka_unit_test(full_disk_is_reported),
        cmocka_unit_test(unwritable_place_is_reported),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
