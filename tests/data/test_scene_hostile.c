/* Bad scene files: one line with file, entry and key; an error when it is the only scene, else skipped. */
#include "tests/support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/scenes/scene_json.h"
#include "data/scenes/scene_set.h"
#include "tests/data/scene_files.h"
#include "tests/support/temporary.h"

#define EYE "[[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]"
#define GOOD "{\"w\":8,\"h\":6,\"fx\":9,\"fy\":9,\"cx\":4,\"cy\":3,\"w2c\":" EYE ",\"file_path\":\"p.png\"}"
/* The second of two entries, with these values. */
#define ENTRY(w, fx, w2c, path)                                                                              \
    "[" GOOD ",\n{\"w\":" w ",\"h\":6,\"fx\":" fx ",\"fy\":9,\"cx\":4,\"cy\":3,\"w2c\":" w2c                 \
    ",\"file_path\":" path "}]"
#define POSE(w2c) ENTRY("8", "9", w2c, "\"p.png\"")
#define PATH(path) ENTRY("8", "9", EYE, path)
#define FRAME(top, frame)                                                                                    \
    "{" top "\"frames\":[{\"file_path\":\"p.png\"," frame "\"transform_matrix\":" EYE "}]}"
/* One camera with a lens. */
#define LENS(key, value)                                                                                     \
    "[{\"w\":8,\"h\":6,\"fx\":9,\"fy\":9,\"cx\":4,\"cy\":3,\"w2c\":" EYE ",\"file_path\":\"p.png\",\"" key   \
    "\":" value "}]"

static const struct scene_set_options SET = {.threads = 1};

