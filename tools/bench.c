/* ttt bench: measures training, inference, the loader, and single operators. */
#include <stdio.h>
#include <string.h>

#include "tools/bench/kinds.h"
#include "tools/command.h"
#include "tools/device_options.h"
#include "tools/options.h"
#include "train/config/text.h"

static const char help[] =
    "usage: ttt bench train|infer|loader CONFIG [key=value ...] [--runs N] [--warmup N] [--profile] "
    "[--json]\n"
    "       ttt bench layer [--variant NAME] [--form parallel|recurrent] [--heads N] [--head-dim N]\n"
    "                       [--tokens N] [--chunk N] [--runs N] [--warmup N] [--profile] [--json]\n"
    "       ttt bench ops [--only OP,OP] [--threads N] [--runs N] [--warmup N] [--json]\n"
    "       ttt bench ops --list\n"
    "\n"
    "train   whole training steps (forward, backward, clip, AdamW) of the config's model and batch size, on\n"
    "        noise in place of data; where train.accumulate is more than 1, time is that of one pass\n"
    "infer   forward passes at eval.batch_size, the pictures on the device; for task: views reconstruction "
    "from the config's number of "
    "input\n"
    "        views and from 2, 4 and 8 times as many, eval.tokens_per_pass at a time (0: those of half of "
    "the\n"
    "        first number), with what each added view takes; and rendering, a few views at a time\n"
    "layer   the fast-weight part of a causal LaCT layer, forward (variant5, parallel, 4 heads of 384, "
    "32768\n"
    "        tokens, chunks of 2048)\n"
    "loader  reading, decoding and transforming the pictures of data.root: the training transform, decoding\n"
    "        the crop alone or everything, and that of evaluation; on 1 thread and on data.threads\n"
    "ops     every implementation of every operator at the shapes of vittt_tiny with 16 pictures (those "
    "that\n"
    "        it lacks: of lact_nvs_l12 with 16 views); data that fit are in the processor's cache\n"
    "\n"
    "In the same run the machine's own rates are measured, before and after, of which the higher counts:\n"
    "a large matrix product in the measured type (SGEMM for f32), and copy, bytes read plus written.  Peak\n"
    "memory is the process's own, resident at once, or the GPU's in use; predicted is what it was before,\n"
    "plus what the plan asked for.  Then the work runs again, beside what held it back: on a CPU, each run\n"
    "between two products (other work on the machine slows both); on a GPU for two seconds, with what it\n"
    "drew and its clock.\n"
    "\n"
    "  --runs N     timed runs, of which the median is given; else ten, or as many as ten seconds hold\n"
    "  --warmup N   runs before those (2)\n"
    "  --profile    train, infer: time by operator, by layer, and of the slowest nodes\n"
    "  --only OPS   operators, with commas between\n"
    "  --threads N  of ops; for the others it is device.threads=N; 0: one for each core\n"
    "  --variant, --form, --heads, --head-dim, --tokens, --chunk: of layer\n"
    "  --list       the operators and their cases, without running them\n"
    "  --device NAME  cpu, cuda or cuda:1: short for device.name=NAME\n"
    "  --dtype TYPE   f32 or bf16, of activations: short for device.dtype=TYPE\n"
    "  --json       one object a line for each measurement: name, device, dtype, batch, seconds (median),\n"
    "               items_per_second, flops_per_second, matmul_flops_per_second, copy_bytes_per_second,\n"
    "               peak_bytes, predicted_peak_bytes and more; null where there is no such number\n"
    "\n"
    "examples:\n"
    "  ttt bench train configs/vittt_tiny.yaml train.batch_size=16 train.accumulate=1 device.threads=2\n"
    "  ttt bench infer configs/vittt_tiny.yaml eval.batch_size=16 --profile\n"
    "  ttt bench infer configs/lact_nvs_l12.yaml --json\n"
    "  ttt bench loader configs/vittt_tiny.yaml data.root=path/to/imagenet data.threads=4\n"
    "  ttt bench ops --only matmul,linear\n";

struct arguments {
    struct bench_options bench;
    struct device_options device;
    const char *only;
    int64_t threads; /* of ops; -1: not given */
    struct bench_layer layer;
    bool list;
};

