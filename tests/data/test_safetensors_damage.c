/* Safetensors: every broken rule of the format is refused by name; damaged bytes never crash the reader. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/safetensors.h"
#include "tests/support/check.h"
#include "tests/support/temporary.h"
#include "ttt/base/random.h"

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

static void put_file(const void *bytes, size_t n)
{
    temporary_file(folder, "file.safetensors", bytes, n);
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
    assert_memory_equal(ttt_status_text(status), path, strlen(path));
    assert_null(strchr(ttt_status_text(status), '\n'));
    check_error(status, code, text);
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
        check_ok(safetensors_open(path, &file));
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

static void write_sample(void)
{
    static const float weights[6] = {1, -2, 3.5f, 0, 5, 6};
    static const uint8_t letters[3] = {7, 0, 255};
    static const double scalar = 0.1;
    const safetensors_tensor tensors[] = {
        {.name = "blocks.0.weight", .dtype = SAFETENSORS_F32, .rank = 2, .shape = {2, 3}, .data = weights},
        {.name = "letters", .dtype = SAFETENSORS_U8, .rank = 1, .shape = {3}, .data = letters},
        {.name = "scalar", .dtype = SAFETENSORS_F64, .rank = 0, .data = &scalar},
        {.name = "empty", .dtype = SAFETENSORS_BF16, .rank = 3, .shape = {4, 0, 2}, .data = NULL},
    };
    const safetensors_metadata strings[] = {{"step", "12"}, {"note", "a \"b\"\n\t\xe2\x82\xac"}};
    check_ok(safetensors_write(path, tensors, 4, strings, 2));
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
    unsigned char *bytes = temporary_read(path, &n);
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
    unsigned char *bytes = temporary_read(path, &n);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_headers),
        cmocka_unit_test(broken_headers),
        cmocka_unit_test(broken_frames),
        cmocka_unit_test(deep_nesting),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(mutations_never_crash),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
