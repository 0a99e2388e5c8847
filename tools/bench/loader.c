/* ttt bench loader: how fast pictures are read, decoded and transformed. */
#include <stdio.h>
#include <stdlib.h>

#include "data/sample.h"
#include "tools/bench/kinds.h"
#include "tools/bench/measurement.h"
#include "tools/bench/memory.h"
#include "train/classify.h"

/* Pictures of one timed run at most: about a second with one thread at ImageNet's sizes. */
enum { PICTURES = 200 };

/* Rounds, where nobody says how many: as timing.h has it for one kind of work. */
enum { ROUNDS = 10, FEWEST_ROUNDS = 3, SECONDS = 10 };

/* What is done with a picture. */
enum work { TRAIN_CROP, TRAIN_WHOLE, EVALUATE, WORKS };

static const struct {
    const char *name, *text;
} works[WORKS] = {
    [TRAIN_CROP] = {"train crop", "training transform, decoding the crop alone"},
    [TRAIN_WHOLE] = {"train whole", "training transform, decoding everything"},
    [EVALUATE] = {"eval", "evaluation transform"},
};

struct bench {
    const struct bench_options *options;
    struct bench_machine machine;
    struct pictures *set;
    struct sample_options sample[WORKS];
    uint64_t pictures; /* of a run */
};

/* One row of the table. */
struct result {
    enum work work;
    int threads;
    struct bench_times times;
    double done, busy; /* pictures, and seconds that threads spent on them, over all timed runs */
    uint64_t bad;
    int64_t peak;
};

struct run {
    const struct bench *bench;
    struct result *result;
};

static ttt_status read_pictures(void *context)
{
    const struct run *run = context;
    struct sample_rate rate;
    TRY(sample_benchmark(run->bench->set, &run->bench->sample[run->result->work], run->result->threads,
                         run->bench->pictures, &rate));
    run->result->done += (double)rate.pictures;
    run->result->busy += (double)rate.pictures / rate.per_second_per_thread;
    run->result->bad = rate.bad;
    return rate.bad < rate.pictures
               ? TTT_OK
               : ttt_fail(TTT_FORMAT, "%s: none of its pictures can be decoded", run->bench->set->folder);
}

static ttt_status open_pictures(const struct config_data *data, struct pictures **set)
{
    if (!*data->root)
        return ttt_fail(TTT_ARGUMENT,
                        "which pictures? data.root=FOLDER, with one folder per class in it or in "
                        "its folder '%s'",
                        data->train);
    bool inner = pictures_exist(data->root, data->train);
    return pictures_open(data->root, inner ? data->train : "", NULL, set);
}

static ttt_status set_up(struct bench *b, const struct run_config *config)
{
    const struct loader_options loader = classify_loader_options(config);
    TRY(open_pictures(&config->data, &b->set));
    for (int work = 0; work < WORKS; work++) {
        b->sample[work] = loader.sample;
        b->sample[work].train = work != EVALUATE;
        b->sample[work].decode.decode_whole = work == TRAIN_WHOLE;
    }
    b->pictures = b->set->count < PICTURES ? b->set->count : PICTURES;
    return bench_machine_open(&config->device, &b->machine);
}

/* Times each kind of work once. */
static ttt_status time_round(const struct bench *b, struct result *results, double *seconds[WORKS], int round)
{
    for (int work = 0; work < WORKS; work++) {
        struct run run = {b, &results[work]};
        const struct bench_peak before = bench_peak_start(NULL);
        struct bench_times once;
        TRY(bench_time(read_pictures, &run, 0, 1, &once));
        const int64_t peak = bench_peak_end(&before);
        results[work].peak = peak > results[work].peak ? peak : results[work].peak;
        seconds[work][round] = once.median;
    }
    return TTT_OK;
}