static ttt_status read_arguments(int argc, char **argv, struct arguments *a, int *rest)
{
    int64_t runs = 0, warmup = 2;
    *a = (struct arguments){.threads = -1, .layer = {4, 384, 32768, 2048, "variant5", "parallel"}};
    const struct option options[] = {
        {"--runs", OPTION_WHOLE, &runs, 1, 100000},
        {"--warmup", OPTION_WHOLE, &warmup, 0, 100000},
        {"--profile", OPTION_FLAG, &a->bench.profile, 0, 0},
        {"--json", OPTION_FLAG, &a->bench.json, 0, 0},
        {"--only", OPTION_TEXT, &a->only, 0, 0},
        {"--threads", OPTION_WHOLE, &a->threads, 0, 4096},
        {"--list", OPTION_FLAG, &a->list, 0, 0},
        {"--heads", OPTION_WHOLE, &a->layer.heads, 1, 1024},
        {"--head-dim", OPTION_WHOLE, &a->layer.head_dim, 1, 65536},
        {"--tokens", OPTION_WHOLE, &a->layer.tokens, 1, 1 << 24},
        {"--chunk", OPTION_WHOLE, &a->layer.chunk, 1, 1 << 24},
        {"--variant", OPTION_TEXT, &a->layer.variant, 0, 0},
        {"--form", OPTION_TEXT, &a->layer.form, 0, 0},
        DEVICE_OPTIONS(&a->device),
    };
    TRY(options_read(argc, argv, options, sizeof options / sizeof *options, rest));
    a->bench.runs = (int)runs;
    a->bench.warmup = (int)warmup;
    return TTT_OK;
}

static ttt_status run_ops(struct arguments *a, int rest, char **argv)
{
    if (rest > 1)
        return ttt_fail(TTT_ARGUMENT, "ops takes no config: what is '%s'?", config_quote(argv[1]).text);
    if (a->bench.profile)
        return ttt_fail(TTT_ARGUMENT, "--profile goes with train and infer");
    if (a->list && a->bench.json)
        return ttt_fail(TTT_ARGUMENT, "--list measures nothing that --json could print");
    if (a->list) {
        bench_ops_list();
        return TTT_OK;
    }
    struct config_device device;
    TRY(device_options_read(&a->device, &device));
    device.threads = a->threads < 0 ? 0 : (int)a->threads;
    return bench_ops(a->only, &device, &a->bench);
}

static ttt_status run_layer(struct arguments *a, int rest, char **argv)
{
    struct config_device device;
    if (rest > 1)
        return ttt_fail(TTT_ARGUMENT, "layer takes no config: what is '%s'?", config_quote(argv[1]).text);
    TRY(device_options_read(&a->device, &device));
    return bench_layer(&a->layer, &device, &a->bench);
}

/* Fills in what the data would decide. */
static void settle(struct run_config *config)
{
    const int imagenet = 1000;
    if (config->task == TASK_CLASSIFY && !config->model.vittt.classes)
        config->model.vittt.classes = imagenet;
}

static const struct kind {
    const char *name;
    ttt_status (*run)(const struct run_config *config, const struct bench_options *options);
} kinds[] = {{"train", bench_train}, {"infer", bench_infer}, {"loader", bench_loader}, {NULL, NULL}};

static ttt_status run_config_kind(const struct kind *kind, const struct arguments *a, int rest, char **argv)
{
    struct run_config config;
    if (a->only || a->list || a->threads >= 0)
        return ttt_fail(TTT_ARGUMENT, "%s goes with ops",
                        a->only   ? "--only"
                        : a->list ? "--list"
                                  : "--threads");
    if (a->bench.profile && kind->run == bench_loader)
        return ttt_fail(TTT_ARGUMENT, "--profile goes with train and infer");
    if (rest < 2)
        return ttt_fail(TTT_ARGUMENT, "which config? 'ttt bench %s CONFIG [key=value ...]'", kind->name);
    TRY(run_config_load(argv[1], rest - 2, argv + 2, &config));
    ttt_status status = TTT_OK;
    settle(&config);
    if (config.task == TASK_VIEWS && kind->run == bench_loader)
        status =
            ttt_fail(TTT_UNSUPPORTED, "bench loader measures task: classify; for task: views 'ttt train' "
                                      "says what share of the time it waits for data");
    if (!status)
        status = config.task == TASK_VIEWS && kind->run == bench_infer ? bench_views(&config, &a->bench)
                                                                       : kind->run(&config, &a->bench);
    run_config_free(&config);
    return status;
}

static ttt_status run(int argc, char **argv)
{
    struct arguments a;
    int rest;
    TRY(read_arguments(argc, argv, &a, &rest));
    if (!rest)
        return ttt_fail(TTT_ARGUMENT,
                        "measure what? train, infer, loader, layer or ops; 'ttt bench --help' says more");
    if (!strcmp(argv[0], "ops"))
        return run_ops(&a, rest, argv);
    if (!strcmp(argv[0], "layer"))
        return run_layer(&a, rest, argv);
    for (const struct kind *kind = kinds; kind->name; kind++) {
        if (strcmp(argv[0], kind->name))
            continue;
        ttt_status status = device_options_append(&a.device, argv, &rest);
        if (!status)
            status = run_config_kind(kind, &a, rest, argv);
        device_options_free(&a.device);
        return status;
    }
    return ttt_fail(TTT_ARGUMENT, "there is no 'bench %s'; there are train, infer, loader, layer and ops",
                    config_quote(argv[0]).text);
}

const struct command command_bench = {
    .name = "bench",
    .summary = "measure training, inference, the loader, operators",
    .help = help,
    .run = run,
};
