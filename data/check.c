/* Reading every picture of a data folder. */
#include "data/check.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "data/workers.h"

/* What was found out about one picture. */
struct record {
    int width, height; /* 0: not decoded */
    int warnings;
    enum picture_mode mode;
    char *error;
};

struct check {
    const struct check_options *options;
    const struct pictures *set;
    struct record *records; /* (set->count) */
    pthread_mutex_t lock;   /* of the progress */
    uint64_t done, total;
};

static ttt_status no_memory(const struct pictures *set)
{
    return ttt_fail(TTT_MEMORY, "%s: not enough memory to check %u pictures", set->folder, set->count);
}

/* Keeps the error of a bad picture; passes on what is no fault of the file. */
static ttt_status keep_error(const struct check *check, struct record *record, ttt_status status)
{
    if (!status || ttt_status_code(status) == TTT_MEMORY)
        return status;
    record->error = strdup(ttt_status_text(status));
    ttt_status_free(status);
    return record->error ? TTT_OK : no_memory(check->set);
}

static ttt_status check_file(const struct check *check, const char *path, struct record *record)
{
    uint8_t *bytes;
    size_t size;
    struct image image;
    ttt_status status = file_read(path, check->options->decode.max_bytes, &bytes, &size);
    if (status)
        return keep_error(check, record, status);
    record->mode = picture_mode(bytes, size);
    status = image_decode(bytes, size, NULL, &check->options->decode, &image, &record->warnings);
    free(bytes);
    if (status)
        return keep_error(check, record, ttt_within(status, "%s", path));
    record->width = image.width;
    record->height = image.height;
    image_free(&image);
    return TTT_OK;
}

static ttt_status check_job(void *context, int worker, size_t index)
{
    (void)worker;
    struct check *check = context;
    char *path;
    TRY(pictures_path(check->set, (uint32_t)index, &path));
    ttt_status status = check_file(check, path, &check->records[index]);
    free(path);
    pthread_mutex_lock(&check->lock);
    check->done++;
    if (!status && check->options->progress)
        check->options->progress(check->options->context, check->done, check->total);
    pthread_mutex_unlock(&check->lock);
    return status;
}

static int compare_ints(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static struct check_sizes sizes_of(int *lengths, uint32_t count)
{
    if (count == 0)
        return (struct check_sizes){0};
    qsort(lengths, count, sizeof(*lengths), compare_ints);
    return (struct check_sizes){lengths[0], lengths[(count - 1) / 2], lengths[count - 1]};
}

static ttt_status measure_sizes(struct check_part *part, const struct record *records)
{
    int *lengths = malloc(((size_t)part->set->count + 1) * sizeof(*lengths));
    if (!lengths)
        return no_memory(part->set);
    for (int axis = 0; axis < 2; axis++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < part->set->count; i++)
            if (!records[i].error)
                lengths[count++] = axis == 0 ? records[i].width : records[i].height;
        *(axis == 0 ? &part->width : &part->height) = sizes_of(lengths, count);
    }
    free(lengths);
    return TTT_OK;
}

/* Counts good, bad and warned pictures, kinds, and bad pictures per class. */
static ttt_status count_records(struct check_part *part, const struct record *records)
{
    part->class_bad = calloc(part->set->class_count, sizeof(*part->class_bad));
    if (!part->class_bad)
        return no_memory(part->set);
    for (uint32_t i = 0; i < part->set->count; i++) {
        const struct record *record = &records[i];
        part->modes[record->mode]++;
        part->good += !record->error;
        part->bad += record->error != NULL;
        part->warned += !record->error && record->warnings > 0;
        part->class_bad[pictures_label(part->set, i)] += record->error != NULL;
    }
    return TTT_OK;
}

/* Lists the pictures with something to say about them; takes over their error texts. */
static ttt_status list_findings(struct check_part *part, struct record *records)
{
    part->findings = calloc((size_t)part->bad + part->warned + 1, sizeof(*part->findings));
    if (!part->findings)
        return no_memory(part->set);
    for (uint32_t i = 0; i < part->set->count; i++) {
        if (!records[i].error && records[i].warnings == 0)
            continue;
        struct check_finding *finding = &part->findings[part->finding_count++];
        *finding = (struct check_finding){.error = records[i].error, .warnings = records[i].warnings};
        records[i].error = NULL;
        TRY(pictures_path(part->set, i, &finding->path));
    }
    return TTT_OK;
}

/* Reads the pictures of part->set; done and total belong to the whole check. */
static ttt_status check_part(const struct check_options *options, uint64_t done, uint64_t total,
                             struct check_part *part)
{
    struct check check = {.options = options,
                          .set = part->set,
                          .records = calloc(part->set->count, sizeof(*check.records)),
                          .lock = PTHREAD_MUTEX_INITIALIZER,
                          .done = done,
                          .total = total};
    if (!check.records)
        return no_memory(part->set);
    ttt_status status;
    TRY_TO(workers_run(options->threads, part->set->count, check_job, &check), cleanup);
    TRY_TO(measure_sizes(part, check.records), cleanup);
    TRY_TO(count_records(part, check.records), cleanup);
    status = list_findings(part, check.records);
cleanup:
    for (uint32_t i = 0; i < part->set->count; i++)
        free(check.records[i].error);
    free(check.records);
    pthread_mutex_destroy(&check.lock);
    return status;
}

static ttt_status open_parts(const char *root, struct check_result *result)
{
    static const char *const splits[2] = {"train", "val"};
    const struct pictures *train = NULL;
    for (int i = 0; i < 2; i++) {
        if (!pictures_exist(root, splits[i]))
            continue;
        struct check_part *part = &result->parts[result->part_count];
        TRY(pictures_open(root, splits[i], train, &part->set));
        result->part_count++;
        train = part->set;
    }
    if (result->part_count == 0) {
        TRY(pictures_open(root, "", NULL, &result->parts[0].set));
        result->part_count = 1;
    }
    return TTT_OK;
}

ttt_status check_pictures(const char *root, const struct check_options *options, struct check_result *result)
{
    *result = (struct check_result){0};
    uint64_t done = 0, total = 0;
    ttt_status status = open_parts(root, result);
    for (int i = 0; i < result->part_count; i++)
        total += result->parts[i].set->count;
    for (int i = 0; !status && i < result->part_count; i++) {
        status = check_part(options, done, total, &result->parts[i]);
        done += result->parts[i].set->count;
    }
    if (status)
        check_free(result);
    return status;
}

void check_free(struct check_result *result)
{
    for (int i = 0; i < result->part_count; i++) {
        struct check_part *part = &result->parts[i];
        for (uint32_t k = 0; k < part->finding_count; k++) {
            free(part->findings[k].path);
            free(part->findings[k].error);
        }
        free(part->findings);
        free(part->class_bad);
        pictures_free(part->set);
    }
    *result = (struct check_result){0};
}
