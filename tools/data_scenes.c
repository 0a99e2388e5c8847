/* Scenes in `ttt data`: making them, and reporting on them. */
#include "tools/data_scenes.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "data/image_write.h"
#include "data/made_folder.h"
#include "data/make_scenes.h"
#include "data/scenes/scene_check.h"
#include "data/scenes/scene_set.h"
#include "tools/data_progress.h"
#include "tools/options.h"
#include "tools/output.h"

enum { MAP_SIZE = 800 };

static void made_one(void *context, int64_t done, int64_t total)
{
    data_progress_draw(context, done, total);
}

ttt_status data_make_scenes(int argc, char **argv)
{
    struct make_scenes_options make = make_scenes_options_default();
    int64_t views = make.views, size = make.size, seed = (int64_t)make.seed, threads = 0;
    const struct option options[] = {
        {"--count", OPTION_WHOLE, &make.count, 2, 1e5}, {"--views", OPTION_WHOLE, &views, 2, 1000},
        {"--size", OPTION_WHOLE, &size, 16, 1024},      {"--seed", OPTION_WHOLE, &seed, 0, 1e15},
        {"--threads", OPTION_WHOLE, &threads, 0, 256},
    };
    int rest;
    TRY(options_read(argc, argv, options, sizeof options / sizeof *options, &rest));
    if (rest != 1)
        return ttt_fail(TTT_ARGUMENT, "make scenes takes one folder: 'ttt data make scenes OUT'");
    struct data_progress progress = data_progress_begin("rendering");
    make.views = (int)views;
    make.size = (int)size;
    make.seed = (uint64_t)seed;
    make.threads = (int)threads;
    make.progress = made_one;
    make.context = &progress;
    TRY(make_scenes(argv[0], &make));
    int64_t val = make_scenes_val_count(make.count);
    printf("%s: %lld scenes of %d views of %dx%d; train.json lists %lld of them, val.json %lld\n", argv[0],
           (long long)make.count, make.views, make.size, make.size, (long long)(make.count - val),
           (long long)val);
    return TTT_OK;
}

/* What the best reading of the poses means for whoever wrote the file. */
static const char *advice(enum axes_reading reading)
{
    switch (reading) {
    case AXES_FLIPPED:
        return "the pictures match with columns 1 and 2 of camera-to-world negated (OpenGL's axes in place "
               "of OpenCV's, or the reverse)";
    case AXES_INVERTED:
        return "the pictures match with the poses inverted (world-to-camera in place of camera-to-world, or "
               "the reverse)";
    case AXES_INVERTED_FLIPPED:
        return "the pictures match with the poses inverted, and columns 1 and 2 negated";
    case AXES_ROLLED:
        return "the pictures match with columns 0 and 1 of camera-to-world negated (PyTorch3D's axes in "
               "place of OpenCV's, or cameras rolled by half a turn)";
    case AXES_TURNED:
        return "the pictures match with columns 0 and 2 of camera-to-world negated (PyTorch3D's axes in "
               "place of OpenGL's, or the reverse)";
    default:
        return "cameras look away from each other's content: their axes meet behind them";
    }
}

static void print_range(const char *name, const struct scene_range *range, const char *unit)
{
    printf("  %-10s", name);
    if (range->smallest == range->largest)
        printf("%.6g", range->smallest);
    else
        printf("%.6g to %.6g, median %.6g", range->smallest, range->largest, range->median);
    printf("%s\n", unit);
}

static void print_scene(const struct scene *scene, const struct scene_check *check)
{
    const struct scene_axes *axes = &check->axes;
    output_clean(scene->path, 0);
    printf("\n  %-10s%u", "views", scene->view_count);
    if (scene->missing)
        printf("; %u left out, whose pictures are missing", scene->missing);
    if (check->distorted)
        printf("; %u with lens distortion, which is taken out", check->distorted);
    putchar('\n');
    print_range("width", &check->width, " pixels");
    print_range("height", &check->height, " pixels");
    print_range("fx", &check->fx, " pixels");
    print_range("fy", &check->fy, " pixels");
    print_range("view", &check->field_of_view, " degrees across");
    printf("  %-10s%.4g x %.4g x %.4g along the world's axes, %.4g between the farthest two\n", "cameras",
           check->box[0], check->box[1], check->box[2], check->extent);
    print_range("baseline", &check->nearest, " to the nearest camera");
    if (check->bad) {
        printf("  bad       %u pictures; the first: ", check->bad);
        output_clean(check->first_bad, 0);
        putchar('\n');
    } else {
        printf("  %-10s%s; patches match with correlation %.2f (flipped %.2f, inverted %.2f, rolled %.2f), "
               "axes of %u pairs meet in front, of %u behind\n",
               "axes",
               axes->suspect       ? "WRONG"
               : axes->by_pictures ? "sound"
                                   : "not contradicted",
               axes->score[AXES_AS_GIVEN], axes->score[AXES_FLIPPED], axes->score[AXES_INVERTED],
               axes->score[AXES_ROLLED], axes->meeting, axes->parting);
    }
    if (axes->suspect)
        printf("  warning   the axes look flipped: %s\n", advice(axes->best));
}

