/* Filling one position of a batch, and what becomes of bad files. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "data/loader_internal.h"

/* Sets a flag of a file; true when it was not set before. */
static bool mark_file(struct loader *loader, uint32_t index, uint8_t flag)
{
    return !(atomic_fetch_or(&loader->files[index], flag) & flag);
}

/* Keeps the line for the consumer, and counts the file.  Without memory for the line it is only counted. */
static void note_bad_file(struct loader *loader, uint32_t index, ttt_status status)
{
    if (!mark_file(loader, index, FILE_BAD))
        return;
    const char *text = ttt_status_text(status);
    struct line *line = malloc(sizeof(*line) + strlen(text) + 1);
    if (line)
        strcpy(line->text, text);
    pthread_mutex_lock(&loader->lock);
    loader->statistics.bad_files++;
    if (line) {
        line->next = loader->lines;
        loader->lines = line;
    }
    pthread_mutex_unlock(&loader->lock);
}

/* Loads picture `index` in place of `sample`.  *good tells whether it was decoded; a bad file is no error
 * unless the options say so. */
static ttt_status try_picture(struct loader *loader, uint64_t epoch, uint32_t sample, uint32_t index,
                              float *out, bool *good)
{
    const struct loader_options *options = &loader->options;
    int warnings = 0;
    *good = false;
    if (options->bad_file == LOADER_REPLACE && (atomic_load(&loader->files[index]) & FILE_BAD))
        return TTT_OK;
    ttt_random random = ttt_random_start(options->seed, TTT_RANDOM_AUGMENT, epoch, sample);
    ttt_status status = sample_load(loader->set, index, &options->sample, &random, out, &warnings);
    *good = !status;
    if (warnings > 0 && mark_file(loader, index, FILE_WARNED)) {
        pthread_mutex_lock(&loader->lock);
        loader->statistics.warned_files++;
        pthread_mutex_unlock(&loader->lock);
    }
    if (!status || !sample_is_bad(status))
        return status;
    note_bad_file(loader, index, status);
    if (options->bad_file == LOADER_STOP)
        return status;
    ttt_status_free(status);
    return TTT_OK;
}

ttt_status loader_fill_position(struct loader *loader, struct slot *slot, int position)
{
    uint32_t count = loader->set->count, sample = slot->samples[position];
    uint32_t attempts = loader->options.sample.train ? count : 1;
    float *out = slot->images + (size_t)position * loader->picture_floats;
    slot->labels[position] = -1;
    for (uint32_t attempt = 0; attempt < attempts; attempt++) {
        uint32_t index = (uint32_t)(((uint64_t)sample + attempt) % count);
        bool good;
        TRY(try_picture(loader, slot->epoch, sample, index, out, &good));
        if (!good)
            continue;
        slot->labels[position] = (int32_t)pictures_label(loader->set, index);
        slot->indices[position] = index;
        return TTT_OK;
    }
    if (!loader->options.sample.train)
        return TTT_OK;
    return ttt_fail(TTT_FORMAT, "%s: none of the %" PRIu32 " pictures can be decoded", loader->set->folder,
                    count);
}
