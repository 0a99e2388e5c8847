/* ttt data: makes the embedded sets, and checks folders of pictures and scenes. */
#include <stdio.h>
#include <string.h>

#include "data/check.h"
#include "data/make_pictures.h"
#include "data/scenes/scene_set.h"
#include "tools/command.h"
#include "tools/data_check.h"
#include "tools/data_progress.h"
#include "tools/data_scenes.h"
#include "tools/options.h"
#include "train/config/text.h"

static const char help[] =
    "usage: ttt data make pictures OUT [--classes 10] [--train 2000] [--val 500] [--size 64] [--seed 0]\n"
    "                              [--threads 0]\n"
    "       ttt data make scenes OUT [--count 100] [--views 24] [--size 64] [--seed 0] [--threads 0]\n"
    "       ttt data check PATH [--threads 0] [--json] [--maps cameras] [--skip-missing]\n\n"
    "make pictures  renders a set of pictures to train on: textured solids with light and shadow, as JPEG\n"
    "               files OUT/train/CLASS/*.jpeg and OUT/val/CLASS/*.jpeg; the class is the solid.\n"
    "  --classes N    solids, 2 to 16\n"
    "  --train N      pictures to train on, over all classes\n"
    "  --val N        pictures to evaluate on\n"
    "make scenes    renders posed scenes of several solids for view synthesis: "
    "OUT/00000/opencv_cameras.json\n"
    "               with its pictures, and so on; OUT/train.json and OUT/val.json list them, one in ten for\n"
    "               validation.\n"
    "  --count N      scenes, 2 to 100000\n"
    "  --views N      pictures of each, 2 to 1000\n"
    "For both sets the same options give the same files, whatever the machine's number of threads; a call "
    "that\n"
    "was interrupted can be repeated.\n"
    "  --size N       side of a picture in pixels, 16 to 1024\n"
    "  --seed N       another seed, another set\n"
    "  --threads N    0: one for each core\n\n"
    "check          decodes every picture of PATH/train and PATH/val (or of the class folders in PATH "
    "itself)\n"
    "               and reports counts, sizes, kinds, every bad file and every file with faults that were "
    "got\n"
    "               over.  Where PATH is a scene (opencv_cameras.json, transforms.json, Blender's\n"
    "               transforms_train.json, or a folder with one) or a list of scenes (a folder of them, a "
    "JSON\n"
    "               array or a text file of paths) it reports views, focal lengths and poses, judges "
    "whether\n"
    "               the cameras' axes fit the pictures, and draws the cameras from above.\n"
    "  --json         as one object\n"
    "  --maps DIR     scenes: the folder of the drawings; 'none' draws none\n"
    "  --skip-missing scenes: leave out views whose picture is missing, instead of an error\n"
    "Exit status of check: 0 all is well, 1 some pictures or scenes are bad, 2 PATH is no such thing.\n\n"
    "examples:\n"
    "  ttt data make pictures pictures\n"
    "  ttt data make pictures big --classes 16 --train 20000 --val 2000 --size 128 --seed 7\n"
    "  ttt data make scenes scenes --count 200 --views 32\n"
    "  ttt data check pictures\n"
    "  ttt data check scenes/val.json\n";

static void made_one(void *context, int64_t done, int64_t total)
{
    data_progress_draw(context, done, total);
}

static void checked_one(void *context, uint64_t done, uint64_t total)
{
    data_progress_draw(context, (int64_t)done, (int64_t)total);
}

