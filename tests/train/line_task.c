/* Linear regression as a task of the training loop. */
#include "tests/train/line_task.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "ttt/base/random.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/reduce/reduce.h"

static ttt_status parameters(void *context, struct parameter **list, int *count)
{
    (void)context;
    *list = calloc(1, sizeof **list);
    assert_non_null(*list);
    **list = (struct parameter){.name = "w", .shape = ttt_dims(line_size), .init = INIT_NORMAL};
    *count = 1;
    return TTT_OK;
}

static ttt_status initialise(void *context, ttt_store *store, uint64_t seed)
{
    (void)context;
    float values[line_size];
    ttt_random random = ttt_random_start(seed, TTT_RANDOM_TEST, 0, 0);
    for (int i = 0; i < line_size; i++)
        values[i] = (float)ttt_random_normal(&random);
    return ttt_store_write(store, "w", values);
}

static ttt_tensor loss(void *context, ttt_graph *g, ttt_tensor step, int batch)
{
    (void)context, (void)step;
    ttt_tensor x = ttt_input(g, "x", TTT_F32, ttt_dims(batch, line_size));
    ttt_tensor target = ttt_input(g, "target", TTT_F32, ttt_dims(batch, 1));
    ttt_tensor w = ttt_variable(g, "w", TTT_F32, ttt_dims(line_size));
    ttt_tensor y = ttt_sum(g, ttt_mul(g, x, w), 2u);
    ttt_tensor error = ttt_sub(g, y, ttt_reshape(g, target, ttt_dims(batch, 1)));
    return ttt_reshape(g, ttt_mean(g, ttt_square(g, error), 3u), ttt_dims(1));
}

static int64_t batches(void *context)
{
    (void)context;
    return line_batches;
}

static ttt_status start(void *context, ttt_device *device, uint64_t epoch, uint64_t batch)
{
    struct line_task *line = context;
    if (!line->host)
        TRY(ttt_device_allocate_host(device, sizeof *line->host, (void **)&line->host));
    line->next = epoch * line_batches + batch;
    return TTT_OK;
}

static ttt_status feed(void *context, ttt_plan *plan, struct fed *fed)
{
    struct line_task *line = context;
    float(*x)[line_size] = line->host->x, *target = line->host->target;
    ttt_random random = ttt_random_start(7, TTT_RANDOM_TEST, line->next, 1);
    for (int i = 0; i < line_batch; i++) {
        target[i] = 0;
        for (int k = 0; k < line_size; k++) {
            x[i][k] = (float)ttt_random_normal(&random);
            target[i] += (float)k * x[i][k];
        }
    }
    if (line->next >= line->poison_from && line->next < line->poison_to)
        x[1][2] = NAN;
    line->next++;
    line->fed++;
    fed->samples = line_batch;
    TRY(ttt_plan_write_later(plan, "x", x));
    return ttt_plan_write_later(plan, "target", target);
}

static ttt_status plan_evaluation(void *context, ttt_store *store, const char *prefix,
                                  ttt_plan_memory *memory)
{
    const struct line_task *line = context;
    const int64_t weights = line_size * sizeof(float), arena = line->evaluation_bytes;
    (void)store, (void)prefix;
    *memory = (ttt_plan_memory){weights, arena, weights + arena};
    return TTT_OK;
}

static ttt_status evaluate(void *context, ttt_store *store, const char *prefix, struct evaluation *evaluation)
{
    struct line_task *line = context;
    char name[16];
    snprintf(name, sizeof name, "%sw", prefix);
    assert_non_null(ttt_store_find(store, name));
    if (line->unjudged)
        return ttt_fail(TTT_FORMAT, "a picture is damaged");
    snprintf(line->prefix, sizeof line->prefix, "%s", prefix);
    *evaluation = (struct evaluation){
        .values = {{"loss", 0.5}, {"score", line->scores[line->evaluated]}}, .count = 2, .best = 1};
    line->evaluated++;
    return TTT_OK;
}

static ttt_status record(void *context, const char *folder)
{
    struct line_task *line = context;
    assert_string_equal(folder, "runs/x");
    line->records++;
    return TTT_OK;
}

static void progress(void *context, const struct train_progress *progress)
{
    struct line_task *line = context;
    assert_true(line->progressed < line_most);
    line->progress[line->progressed++] = *progress;
    if (progress->step == line->stop_after)
        line->stop = 1;
}

static void say(void *context, const char *text)
{
    struct line_task *line = context;
    size_t length = strlen(line->said);
    snprintf(line->said + length, sizeof line->said - length, "%s\n", text);
}

static const char *device_name(void)
{
    const char *name = getenv("LINE_DEVICE");
    return name ? name : "cpu";
}

int line_ahead(void)
{
    return strcmp(device_name(), "cpu") != 0;
}

ttt_status line_run(struct line_task *line, const struct run_config *config)
{
    const struct train_task task = {
        .context = line,
        .parameters = parameters,
        .initialise = initialise,
        .loss = loss,
        .batches = batches,
        .start = start,
        .feed = feed,
        .plan_evaluation = plan_evaluation,
        .evaluation_advice = "judge less at once",
        .evaluate = evaluate,
        .record = record,
    };
    const struct train_observer observer = {progress, NULL, say, line};
    ttt_device *device;
    check_ok(ttt_device_open(device_name(), 1, &device));
    ttt_status status = train_run(&task, config, device, &line->stop, &observer, &line->outcome);
    free(line->outcome.folder);
    line->outcome.folder = NULL;
    if (line->host)
        ttt_device_release_host(device, line->host);
    line->host = NULL;
    ttt_device_close(device);
    return status;
}

void line_run_ok(struct line_task *line, const struct run_config *config)
{
    check_ok(line_run(line, config));
}
