/* Parsing scene files with jansson, after a look at what they hold. */
#include "data/scenes/scene_json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/decode.h"
#include "data/scenes/scene.h"

struct scene_quote scene_quote(const char *text)
{
    struct scene_quote quote;
    size_t n = 0;
    for (; text[n] && n < sizeof quote.text - 4; n++)
        quote.text[n] = text[n] < ' ' || text[n] > '~' ? '?' : text[n];
    strcpy(quote.text + n, text[n] ? "..." : "");
    return quote;
}

/* A walk over JSON text that keeps count of structure alone. */
struct walk {
    const char *at, *end;
    int depth;
    int64_t values;
    int64_t entry;       /* of the list of views; -1 outside of it */
    int list_depth;      /* depth inside that list; 0 outside */
    const char *top_key; /* where the last text at depth 1 starts, after its quote */
};

/* Past a text, whose opening quote is at walk->at. */
static void skip_text(struct walk *walk)
{
    if (walk->depth == 1)
        walk->top_key = walk->at + 1;
    for (walk->at++; walk->at < walk->end && *walk->at != '"'; walk->at++)
        if (*walk->at == '\\' && walk->at + 1 < walk->end)
            walk->at++;
}

static void open_bracket(struct walk *walk, char bracket)
{
    walk->depth++;
    walk->values++;
    bool frames = walk->depth == 2 && walk->top_key && walk->end - walk->top_key > 7 &&
                  !strncmp(walk->top_key, "frames\"", 7);
    if (bracket == '[' && !walk->list_depth && (walk->depth == 1 || frames)) {
        walk->list_depth = walk->depth;
        walk->entry = 0;
    }
}

static void close_bracket(struct walk *walk)
{
    if (walk->list_depth == walk->depth) {
        walk->list_depth = 0;
        walk->entry = -1;
    }
    walk->depth--;
}

/* One step: a text, or one byte. */
static void step(struct walk *walk)
{
    switch (*walk->at) {
    case '"':
        skip_text(walk);
        break;
    case '[':
    case '{':
        open_bracket(walk, *walk->at);
        break;
    case ']':
    case '}':
        close_bracket(walk);
        break;
    case ',':
        walk->values++;
        walk->entry += walk->list_depth > 0 && walk->depth == walk->list_depth;
        break;
    default:
        break;
    }
    if (walk->at < walk->end)
        walk->at++;
}

static ttt_status walk_bounded(const char *text, size_t size)
{
    struct walk walk = {.at = text, .end = text + size, .entry = -1};
    while (walk.at < walk.end) {
        step(&walk);
        if (walk.depth > SCENE_JSON_DEPTH)
            return ttt_fail(TTT_FORMAT, "is nested deeper than %d brackets at byte %td", SCENE_JSON_DEPTH,
                            walk.at - text);
        if (walk.values > SCENE_JSON_VALUES)
            return ttt_fail(TTT_FORMAT, "holds more than %d values", SCENE_JSON_VALUES);
    }
    return TTT_OK;
}

/* The entry of the list of views that the byte at `position` belongs to, or -1. */
static int64_t entry_at(const char *text, size_t position)
{
    struct walk walk = {.at = text, .end = text + position, .entry = -1};
    while (walk.at < walk.end)
        step(&walk);
    return walk.entry;
}

/* Length of a word at `at` that Python writes and JSON does not have, or 0. */
static size_t foreign_number(const char *at, const char *end)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(end - at) >= length && !memcmp(at, words[i], length))
            return length;
    }
    return 0;
}

/* A copy with null for NaN and infinities outside of texts; the caller frees it.  NULL: no memory. */
static char *without_foreign(const char *text, size_t size, size_t *new_size)
{
    struct walk walk = {.at = text, .end = text + size};
    /* The shortest word grows from 3 bytes to 4. */
    char *copy = malloc(size + size / 3 + 4), *to = copy;
    while (copy && walk.at < walk.end) {
        size_t length = foreign_number(walk.at, walk.end);
        if (length) {
            memcpy(to, "null", 4);
            to += 4;
            walk.at += length;
            continue;
        }
        const char *from = walk.at;
        step(&walk);
        memcpy(to, from, (size_t)(walk.at - from));
        to += walk.at - from;
    }
    *new_size = copy ? (size_t)(to - copy) : 0;
    return copy;
}

