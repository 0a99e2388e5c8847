/* Films: animated WebP, and what goes to ffmpeg and comes back from it. */
#include "tests/support/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/video.h"
#include "tests/support/temporary.h"

enum { FRAMES = 6 };

struct place {
    char *folder, *path; /* PATH as it was */
};

static int make_place(void **state)
{
    struct place *place = check_alloc(1, sizeof *place);
    place->folder = temporary_folder();
    place->path = strdup(getenv("PATH"));
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    setenv("PATH", place->path, 1);
    temporary_remove(place->folder);
    free(place->path);
    free(place);
    return 0;
}

/* A program FOLDER/ffmpeg, first in PATH. */
static void install_ffmpeg(const struct place *place, const char *script)
{
    char *file = temporary_path(place->folder, "ffmpeg"), *path;
    temporary_file(place->folder, "ffmpeg", script, strlen(script));
    assert_int_equal(chmod(file, 0755), 0);
    assert_true(asprintf(&path, "%s:%s", place->folder, place->path) > 0);
    setenv("PATH", path, 1);
    free(path);
    free(file);
}

static struct image frame(int number, int width, int height)
{
    struct image image;
    check_ok(image_new(width, height, 3, &image));
    for (int i = 0; i < width * height * 3; i++)
        image.pixels[i] = (uint8_t)(i * 7 + number * 40);
    return image;
}

static ttt_status add_frames(struct video *video, int width, int height)
{
    for (int i = 0; i < FRAMES; i++) {
        struct image image = frame(i, width, height);
        ttt_status status = video_add(video, &image);
        image_free(&image);
        TRY(status);
    }
    return TTT_OK;
}

static bool folder_has(const struct place *place, const char *name)
{
    char *path = temporary_path(place->folder, "%s", name);
    bool has = access(path, F_OK) == 0;
    free(path);
    return has;
}

static void webp(void **state)
{
    const struct place *place = *state;
    struct video *video;
    char *stem = temporary_path(place->folder, "film");
    check_ok(video_open(stem, VIDEO_WEBP, 33, 20, 10, &video));
    check_ok(add_frames(video, 33, 20));
    assert_false(folder_has(place, "film.webp"));
    char *path = strdup(video_path(video));
    check_ok(video_close(video));
    size_t size;
    uint8_t *bytes = temporary_read(path, &size);
    assert_memory_equal(bytes, "RIFF", 4);
    assert_memory_equal(bytes + 8, "WEBPVP8X", 8);
    /* The canvas is stored less one, in three bytes a side, after chunk size and flags. */
    assert_int_equal(bytes[24] | bytes[25] << 8, 32);
    assert_int_equal(bytes[27] | bytes[28] << 8, 19);
    int frames = 0, milliseconds = 0;
    for (size_t at = 12; at + 8 <= size;) {
        uint32_t length =
            (uint32_t)bytes[at + 4] | (uint32_t)bytes[at + 5] << 8 | (uint32_t)bytes[at + 6] << 16;
        if (!memcmp(bytes + at, "ANMF", 4)) {
            frames++;
            milliseconds += bytes[at + 20] | bytes[at + 21] << 8;
        }
        at += 8 + length + length % 2;
    }
    assert_int_equal(frames, FRAMES);
    assert_int_equal(milliseconds, FRAMES * 100);
    free(bytes), free(path), free(stem);
}

/* A stand-in that keeps what it is given: arguments, and pictures with an even number of rows and columns. */
static void pictures_reach_ffmpeg(void **state)
{
    const struct place *place = *state;
    struct video *video;
    size_t size;
    char *stem = temporary_path(place->folder, "film"), *log = temporary_path(place->folder, "arguments");
    install_ffmpeg(
        place,
        "#!/bin/sh\necho \"$@\" > \"$(dirname \"$0\")/arguments\"\nfor last; do :; done\ncat > \"$last\"\n");
    assert_true(video_has_ffmpeg());
    check_ok(video_open(stem, VIDEO_AUTO, 5, 3, 24, &video));
    check_ok(add_frames(video, 5, 3));
    char *path = strdup(video_path(video));
    check_ok(video_close(video));
    uint8_t *bytes = temporary_read(path, &size);
    assert_int_equal(size, FRAMES * 6 * 4 * 3);
    for (int i = 0; i < FRAMES; i++) {
        struct image expected = frame(i, 5, 3);
        for (int y = 0; y < 4; y++)
            for (int x = 0; x < 6; x++)
                assert_memory_equal(bytes + ((i * 4 + y) * 6 + x) * 3,
                                    image_at(&expected, x < 5 ? x : 4, y < 3 ? y : 2), 3);
        image_free(&expected);
    }
    free(bytes);
    bytes = temporary_read(log, &size);
    bytes[size - 1] = '\0';
    assert_non_null(strstr((char *)bytes, "-pix_fmt rgb24 -s 6x4 -r 24 -i -"));
    free(bytes), free(path), free(stem), free(log);
}