static const struct {
    const char *file, *text, *error; /* the error is to contain this, after the file's name */
    ttt_code code;
} CASES[] = {
    {"opencv_cameras.json", "hello", "line 1: is not JSON", TTT_FORMAT},
    {"opencv_cameras.json", "[" GOOD, "line 1: is not JSON", TTT_FORMAT},
    {"opencv_cameras.json", "\"text\"", "is not JSON", TTT_FORMAT},
    {"opencv_cameras.json", "[]", "lists no views: it is an empty list", TTT_FORMAT},
    {"opencv_cameras.json", "[" GOOD ",7]", "entry 1: is not an object", TTT_FORMAT},
    {"opencv_cameras.json", "[{\"w\":8,\"h\":6}]", "entry 0: key 'fx' is missing", TTT_FORMAT},
    {"opencv_cameras.json", "[" GOOD ",{\"w\":8,\"w\":9}]",
     "entry 1: line 1: duplicate object key near '\"w\"'", TTT_FORMAT},
    {"opencv_cameras.json", ENTRY("0", "9", EYE, "\"p.png\""), "entry 1: key 'w' is 0", TTT_FORMAT},
    {"opencv_cameras.json", ENTRY("8.5", "9", EYE, "\"p.png\""), "entry 1: key 'w' is 8.5", TTT_FORMAT},
    {"opencv_cameras.json", ENTRY("9", "9", EYE, "\"p.png\""),
     "entry 1: keys 'w' and 'h': 9x6 in the file, 8x6 in the picture", TTT_FORMAT},
    {"opencv_cameras.json", ENTRY("\"8\"", "9", EYE, "\"p.png\""), "entry 1: key 'w' is not a finite number",
     TTT_FORMAT},
    {"opencv_cameras.json", ENTRY("8", "0", EYE, "\"p.png\""), "entry 1: key 'fx' is 0", TTT_FORMAT},
    {"opencv_cameras.json", ENTRY("8", "-9", EYE, "\"p.png\""), "entry 1: key 'fx' is -9", TTT_FORMAT},
    {"opencv_cameras.json", ENTRY("8", "NaN", EYE, "\"p.png\""), "entry 1: key 'fx' is not a finite number",
     TTT_FORMAT},
    {"opencv_cameras.json", ENTRY("8", "1e999", EYE, "\"p.png\""), "entry 1: line 2: is not JSON",
     TTT_FORMAT},
    {"opencv_cameras.json", POSE("[[1,0,0,NaN],[0,1,0,0],[0,0,1,0],[0,0,0,1]]"),
     "entry 1: key 'w2c': row 0, column 3 is not a finite number", TTT_FORMAT},
    {"opencv_cameras.json", POSE("[[1,0,0,0],[0,-Infinity,0,0],[0,0,1,0],[0,0,0,1]]"),
     "entry 1: key 'w2c': row 1, column 1", TTT_FORMAT},
    {"opencv_cameras.json", POSE("[[0,0,0,0],[0,0,0,0],[0,0,0,0],[0,0,0,1]]"),
     "entry 1: key 'w2c': is singular", TTT_FORMAT},
    {"opencv_cameras.json", POSE("[[2,0,0,0],[0,2,0,0],[0,0,2,0],[0,0,0,1]]"),
     "entry 1: key 'w2c': is no rotation", TTT_FORMAT},
    {"opencv_cameras.json", POSE("[[1,0.5,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]"),
     "entry 1: key 'w2c': is no rotation", TTT_FORMAT},
    {"opencv_cameras.json", POSE("[[-1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]"), "mirrored", TTT_FORMAT},
    {"opencv_cameras.json", POSE("[[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,1,1]]"), "its last row is 0 0 1 1",
     TTT_FORMAT},
    {"opencv_cameras.json", POSE("[[1,0,0,0],[0,1,0,0],[0,0,1,0]]"), "entry 1: key 'w2c' has 3 rows",
     TTT_FORMAT},
    {"opencv_cameras.json", POSE("[[1,0,0],[0,1,0],[0,0,1],[0,0,0]]"), "key 'w2c': row 0 has 3 numbers",
     TTT_FORMAT},
    {"opencv_cameras.json", POSE("7"), "key 'w2c' has 0 rows", TTT_FORMAT},
    {"opencv_cameras.json", PATH("\"none.png\""), "entry 1: key 'file_path': there is no picture 'none.png'",
     TTT_FORMAT},
    {"opencv_cameras.json", PATH("\"/etc/hostname\""), "entry 1: key 'file_path': '/etc/hostname' is not",
     TTT_FORMAT},
    {"opencv_cameras.json", PATH("\"../p.png\""), "entry 1: key 'file_path': '../p.png' is not", TTT_FORMAT},
    {"opencv_cameras.json", PATH("\"a/../../p.png\""), "key 'file_path': 'a/../../p.png' is not", TTT_FORMAT},
    {"opencv_cameras.json", PATH("\"a\\nb.png\""), "there is no picture 'a?b.png'", TTT_FORMAT},
    {"opencv_cameras.json", PATH("\"p\\u0000.png\""), "entry 1: line 2: is not JSON", TTT_FORMAT},
    {"opencv_cameras.json", PATH("\"text.png\""), "entry 1: key 'file_path': ", TTT_FORMAT},
    {"opencv_cameras.json", PATH("3"), "entry 1: key 'file_path' is not a text", TTT_FORMAT},
    {"transforms.json", "{}", "key 'frames' is missing", TTT_FORMAT},
    {"transforms.json", "{\"frames\":{}}", "key 'frames' is not a list", TTT_FORMAT},
    {"transforms.json", "{\"frames\":[]}", "key 'frames' lists no views", TTT_FORMAT},
    {"transforms.json", FRAME("", ""), "entry 0: keys 'fl_x' and 'camera_angle_x' are missing", TTT_FORMAT},
    {"transforms.json", FRAME("\"fl_x\":-3,", ""), "key 'fl_x' is -3", TTT_FORMAT},
    {"transforms.json", FRAME("\"camera_angle_x\":0,", ""), "key 'camera_angle_x' is 0", TTT_FORMAT},
    {"transforms.json", FRAME("\"fl_x\":9,\"h\":7,", ""),
     "entry 0: key 'h': 8x7 in the file, 8x6 in the picture", TTT_FORMAT},
    {"transforms.json", FRAME("\"fl_x\":9,", "\"fl_x\":8,\"fl_x\":9,"), "entry 0: line 1: duplicate",
     TTT_FORMAT},
    {"transforms.json", FRAME("\"fl_x\":9,\"camera_model\":\"OPENCV_FISHEYE\",", ""),
     "key 'camera_model' is 'OPENCV_FISHEYE'", TTT_UNSUPPORTED},
    {"transforms.json", FRAME("\"fl_x\":9,", "\"camera_model\":\"EQUIRECTANGULAR\","),
     "entry 0: key 'camera_model' is 'EQUIRECTANGULAR'", TTT_UNSUPPORTED},
    {"transforms.json", FRAME("\"fl_x\":9,\"k4\":0.1,", ""), "key 'k4'", TTT_UNSUPPORTED},
    {"transforms.json", FRAME("\"fl_x\":9,\"is_fisheye\":true,", ""), "key 'is_fisheye'", TTT_UNSUPPORTED},
    {"transforms.json", FRAME("\"fl_x\":9,\"k1\":\"a\",", ""), "key 'k1' is not a finite number", TTT_FORMAT},
    {"transforms.json", FRAME("\"fl_x\":9,\"distortion_params\":[0,0,0,0.1,0,0],", ""),
     "key 'distortion_params': k4, its fourth number, is 0.1", TTT_UNSUPPORTED},
    {"transforms.json", FRAME("\"fl_x\":9,", "\"distortion_params\":[0.1,0,0,0],"),
     "entry 0: key 'distortion_params' has 4 numbers: must be k1 k2 k3 k4 p1 p2", TTT_FORMAT},
    {"transforms.json", FRAME("\"fl_x\":9,", "\"distortion_params\":[0,NaN,0,0,0,0],"),
     "entry 0: key 'distortion_params': number 1 is not within", TTT_FORMAT},
    {"transforms.json", FRAME("\"fl_x\":9,", "\"distortion_params\":7,"),
     "entry 0: key 'distortion_params' has 0 numbers", TTT_FORMAT},
    {"transforms.json", FRAME("\"fl_x\":9,", "\"distortion\":[0,0.1],"), "entry 0: key 'distortion': this",
     TTT_UNSUPPORTED},
    {"opencv_cameras.json", LENS("distortion_params", "[0,0,0,1,0,0]"), "key 'distortion_params': k4",
     TTT_UNSUPPORTED},
    {"opencv_cameras.json", LENS("distortion", "[0.5,0.2,0,0,0]"), "entry 0: key 'distortion': this",
     TTT_UNSUPPORTED},
    {"opencv_cameras.json", LENS("dist_coeffs", "[[0,0,0,0,0.1]]"), "key 'dist_coeffs'", TTT_UNSUPPORTED},
    {"opencv_cameras.json", LENS("distortion_coefficients", "{\"data\":[0]}"),
     "key 'distortion_coefficients'", TTT_UNSUPPORTED},
};