static ttt_status make_picture_set(int argc, char **argv)
{
    struct make_pictures_options make = make_pictures_options_default();
    int64_t classes = make.classes, size = make.size, seed = (int64_t)make.seed, threads = 0;
    const struct option options[] = {
        {"--classes", OPTION_WHOLE, &classes, 2, 16}, {"--train", OPTION_WHOLE, &make.train, 1, 1e7},
        {"--val", OPTION_WHOLE, &make.val, 1, 1e7},   {"--size", OPTION_WHOLE, &size, 16, 1024},
        {"--seed", OPTION_WHOLE, &seed, 0, 1e15},     {"--threads", OPTION_WHOLE, &threads, 0, 1024},
    };
    int rest;
    TRY(options_read(argc, argv, options, sizeof options / sizeof *options, &rest));
    if (rest != 1)
        return ttt_fail(TTT_ARGUMENT, "make pictures takes one folder: 'ttt data make pictures OUT'");
    struct data_progress progress = data_progress_begin("rendering");
    make.classes = (int)classes;
    make.size = (int)size;
    make.seed = (uint64_t)seed;
    make.threads = (int)threads;
    make.progress = made_one;
    make.context = &progress;
    TRY(make_pictures(argv[0], &make));
    printf("%s: %lld training and %lld validation pictures of %dx%d in %d classes\n", argv[0],
           (long long)make.train, (long long)make.val, make.size, make.size, make.classes);
    return TTT_OK;
}

/* The set's name comes first, before its folder and options; an option before it is one of the pictures'. */
static ttt_status run_make(int argc, char **argv)
{
    int set = 0;
    while (set < argc && strcmp(argv[set], "pictures") && strcmp(argv[set], "scenes"))
        set++;
    if (!argc)
        return ttt_fail(TTT_ARGUMENT,
                        "make what? 'ttt data make pictures OUT' or 'ttt data make scenes OUT'");
    if (set == argc)
        return ttt_fail(TTT_ARGUMENT, "there is no set '%s' to make; there are: pictures, scenes",
                        config_quote(argv[0]).text);
    bool scenes = !strcmp(argv[set], "scenes");
    memmove(argv + set, argv + set + 1, (size_t)(argc - set - 1) * sizeof *argv);
    return scenes ? data_make_scenes(argc - 1, argv) : make_picture_set(argc - 1, argv);
}

static ttt_status check_picture_set(const char *path, int threads, bool json)
{
    struct data_progress progress = data_progress_begin("checking");
    const struct check_options check = {.threads = threads,
                                        .decode = decode_options_default(),
                                        .progress = checked_one,
                                        .context = &progress};
    struct check_result result;
    TRY(check_pictures(path, &check, &result));
    ttt_status status = data_check_report(&result, json);
    check_free(&result);
    return status;
}

static ttt_status run_check(int argc, char **argv)
{
    struct data_scenes_options scenes = {.maps = "cameras"};
    int64_t threads = 0;
    const struct option options[] = {
        {"--json", OPTION_FLAG, &scenes.json, 0, 0},
        {"--threads", OPTION_WHOLE, &threads, 0, 256},
        {"--maps", OPTION_TEXT, &scenes.maps, 0, 0},
        {"--skip-missing", OPTION_FLAG, &scenes.skip_missing, 0, 0},
    };
    int rest;
    TRY(options_read(argc, argv, options, sizeof options / sizeof *options, &rest));
    if (rest != 1)
        return ttt_fail(TTT_ARGUMENT, "check takes one folder: 'ttt data check PATH'");
    if (!scene_set_exists(argv[0]))
        return check_picture_set(argv[0], (int)threads, scenes.json);
    scenes.threads = (int)threads;
    if (!strcmp(scenes.maps, "none"))
        scenes.maps = NULL;
    return data_check_scenes(argv[0], &scenes);
}

static ttt_status run(int argc, char **argv)
{
    if (argc && !strcmp(argv[0], "make"))
        return run_make(argc - 1, argv + 1);
    if (argc && !strcmp(argv[0], "check"))
        return run_check(argc - 1, argv + 1);
    if (!argc)
        return ttt_fail(TTT_ARGUMENT, "'make' or 'check'? 'ttt data --help' says more");
    return ttt_fail(TTT_ARGUMENT, "there is no 'data %s'; there are 'data make' and 'data check'",
                    config_quote(argv[0]).text);
}

const struct command command_data = {
    .name = "data",
    .summary = "make the embedded sets; check pictures and scenes",
    .help = help,
    .run = run,
};
