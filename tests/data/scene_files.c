/* Scenes that tests write. */
#include "tests/data/scene_files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data/image_write.h"
#include "tests/support/check.h"
#include "tests/support/temporary.h"

void scene_picture(const char *folder, const char *name, int width, int height, int seed)
{
    mkdir(folder, 0777);
    struct image image;
    uint8_t *bytes;
    size_t size;
    check_ok(image_new(width, height, 3, &image));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                image_at(&image, x, y)[c] = (uint8_t)(127 + 100 * sin(0.2 * x + 0.1 * (c + 1) * y + seed));
    check_ok(png_encode(&image, &bytes, &size));
    temporary_file(folder, name, bytes, size);
    free(bytes);
    image_free(&image);
}

struct pose scene_ring_pose(int i, int count)
{
    double angle = 2 * M_PI * i / count, length = sqrt(10);
    const double position[3] = {3 * sin(angle), 1, 3 * cos(angle)}, right[3] = {cos(angle), 0, -sin(angle)};
    struct pose pose = {.m[3][3] = 1};
    double f[3];
    for (int k = 0; k < 3; k++)
        f[k] = -position[k] / length;
    /* Forward, right and up are at right angles: down is forward x right. */
    const double down[3] = {f[1] * right[2] - f[2] * right[1], f[2] * right[0] - f[0] * right[2],
                            f[0] * right[1] - f[1] * right[0]};
    for (int k = 0; k < 3; k++) {
        pose.m[k][0] = right[k];
        pose.m[k][1] = down[k];
        pose.m[k][2] = f[k];
        pose.m[k][3] = position[k];
    }
    return pose;
}

char *scene_pose_text(const struct pose *pose)
{
    char *text;
    const double(*m)[4] = pose->m;
    assert_true(asprintf(&text,
                         "[[%.17g,%.17g,%.17g,%.17g],[%.17g,%.17g,%.17g,%.17g],[%.17g,%.17g,%.17g,%.17g],"
                         "[%.17g,%.17g,%.17g,%.17g]]",
                         m[0][0], m[0][1], m[0][2], m[0][3], m[1][0], m[1][1], m[1][2], m[1][3], m[2][0],
                         m[2][1], m[2][2], m[2][3], m[3][0], m[3][1], m[3][2], m[3][3]) > 0);
    return text;
}

void scene_write_ring(const char *folder, int count, int width, int height)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "%02d.png", i);
        scene_picture(folder, name, width, height, i);
        struct pose pose = scene_ring_pose(i, count), w2c = pose_inverse(&pose);
        char *matrix = scene_pose_text(&w2c);
        fprintf(
            stream,
            "%s{\"w\":%d,\"h\":%d,\"fx\":40,\"fy\":41,\"cx\":%g,\"cy\":%g,\"w2c\":%s,\"file_path\":\"%s\"}",
            i ? ",\n" : "[", width, height, 0.5 * width, 0.5 * height, matrix, name);
        free(matrix);
    }
    fputs("]", stream);
    fclose(stream);
    temporary_file(folder, "opencv_cameras.json", text, size);
    free(text);
}

void scene_text(const char *folder, const char *name, const char *format, ...)
{
    mkdir(folder, 0777);
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    assert_true(length >= 0);
    temporary_file(folder, name, text, (size_t)length);
    free(text);
}