static json_t *range_json(const struct scene_range *range)
{
    return json_pack("{s:f, s:f, s:f}", "smallest", range->smallest, "median", range->median, "largest",
                     range->largest);
}

static json_t *scene_json(const struct scene *scene, const struct scene_check *check)
{
    const struct scene_axes *axes = &check->axes;
    json_t *poses = json_pack("{s:[f, f, f], s:f, s:o}", "box", check->box[0], check->box[1], check->box[2],
                              "extent", check->extent, "nearest", range_json(&check->nearest));
    json_t *judged = json_pack(
        "{s:b, s:b, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:s?}", "suspect", axes->suspect,
        "by_pictures", axes->by_pictures, "as_given", axes->score[AXES_AS_GIVEN], "flipped",
        axes->score[AXES_FLIPPED], "inverted", axes->score[AXES_INVERTED], "inverted_flipped",
        axes->score[AXES_INVERTED_FLIPPED], "rolled", axes->score[AXES_ROLLED], "turned",
        axes->score[AXES_TURNED], "points", (json_int_t)axes->points, "meeting", (json_int_t)axes->meeting,
        "parting", (json_int_t)axes->parting, "warning", axes->suspect ? advice(axes->best) : NULL);
    return json_pack("{s:s%, s:I, s:I, s:I, s:I, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "path",
                     scene->path, strlen(scene->path), "views", (json_int_t)scene->view_count, "missing",
                     (json_int_t)scene->missing, "distorted", (json_int_t)check->distorted, "bad",
                     (json_int_t)check->bad, "first_bad", check->first_bad, "width",
                     range_json(&check->width), "height", range_json(&check->height), "fx",
                     range_json(&check->fx), "fy", range_json(&check->fy), "field_of_view",
                     range_json(&check->field_of_view), "cameras", poses, "axes", judged);
}

static ttt_status draw_map(const struct scene *scene, bool only, uint32_t number, const char *folder)
{
    char path[PATH_MAX];
    struct image map;
    if (only)
        TRY(made_path(path, "%s/%s.png", folder, scene->name));
    else
        TRY(made_path(path, "%s/%05u-%s.png", folder, number, scene->name));
    TRY(scene_map(scene, MAP_SIZE, &map));
    ttt_status status = image_write_png(path, &map);
    image_free(&map);
    return status;
}

/* Reports on every scene; *wrong is how many have something wrong with them. */
static ttt_status check_set(const struct scene_set *set, const struct data_scenes_options *options,
                            json_t *scenes, uint32_t *wrong)
{
    struct data_progress progress = data_progress_begin("checking");
    for (uint32_t i = 0; i < set->count; i++) {
        struct scene_check check;
        const struct scene *scene = &set->scenes[i];
        TRY(scene_check(scene, options->threads, &check));
        *wrong += check.axes.suspect || check.bad;
        ttt_status status = TTT_OK;
        if (scenes)
            status = output_json_append(scenes, scene_json(scene, &check));
        else
            print_scene(scene, &check);
        scene_check_free(&check);
        if (!status && options->maps)
            status = draw_map(scene, set->count + set->skipped == 1, i, options->maps);
        TRY(status);
        data_progress_draw(&progress, i + 1, set->count);
    }
    return TTT_OK;
}

static ttt_status report_json(const struct scene_set *set, const struct data_scenes_options *options,
                              uint32_t *wrong)
{
    json_t *scenes = json_array(), *skipped = json_array();
    ttt_status status = check_set(set, options, scenes, wrong);
    for (uint32_t i = 0; !status && i < set->skipped; i++)
        status = output_json_append(skipped, json_string(set->skipped_lines[i]));
    if (!status)
        return output_json(json_pack("{s:o, s:o}", "scenes", scenes, "skipped", skipped));
    json_decref(scenes);
    json_decref(skipped);
    return status;
}

static ttt_status report_text(const struct scene_set *set, const struct data_scenes_options *options,
                              uint32_t *wrong)
{
    TRY(check_set(set, options, NULL, wrong));
    for (uint32_t i = 0; i < set->skipped; i++) {
        fputs("skipped   ", stdout);
        output_clean(set->skipped_lines[i], 0);
        putchar('\n');
    }
    printf("%u scene%s, %u skipped", set->count, set->count == 1 ? "" : "s", set->skipped);
    if (options->maps) {
        fputs("; maps of the cameras in ", stdout);
        output_clean(options->maps, 0);
    }
    putchar('\n');
    return TTT_OK;
}

ttt_status data_check_scenes(const char *path, const struct data_scenes_options *options)
{
    const struct scene_set_options open = {.scene = {.leave_out_missing = options->skip_missing},
                                           .threads = options->threads};
    struct scene_set set;
    uint32_t wrong = 0;
    TRY(scene_set_open(path, &open, &set));
    ttt_status status = options->maps ? made_folder_create(options->maps) : TTT_OK;
    if (!status)
        status = options->json ? report_json(&set, options, &wrong) : report_text(&set, options, &wrong);
    uint32_t skipped = set.skipped, total = set.count + set.skipped;
    scene_set_free(&set);
    if (status || wrong + skipped == 0)
        return status;
    return ttt_fail(TTT_IO, "something is wrong with %u of %u scenes", wrong + skipped, total);
}
