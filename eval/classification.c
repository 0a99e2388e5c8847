/* A classifier over a set: counting, and the tables of the result. */
#include "eval/classification.h"

#include <errno.h>
#include <string.h>

static ttt_status count_batches(struct classifier *classifier, struct loader *loader, int64_t pictures,
                                struct classification_progress progress, classification_counts *counts)
{
    struct batch batch;
    for (;;) {
        TRY(loader_next(loader, &batch));
        if (!batch.count)
            break;
        TRY(classifier_run(classifier, batch.images, batch.count));
        TRY(classification_count(counts, classifier->logits, batch.labels, batch.count));
        if (progress.report)
            progress.report(progress.context, counts->total, pictures);
    }
    return counts->total
               ? TTT_OK
               : ttt_fail(TTT_FORMAT, "none of %lld pictures could be decoded", (long long)pictures);
}

ttt_status classification_run(struct classifier *classifier, const struct pictures *set,
                              const struct loader_options *options, struct classification_progress progress,
                              classification_counts *counts)
{
    struct loader_options evaluation = *options;
    evaluation.sample.train = false;
    evaluation.batch_size = classifier->batch;
    evaluation.drop_last = false;
    evaluation.first_epoch = evaluation.first_batch = 0;

    struct loader *loader = NULL;
    TRY(classification_counts_create(classifier->classes, counts));
    ttt_status status = loader_create(set, &evaluation, &loader);
    if (!status)
        status = count_batches(classifier, loader, set->count, progress, counts);
    loader_destroy(loader);
    if (status)
        classification_counts_free(counts);
    return status;
}

/* A field of a CSV row, quoted where it must be. */
static void write_field(FILE *file, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

static void write_class_rows(FILE *file, const classification_counts *counts, const struct pictures *set)
{
    fputs("class,title,pictures,correct,accuracy\n", file);
    for (int c = 0; c < counts->classes; c++) {
        write_field(file, set->class_names[c]);
        fputc(',', file);
        write_field(file, set->class_titles[c]);
        fprintf(file, ",%lld,%lld,", (long long)counts->per_class[c],
                (long long)counts->confusion[(int64_t)c * counts->classes + c]);
        if (counts->per_class[c])
            fprintf(file, "%.6f", classification_accuracy(counts, c));
        fputc('\n', file);
    }
}

static void write_confusion_rows(FILE *file, const classification_counts *counts, const struct pictures *set)
{
    fputs("true\\predicted", file);
    for (int c = 0; c < counts->classes; c++) {
        fputc(',', file);
        write_field(file, set->class_names[c]);
    }
    fputc('\n', file);
    for (int row = 0; row < counts->classes; row++) {
        write_field(file, set->class_names[row]);
        for (int c = 0; c < counts->classes; c++)
            fprintf(file, ",%lld", (long long)counts->confusion[(int64_t)row * counts->classes + c]);
        fputc('\n', file);
    }
}

static ttt_status write_table(const classification_counts *counts, const struct pictures *set,
                              const char *path,
                              void (*rows)(FILE *, const classification_counts *, const struct pictures *))
{
    FILE *file = fopen(path, "w");
    if (!file)
        return ttt_fail(TTT_IO, "%s: cannot be written: %s", path, strerror(errno));
    rows(file, counts, set);
    bool failed = ferror(file);
    if (fclose(file) || failed)
        return ttt_fail(TTT_IO, "%s: writing failed: %s", path, strerror(errno));
    return TTT_OK;
}

ttt_status classification_write_classes(const classification_counts *counts, const struct pictures *set,
                                        const char *path)
{
    return write_table(counts, set, path, write_class_rows);
}

ttt_status classification_write_confusion(const classification_counts *counts, const struct pictures *set,
                                          const char *path)
{
    return write_table(counts, set, path, write_confusion_rows);
}