/* The kinds of work take turns, so that what else the machine does hits all of them alike. */
static ttt_status time_in_turns(const struct bench *b, struct result *results, double *all, int most)
{
    double *seconds[WORKS] = {all, all + most, all + 2 * most}, spent = 0;
    int runs = b->options->runs, round = 0;
    for (int warmup = 0; warmup < b->options->warmup; warmup++)
        TRY(time_round(b, results, seconds, 0));
    for (int work = 0; work < WORKS; work++)
        results[work].done = results[work].busy = 0;
    for (; round < most && (runs || round < FEWEST_ROUNDS || spent < SECONDS); round++) {
        TRY(time_round(b, results, seconds, round));
        for (int work = 0; work < WORKS; work++)
            spent += seconds[work][round];
    }
    for (int work = 0; work < WORKS; work++)
        results[work].times = bench_times_of(seconds[work], round);
    return TTT_OK;
}

/* Fills results[WORKS]. */
static ttt_status measure(const struct bench *b, int threads, struct result *results)
{
    const int most = b->options->runs ? b->options->runs : ROUNDS;
    double *all = malloc((size_t)most * WORKS * sizeof *all);
    if (!all)
        return ttt_fail(TTT_MEMORY, "no memory for %d times", most);
    for (int work = 0; work < WORKS; work++)
        results[work] = (struct result){.work = (enum work)work, .threads = threads};
    ttt_status status = time_in_turns(b, results, all, most);
    free(all);
    return status;
}

static double speed(const struct bench *b, const struct result *result)
{
    return (double)b->pictures / result->times.median;
}

static ttt_status print_json(const struct bench *b, const struct result *results, int count)
{
    for (int i = 0; i < count; i++) {
        const struct result *r = &results[i];
        char name[64];
        snprintf(name, sizeof name, "loader %s", works[r->work].name);
        const struct bench_measurement m = {
            .name = name, .batch = (int64_t)b->pictures, .times = r->times, .peak_bytes = r->peak};
        json_t *more = json_pack("{s:i, s:f, s:I}", "threads", r->threads, "items_per_second_per_thread",
                                 r->done / r->busy, "bad", (json_int_t)r->bad);
        TRY(bench_measurement_json(&m, &b->machine, more));
    }
    return TTT_OK;
}

/* How much faster crops are decoded than whole pictures, with the threads of the first result. */
static void print_gain(const struct bench *b, const struct result *results)
{
    printf("%d thread%s: decoding the crop alone is %.2fx as fast as decoding everything\n",
           results[0].threads, results[0].threads == 1 ? "" : "s",
           speed(b, &results[TRAIN_CROP]) / speed(b, &results[TRAIN_WHOLE]));
}

static ttt_status print_table(const struct bench *b, const struct result *results, int count)
{
    const struct picture_transform *to = &b->sample[0].transform;
    printf("loader: %llu pictures of %s to %dx%d pixels\n", (unsigned long long)b->pictures, b->set->folder,
           to->width, to->height);
    printf("%-45s %7s %10s %12s %18s %5s\n", "", "threads", "median s", "pictures/s", "per thread-second",
           "bad");
    for (int i = 0; i < count; i++) {
        const struct result *r = &results[i];
        printf("%-45s %7d %10.4f %12.1f %18.1f %5llu\n", works[r->work].text, r->threads, r->times.median,
               speed(b, r), r->done / r->busy, (unsigned long long)r->bad);
    }
    for (int i = 0; i < count; i += WORKS)
        print_gain(b, results + i);
    bench_machine_print(&b->machine);
    return TTT_OK;
}

static ttt_status run_all(struct bench *b, int threads)
{
    struct result results[2 * WORKS] = {0};
    int count = WORKS;
    TRY(measure(b, 1, results));
    if (threads > 1) {
        TRY(measure(b, threads, results + WORKS));
        count += WORKS;
    }
    TRY(bench_machine_finish(&b->machine));
    return b->options->json ? print_json(b, results, count) : print_table(b, results, count);
}

ttt_status bench_loader(const struct run_config *config, const struct bench_options *options)
{
    struct bench b = {.options = options};
    ttt_status status = set_up(&b, config);
    if (!status)
        status = run_all(&b, config->data.threads);
    bench_machine_close(&b.machine);
    pictures_free(b.set);
    return status;
}