static void failures_of_ffmpeg(void **state)
{
    const struct place *place = *state;
    struct video *video;
    char *stem = temporary_path(place->folder, "film");
    install_ffmpeg(place, "#!/bin/sh\ncat > /dev/null\necho 'no such encoder' >&2\necho more >&2\nexit 1\n");
    check_ok(video_open(stem, VIDEO_MP4, 8, 8, 24, &video));
    check_ok(add_frames(video, 8, 8));
    check_error(video_close(video), TTT_IO, "film.mp4: ffmpeg failed: no such encoder");
    assert_false(folder_has(place, "film.mp4"));
    /* One that ends without reading: noticed at the latest at the end, and no signal ends this program. */
    install_ffmpeg(place, "#!/bin/sh\necho 'disk full' >&2\nexit 1\n");
    check_ok(video_open(stem, VIDEO_MP4, 640, 480, 24, &video));
    ttt_status status = add_frames(video, 640, 480);
    assert_true(!status || ttt_status_code(status) == TTT_IO);
    ttt_status_free(status);
    check_error(video_close(video), TTT_IO, "ffmpeg failed: disk full");
    free(stem);
}

static void without_ffmpeg(void **state)
{
    const struct place *place = *state;
    struct video *video;
    char *stem = temporary_path(place->folder, "film");
    setenv("PATH", place->folder, 1);
    assert_false(video_has_ffmpeg());
    check_error(video_open(stem, VIDEO_MP4, 8, 8, 24, &video), TTT_UNSUPPORTED, "ffmpeg is not installed");
    check_ok(video_open(stem, VIDEO_AUTO, 8, 8, 24, &video));
    check_ok(add_frames(video, 8, 8));
    check_ok(video_close(video));
    assert_true(folder_has(place, "film.webp"));
    free(stem);
}

static void mistakes(void **state)
{
    const struct place *place = *state;
    struct video *video;
    char *stem = temporary_path(place->folder, "film"), *nowhere = temporary_path(place->folder, "no/film");
    check_error(video_open(stem, VIDEO_WEBP, 0, 8, 24, &video), TTT_ARGUMENT, "0x8 pixels");
    check_error(video_open(stem, VIDEO_WEBP, 8, 8, 0, &video), TTT_ARGUMENT, "0 pictures a second");
    check_ok(video_open(stem, VIDEO_WEBP, 8, 8, 24, &video));
    check_error(video_close(video), TTT_ARGUMENT, "at least one picture");
    check_ok(video_open(stem, VIDEO_WEBP, 8, 8, 24, &video));
    struct image wide = frame(0, 9, 8);
    check_error(video_add(video, &wide), TTT_SHAPE, "9x8x3 in a film of 8x8x3");
    image_free(&wide);
    video_cancel(video);
    check_ok(video_open(nowhere, VIDEO_WEBP, 8, 8, 24, &video));
    check_ok(add_frames(video, 8, 8));
    check_error(video_close(video), TTT_IO, "no/film.webp");
    install_ffmpeg(place, "#!/bin/sh\ncat > /dev/null\n");
    check_ok(video_open(stem, VIDEO_MP4, 8, 8, 24, &video));
    video_cancel(video);
    video_cancel(NULL);
    assert_false(folder_has(place, "film.mp4") || folder_has(place, "film.webp"));
    free(stem), free(nowhere);
}

static void real_ffmpeg(void **state)
{
    const struct place *place = *state;
    struct video *video;
    size_t size;
    if (!video_has_ffmpeg()) {
        print_message("skipped: ffmpeg is not installed\n");
        skip();
    }
    char *stem = temporary_path(place->folder, "film");
    check_ok(video_open(stem, VIDEO_MP4, 33, 21, 10, &video));
    check_ok(add_frames(video, 33, 21));
    char *path = strdup(video_path(video));
    check_ok(video_close(video));
    uint8_t *bytes = temporary_read(path, &size);
    assert_true(size > 100);
    assert_memory_equal(bytes + 4, "ftyp", 4);
    free(bytes), free(path), free(stem);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(webp),
                                       TEST(pictures_reach_ffmpeg),
                                       TEST(failures_of_ffmpeg),
                                       TEST(without_ffmpeg),
                                       TEST(mistakes),
                                       TEST(real_ffmpeg)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