/* The file as the only scene: its own error, in one line that starts with its path. */
static void check_only(const char *folder, const char *name, ttt_code code, const char *part)
{
    struct scene_set set;
    char *file = temporary_path(folder, "%s", name);
    ttt_status status = scene_set_open(file, &SET, &set);
    assert_ptr_not_equal(status, TTT_OK);
    const char *text = ttt_status_text(status);
    if (strncmp(text, folder, strlen(folder)) || strchr(text, '\n') || !ttt_status_is_mistake(status))
        fail_msg("not one line with the file's name: %s", text);
    check_error(status, code, part);
    free(file);
}

static void bad_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char *root = temporary_folder(), *bad = temporary_path(root, "bad"),
             *good = temporary_path(root, "good");
        struct scene_set set;
        scene_picture(root, "p.png", 8, 6, 0);
        scene_picture(bad, "p.png", 8, 6, 0);
        scene_text(bad, "text.png", "this is no picture");
        temporary_file(bad, CASES[i].file, CASES[i].text, strlen(CASES[i].text));
        check_only(bad, CASES[i].file, CASES[i].code, CASES[i].error);
        scene_write_ring(good, 3, 8, 6);
        check_ok(scene_set_open(root, &SET, &set));
        assert_int_equal(set.count, 1);
        assert_int_equal(set.skipped, 1);
        assert_non_null(strstr(set.skipped_lines[0], CASES[i].error));
        assert_non_null(strstr(set.skipped_lines[0], CASES[i].file));
        scene_set_free(&set);
        free(bad), free(good);
        temporary_remove(root);
    }
}

/* A folder with something of a camera file's name that is no file is a scene that cannot be read. */
static void no_files(void **state)
{
    struct scene_set set;
    char *file = temporary_path(*state, "opencv_cameras.json");
    for (int kind = 0; kind < 4; kind++) {
        int made = kind == 0   ? symlink("nowhere", file)
                   : kind == 1 ? mkfifo(file, 0600)
                   : kind == 2 ? symlink("/dev/zero", file)
                               : mkdir(file, 0700);
        assert_int_equal(made, 0);
        assert_true(scene_set_exists(*state) && scene_set_exists(file) == (kind < 3));
        check_error(scene_set_open(*state, &SET, &set), kind ? TTT_IO : TTT_ARGUMENT,
                    kind ? "opencv_cameras.json: is not a file"
                         : "opencv_cameras.json: there is no such file");
        assert_int_equal(remove(file), 0);
    }
    scene_text(*state, "transforms_train.json", "{\"frames\":[]}");
    scene_text(*state, "transforms_test.json", "{\"frames\":[]}");
    check_error(scene_set_open(*state, &SET, &set), TTT_FORMAT, "key 'frames' lists no views, in any file");
    free(file);
}

