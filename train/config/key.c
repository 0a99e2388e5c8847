/* Finding keys and groups by their path, and saying what a key takes. */
#include "train/config/key.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "train/config/config.h"
#include "train/config/text.h"

bool config_key_applies(const struct config_key *key, int task)
{
    return key->task == KEY_OF_ALL || key->task == (task == TASK_VIEWS ? KEY_OF_VIEWS : KEY_OF_CLASSIFY);
}

const char *config_key_fallback(const struct config_key *key, int task)
{
    return task == TASK_VIEWS && key->views ? key->views : key->fallback;
}

int config_key_find(const char *path)
{
    for (int i = 0; i < config_key_count; i++)
        if (!strcmp(config_keys[i].path, path))
            return i;
    return -1;
}

/* What follows "GROUP." in a key's path, or NULL when the key is not inside; the top level holds every key.
 */
static const char *inside(const char *group, const char *path)
{
    size_t n = strlen(group);
    if (!n)
        return path;
    return !strncmp(group, path, n) && path[n] == '.' ? path + n + 1 : NULL;
}

int config_key_group(const char *path)
{
    for (int i = 0; i < config_key_count; i++)
        if (*path && inside(path, config_keys[i].path))
            return i;
    return -1;
}

void config_key_names(const char *path, char *text, size_t size)
{
    const char *last = "";
    size_t last_length = 0;
    text[0] = 0;
    if (!*path)
        config_append(text, size, "base");
    for (int i = 0; i < config_key_count; i++) {
        const char *name = inside(path, config_keys[i].path);
        size_t length = name ? strcspn(name, ".") : 0;
        if (!name || (length == last_length && !strncmp(name, last, length)))
            continue;
        config_append(text, size, "%s%.*s", *text ? ", " : "", (int)length, name);
        last = name;
        last_length = length;
    }
}

static const char *leaf(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

/* How unlike a key is to what was typed: by the whole path, or by the last name alone, which forgives a wrong
 * group at the price of half an edit. */
static int unlikeness(const char *typed, const char *path)
{
    int whole = 2 * config_text_distance(typed, path);
    int last = 2 * config_text_distance(leaf(typed), leaf(path)) + 1;
    return whole < last ? whole : last;
}

struct nearest {
    int score;
    char *text;
    size_t size;
};

static void consider(struct nearest *nearest, int score, const char *path, size_t length)
{
    if (score >= nearest->score)
        return;
    nearest->score = score;
    nearest->text[0] = 0;
    config_append(nearest->text, nearest->size, "%.*s", (int)length, path);
}

const char *config_key_nearest(const char *path, char *text, size_t size)
{
    struct nearest nearest = {INT_MAX, text, size};
    text[0] = 0;
    for (int i = 0; i < config_key_count; i++) {
        const char *key = config_keys[i].path;
        consider(&nearest, unlikeness(path, key), key, strlen(key));
        for (const char *dot = strchr(key, '.'); dot; dot = strchr(dot + 1, '.')) {
            char group[64] = "";
            config_append(group, sizeof group, "%.*s", (int)(dot - key), key);
            consider(&nearest, 2 * config_text_distance(path, group), group, strlen(group));
        }
    }
    return text;
}

static void append_bounds(const struct config_key *key, char *text, size_t size)
{
    config_append(text, size, " %s %.16g", key->above_min ? "above" : "at least", key->min);
    if (!isinf(key->max))
        config_append(text, size, " and %s %.16g", key->below_max ? "below" : "at most", key->max);
}

void config_key_allowed(const struct config_key *key, char *text, size_t size)
{
    text[0] = 0;
    if (key->choices) {
        config_append(text, size, "one of");
        for (const struct config_choice *choice = key->choices; choice->name; choice++)
            config_append(text, size, "%s %s", choice == key->choices ? "" : ",", choice->name);
        return;
    }
    switch (key->type) {
    case KEY_INT:
    case KEY_LONG:
        config_append(text, size, "a whole number from %.0f to %.0f", key->min, key->max);
        break;
    case KEY_SIZE:
        config_append(text, size, "a whole number from %.0f to %.0f, or [height, width]", key->min, key->max);
        break;
    case KEY_BYTES:
        config_append(text, size, "bytes as a whole number, with K, M, G or T for powers of 1024");
        break;
    case KEY_FLOAT:
    case KEY_DOUBLE:
        config_append(text, size, "a number");
        append_bounds(key, text, size);
        break;
    case KEY_DOUBLES:
        config_append(text, size, "a list of %d numbers, each", key->count);
        append_bounds(key, text, size);
        break;
    case KEY_BOOL:
        config_append(text, size, "true or false");
        break;
    case KEY_STRING:
    case KEY_ENUM:
        config_append(text, size, "%s", key->min > 0 ? "text, not empty" : "text");
        break;
    }
}
