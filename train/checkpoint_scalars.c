/* Named numbers of a checkpoint, kept as text: integers in decimal, doubles in hexadecimal. */
#include "train/checkpoint.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int find(const checkpoint_scalars *scalars, const char *name)
{
    int i = 0;
    while (i < scalars->count && strcmp(scalars->entries[i].name, name) != 0)
        i++;
    return i;
}

/* The place for a number's text, made where there is none yet. */
static char *slot(checkpoint_scalars *scalars, const char *name)
{
    const int i = find(scalars, name);
    assert(i < CHECKPOINT_MAX_SCALARS && strlen(name) < CHECKPOINT_SCALAR_NAME);
    if (i == scalars->count) {
        strcpy(scalars->entries[i].name, name);
        scalars->count++;
    }
    return scalars->entries[i].text;
}

void checkpoint_set_i64(checkpoint_scalars *scalars, const char *name, int64_t value)
{
    snprintf(slot(scalars, name), CHECKPOINT_SCALAR_TEXT, "i64 %" PRId64, value);
}

void checkpoint_set_f64(checkpoint_scalars *scalars, const char *name, double value)
{
    snprintf(slot(scalars, name), CHECKPOINT_SCALAR_TEXT, "f64 %a", value);
}

/* The text after "KIND ". */
static ttt_status text_of(const checkpoint_scalars *scalars, const char *name, const char *kind,
                          const char **text)
{
    const int i = find(scalars, name);
    if (i == scalars->count)
        return ttt_fail(TTT_FORMAT, "the checkpoint has no number '%s'", name);
    if (strncmp(scalars->entries[i].text, kind, 4) != 0)
        return ttt_fail(TTT_FORMAT, "the checkpoint's '%s' is '%s', not an %.3s", name,
                        scalars->entries[i].text, kind);
    *text = scalars->entries[i].text + 4;
    return TTT_OK;
}

static ttt_status malformed(const char *name)
{
    return ttt_fail(TTT_FORMAT, "the checkpoint's '%s' is not a number", name);
}

ttt_status checkpoint_get_i64(const checkpoint_scalars *scalars, const char *name, int64_t *value)
{
    const char *text = NULL;
    char *end;
    TRY(text_of(scalars, name, "i64 ", &text));
    errno = 0;
    *value = strtoll(text, &end, 10);
    return end == text || *end || errno ? malformed(name) : TTT_OK;
}

ttt_status checkpoint_get_f64(const checkpoint_scalars *scalars, const char *name, double *value)
{
    const char *text = NULL;
    char *end;
    TRY(text_of(scalars, name, "f64 ", &text));
    *value = strtod(text, &end);
    return end == text || *end ? malformed(name) : TTT_OK;
}