static ttt_status parse(const char *text, size_t size, json_t **root)
{
    json_error_t error;
    *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    if (*root)
        return TTT_OK;
    if (json_error_code(&error) == json_error_out_of_memory)
        return ttt_fail(TTT_MEMORY, "not enough memory to parse it");
    size_t position = error.position > 0 ? (size_t)error.position : 0;
    int64_t entry = entry_at(text, position < size ? position : size);
    const char *what = json_error_code(&error) == json_error_duplicate_key ? "" : "is not JSON: ";
    ttt_status status = ttt_fail(TTT_FORMAT, "line %d: %s%s", error.line, what, scene_quote(error.text).text);
    return entry < 0 ? status : ttt_within(status, "entry %lld", (long long)entry);
}

ttt_status scene_json_read(const char *path, json_t **root)
{
    uint8_t *bytes;
    size_t size, clean_size;
    *root = NULL;
    if (access(path, F_OK) && (errno == ENOENT || errno == ENOTDIR))
        return ttt_fail(TTT_ARGUMENT, "%s: there is no such file, or it is a link to none", path);
    TRY(file_read(path, SCENE_JSON_BYTES, &bytes, &size));
    char *clean = NULL;
    ttt_status status;
    TRY_TO(walk_bounded((const char *)bytes, size), cleanup);
    clean = without_foreign((const char *)bytes, size, &clean_size);
    if (!clean)
        TRY_TO(ttt_fail(TTT_MEMORY, "not enough memory to parse it"), cleanup);
    status = parse(clean, clean_size, root);
cleanup:
    free(clean);
    free(bytes);
    return ttt_within(status, "%s", path);
}

/* The value of a key, NULL where it is missing and may be. */
static ttt_status get(const json_t *object, const char *key, bool *present, json_t **value)
{
    *value = json_object_get(object, key);
    if (present)
        *present = *value != NULL;
    if (!*value && !present)
        return ttt_fail(TTT_FORMAT, "key '%s' is missing", key);
    return TTT_OK;
}

ttt_status scene_json_number(const json_t *object, const char *key, double low, double high, double *value,
                             bool *present)
{
    json_t *found;
    TRY(get(object, key, present, &found));
    if (!found)
        return TTT_OK;
    if (!json_is_number(found) || !isfinite(json_number_value(found)))
        return ttt_fail(TTT_FORMAT, "key '%s' is not a finite number", key);
    *value = json_number_value(found);
    if (*value > low && *value <= high)
        return TTT_OK;
    return ttt_fail(TTT_FORMAT, "key '%s' is %g: must be above %g and at most %g", key, *value, low, high);
}

ttt_status scene_json_side(const json_t *object, const char *key, int *value, bool *present)
{
    double number = 0;
    TRY(scene_json_number(object, key, 0, SCENE_SIDE_MAX, &number, present));
    if (number != floor(number))
        return ttt_fail(TTT_FORMAT, "key '%s' is %g: must be a whole number of pixels", key, number);
    if (number > 0)
        *value = (int)number;
    return TTT_OK;
}

ttt_status scene_json_text(const json_t *object, const char *key, const char **value, bool *present)
{
    json_t *found;
    TRY(get(object, key, present, &found));
    if (!found)
        return TTT_OK;
    if (!json_is_string(found))
        return ttt_fail(TTT_FORMAT, "key '%s' is not a text", key);
    *value = json_string_value(found);
    return TTT_OK;
}

static ttt_status read_row(const json_t *row, int number, double out[4])
{
    if (!json_is_array(row) || json_array_size(row) != 4)
        return ttt_fail(TTT_FORMAT, "row %d has %zu numbers: must be 4x4", number, json_array_size(row));
    for (int k = 0; k < 4; k++) {
        const json_t *value = json_array_get(row, (size_t)k);
        if (!json_is_number(value) || !isfinite(json_number_value(value)))
            return ttt_fail(TTT_FORMAT, "row %d, column %d is not a finite number", number, k);
        out[k] = json_number_value(value);
    }
    return TTT_OK;
}

ttt_status scene_json_pose(const json_t *object, const char *key, struct pose *pose)
{
    json_t *rows;
    TRY(get(object, key, NULL, &rows));
    if (!json_is_array(rows) || json_array_size(rows) != 4)
        return ttt_fail(TTT_FORMAT, "key '%s' has %zu rows: must be 4x4 numbers", key, json_array_size(rows));
    for (int i = 0; i < 4; i++)
        TRY(ttt_within(read_row(json_array_get(rows, (size_t)i), i, pose->m[i]), "key '%s'", key));
    return ttt_within(pose_check(pose), "key '%s'", key);
}