/* `count` times `piece`, between `before` and `after`. */
static void write_repeated(const char *folder, const char *before, const char *piece, size_t count,
                           const char *after)
{
    char *text = NULL;
    size_t size, length = strlen(piece);
    FILE *stream = open_memstream(&text, &size);
    fputs(before, stream);
    for (size_t i = 0; i < count; i++)
        fwrite(piece, 1, length, stream);
    fputs(after, stream);
    fclose(stream);
    temporary_file(folder, "opencv_cameras.json", text, size);
    free(text);
}

static void bombs(void **state)
{
    char *file = temporary_path(*state, "opencv_cameras.json");
    struct scene_set set;
    write_repeated(*state, "", "[", 1000000, "");
    check_error(scene_set_open(file, &SET, &set), TTT_FORMAT, "nested deeper");
    write_repeated(*state, "[", "{},", 4000000, "0]");
    check_error(scene_set_open(file, &SET, &set), TTT_FORMAT, "holds more than 3145728 values");
    write_repeated(*state, "[", "0,", 200000, "0]");
    check_error(scene_set_open(file, &SET, &set), TTT_FORMAT, "lists 200001 views, over the limit");
    write_repeated(*state, "[\"", "[[[[{{{{", 100000, "\"]");
    check_error(scene_set_open(file, &SET, &set), TTT_FORMAT, "entry 0: is not an object");
    /* A sparse file of 2 GB, as a list of 10^9 entries would be. */
    FILE *huge = fopen(file, "wb");
    assert_int_equal(fseek(huge, 2000000000, SEEK_SET), 0);
    fputc('0', huge);
    fclose(huge);
    check_error(scene_set_open(file, &SET, &set), TTT_FORMAT, "has 2000000001 bytes, over the limit");
    free(file);
}

/* Every cut of a good file, and a byte changed at every place: right or refused, never a crash. */
static void damage(void **state)
{
    scene_write_ring(*state, 3, 8, 6);
    char *file = temporary_path(*state, "opencv_cameras.json");
    size_t size;
    uint8_t *bytes = temporary_read(file, &size);
    struct scene scene;
    const struct scene_options options = {0};
    for (size_t i = 0; i < size; i++) {
        uint8_t before = bytes[i];
        bytes[i] ^= (uint8_t)(1u << (i % 7));
        temporary_file(*state, "opencv_cameras.json", bytes, i % 3 ? size : i + 1);
        ttt_status status = scene_open(file, &options, &scene);
        assert_true(!status || ttt_status_is_mistake(status));
        ttt_status_free(status);
        scene_free(&scene);
        bytes[i] = before;
    }
    free(bytes);
    free(file);
}

static void small_pictures_and_few_views(void **state)
{
    const struct view_choice choice = {.order = VIEWS_RANDOM, .inputs = 3, .targets = 2};
    const struct scene_set_options patch = {.threads = 1, .least_side = 7},
                                   few = {.threads = 1, .choice = &choice};
    struct scene_set set;
    char *a = temporary_path(*state, "a"), *b = temporary_path(*state, "b");
    scene_write_ring(a, 4, 8, 6);
    check_error(scene_set_open(a, &patch, &set), TTT_ARGUMENT, "8x6 pixels, less than a patch of 7x7");
    check_error(scene_set_open(a, &few, &set), TTT_ARGUMENT,
                "2 target views are wanted, but the scene has 4");
    scene_write_ring(b, 5, 8, 8);
    check_ok(scene_set_open(*state, &patch, &set));
    assert_int_equal(set.count, 1);
    assert_int_equal(set.skipped, 1);
    scene_set_free(&set);
    check_ok(scene_set_open(*state, &few, &set));
    assert_int_equal(set.count, 1);
    assert_string_equal(set.scenes[0].name, "b");
    scene_set_free(&set);
    free(a), free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bad_files), temporary_test(no_files),
                                       temporary_test(bombs), temporary_test(damage),
                                       temporary_test(small_pictures_and_few_views)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
