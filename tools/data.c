/* ttt data: makes the embedded picture set, and checks folders of pictures. */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "data/check.h"
#include "data/make_pictures.h"
#include "tools/command.h"
#include "tools/data_check.h"
#include "tools/options.h"
#include "train/config/text.h"

static const char help[] =
    "usage: ttt data make pictures OUT [--classes 10] [--train 2000] [--val 500] [--size 64] [--seed 0]\n"
    "                              [--threads 0]\n"
    "       ttt data check DIR [--threads 0] [--json]\n\n"
    "make pictures  renders a set of pictures to train on: textured solids with light and shadow, as JPEG\n"
    "               files OUT/train/CLASS/*.jpeg and OUT/val/CLASS/*.jpeg; the class is the solid.\n"
    "               The same options give the same files, whatever the machine's number of threads; a call\n"
    "               that was interrupted can be repeated.\n"
    "  --classes N    solids, 2 to 16\n"
    "  --train N      pictures to train on, over all classes\n"
    "  --val N        pictures to evaluate on\n"
    "  --size N       side in pixels, 16 to 1024\n"
    "  --seed N       another seed, another set\n"
    "  --threads N    0: one for each core\n\n"
    "check          decodes every picture of DIR/train and DIR/val (or of the class folders in DIR itself) "
    "and\n"
    "               reports counts, sizes, kinds, every bad file and every file with faults that were got "
    "over.\n"
    "  --json         as one object\n"
    "Exit status of check: 0 all pictures are good, 1 some are bad, 2 DIR is no such folder.\n\n"
    "examples:\n"
    "  ttt data make pictures pictures\n"
    "  ttt data make pictures big --classes 16 --train 20000 --val 2000 --size 128 --seed 7\n"
    "  ttt data check pictures\n";

/* A line on the terminal that says how far the work is. */
struct progress {
    const char *verb;
    bool shown;
    struct timespec began, drawn;
};

static double seconds_between(struct timespec from, struct timespec to)
{
    return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

static struct progress progress_begin(const char *verb)
{
    struct progress progress = {.verb = verb, .shown = isatty(STDERR_FILENO)};
    clock_gettime(CLOCK_MONOTONIC, &progress.began);
    return progress;
}

static void progress_draw(struct progress *progress, int64_t done, int64_t total)
{
    struct timespec now;
    if (!progress->shown)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    /* Ten times a second are enough for the eye. */
    if (done < total && seconds_between(progress->drawn, now) < 0.1)
        return;
    progress->drawn = now;
    double seconds = seconds_between(progress->began, now);
    double rate = seconds > 0 ? (double)done / seconds : 0;
    fprintf(stderr, "\r%s %lld/%lld  %3.0f%%  %.0f pictures/s  %.0f s left \033[K", progress->verb,
            (long long)done, (long long)total, 100 * (double)done / (double)total, rate,
            rate > 0 ? (double)(total - done) / rate : 0);
    if (done == total)
        fputc('\n', stderr);
}

static void made_one(void *context, int64_t done, int64_t total)
{
    progress_draw(context, done, total);
}

static void checked_one(void *context, uint64_t done, uint64_t total)
{
    progress_draw(context, (int64_t)done, (int64_t)total);
}

static ttt_status run_make(int argc, char **argv)
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
    if (!rest)
        return ttt_fail(TTT_ARGUMENT, "make what? 'ttt data make pictures OUT'");
    if (strcmp(argv[0], "pictures"))
        return ttt_fail(TTT_ARGUMENT, "there is no set '%s' to make; there is: pictures",
                        config_quote(argv[0]).text);
    if (rest != 2)
        return ttt_fail(TTT_ARGUMENT, "make pictures takes one folder: 'ttt data make pictures OUT'");
    struct progress progress = progress_begin("rendering");
    make.classes = (int)classes;
    make.size = (int)size;
    make.seed = (uint64_t)seed;
    make.threads = (int)threads;
    make.progress = made_one;
    make.context = &progress;
    TRY(make_pictures(argv[1], &make));
    printf("%s: %lld training and %lld validation pictures of %dx%d in %d classes\n", argv[1],
           (long long)make.train, (long long)make.val, make.size, make.size, make.classes);
    return TTT_OK;
}

static ttt_status run_check(int argc, char **argv)
{
    bool json = false;
    int64_t threads = 0;
    const struct option options[] = {
        {"--json", OPTION_FLAG, &json, 0, 0},
        {"--threads", OPTION_WHOLE, &threads, 0, 1024},
    };
    int rest;
    TRY(options_read(argc, argv, options, sizeof options / sizeof *options, &rest));
    if (rest != 1)
        return ttt_fail(TTT_ARGUMENT, "check takes one folder: 'ttt data check DIR'");
    struct progress progress = progress_begin("checking");
    const struct check_options check = {.threads = (int)threads,
                                        .decode = decode_options_default(),
                                        .progress = checked_one,
                                        .context = &progress};
    struct check_result result;
    TRY(check_pictures(argv[0], &check, &result));
    ttt_status status = data_check_report(&result, json);
    check_free(&result);
    return status;
}

static ttt_status run(int argc, char **argv)
{
    if (argc && !strcmp(argv[0], "make"))
        return run_make(argc - 1, argv + 1);
    if (argc && !strcmp(argv[0], "check"))
        return run_check(argc - 1, argv + 1);
    if (!argc)
        return ttt_fail(TTT_ARGUMENT, "'make' or 'check'? 'ttt data --help' says more");
    return ttt_fail(TTT_ARGUMENT, "there is no 'data %s'; there are 'data make pictures' and 'data check'",
                    config_quote(argv[0]).text);
}

const struct command command_data = {
    .name = "data",
    .summary = "make the embedded picture set; check folders of pictures",
    .help = help,
    .run = run,
};
