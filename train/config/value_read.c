/* Values of the configuration from text: types, ranges, and what is said when they are wrong. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/config/text.h"
#include "train/config/value.h"

static ttt_status refuse(const struct config_key *key, const char *what, const char *why)
{
    char allowed[256];
    config_key_allowed(key, allowed, sizeof allowed);
    return ttt_fail(TTT_ARGUMENT, "%s %s; allowed: %s", what, why, allowed);
}

static ttt_status refuse_text(const struct config_key *key, const char *text, const char *why)
{
    struct config_quote quote = config_quote(text);
    char what[CONFIG_QUOTE_MAX + 2] = "";
    config_append(what, sizeof what, "'%s'", quote.text);
    return refuse(key, what, why);
}

/* Shift of a suffix of bytes, 0 for none, -1 for another text. */
static int suffix_shift(const char *suffix)
{
    static const char letters[] = "KMGT";
    if (!*suffix)
        return 0;
    const char *letter = strchr(letters, *suffix);
    return letter && !suffix[1] ? 10 * (int)(letter - letters + 1) : -1;
}

static ttt_status read_whole(const struct config_key *key, const char *text, int64_t *whole)
{
    const char *digits = text + (*text == '-' || *text == '+');
    size_t n = strspn(digits, "0123456789");
    int shift = key->type == KEY_BYTES ? suffix_shift(digits + n) : digits[n] ? -1 : 0;
    if (!n || shift < 0)
        return refuse_text(key, text, "is not a whole number");
    errno = 0;
    int64_t value = strtoll(text, NULL, 10);
    if (errno || (double)value < key->min || (double)value > ldexp(key->max, -shift))
        return refuse_text(key, text, "is out of range");
    *whole = value * ((int64_t)1 << shift);
    return TTT_OK;
}

static ttt_status read_number(const struct config_key *key, const char *text, double *number)
{
    char *end;
    double value = strtod(text, &end);
    if (!*text || *end || strspn(text, "0123456789+-.eE") != strlen(text))
        return refuse_text(key, text, "is not a number");
    if (key->type == KEY_FLOAT)
        value = (double)(float)value;
    bool low = key->above_min ? value > key->min : value >= key->min;
    bool high = key->below_max ? value < key->max : value <= key->max;
    if (!isfinite(value) || !low || !high)
        return refuse_text(key, text, "is out of range");
    *number = value;
    return TTT_OK;
}

static ttt_status refuse_choice(const struct config_key *key, const char *text)
{
    const struct config_choice *nearest = key->choices;
    for (const struct config_choice *choice = key->choices; choice->name; choice++)
        if (config_text_distance(text, choice->name) < config_text_distance(text, nearest->name))
            nearest = choice;
    struct config_quote quote = config_quote(text);
    char allowed[256];
    config_key_allowed(key, allowed, sizeof allowed);
    return ttt_fail(TTT_ARGUMENT, "'%s' is unknown; the nearest is %s; allowed: %s", quote.text,
                    nearest->name, allowed);
}

static ttt_status read_choice(const struct config_key *key, const char *text, int64_t *value)
{
    for (const struct config_choice *choice = key->choices; choice->name; choice++)
        if (!strcmp(text, choice->name)) {
            *value = choice->value;
            return TTT_OK;
        }
    return refuse_choice(key, text);
}

static ttt_status read_bool(const struct config_key *key, const char *text, int64_t *value)
{
    *value = !strcmp(text, "true");
    return *value || !strcmp(text, "false") ? TTT_OK : refuse_text(key, text, "is neither true nor false");
}

static ttt_status read_string(const struct config_key *key, const char *text, char **string)
{
    int64_t ignored;
    if (key->choices)
        TRY(read_choice(key, text, &ignored));
    if (strlen(text) < (size_t)key->min)
        return refuse(key, "the text", "is empty");
    if (strlen(text) >= CONFIG_STRING_MAX)
        return refuse_text(key, text, "is longer than 4095 bytes");
    if (!config_text_printable(text))
        return refuse_text(key, text, "has control characters or is not UTF-8");
    *string = strdup(text);
    return *string ? TTT_OK : ttt_fail(TTT_MEMORY, "out of memory for a text of %zu bytes", strlen(text));
}

static ttt_status read_scalar(const struct config_key *key, const char *text, struct config_value *value)
{
    switch (key->type) {
    case KEY_INT:
    case KEY_LONG:
    case KEY_BYTES:
        return read_whole(key, text, &value->whole[0]);
    case KEY_SIZE:
        TRY(read_whole(key, text, &value->whole[0]));
        value->whole[1] = value->whole[0];
        return TTT_OK;
    case KEY_FLOAT:
    case KEY_DOUBLE:
        return read_number(key, text, &value->numbers[0]);
    case KEY_BOOL:
        return read_bool(key, text, &value->whole[0]);
    case KEY_ENUM:
        return read_choice(key, text, &value->whole[0]);
    case KEY_STRING:
        return read_string(key, text, &value->text);
    case KEY_DOUBLES:
        break;
    }
    return refuse_text(key, text, "is not a list");
}

static ttt_status read_list(const struct config_key *key, const struct config_written *written,
                            struct config_value *value)
{
    if (key->type != KEY_SIZE && key->type != KEY_DOUBLES)
        return refuse(key, "a list", "is not one value");
    if (written->count != (key->type == KEY_SIZE ? 2 : key->count)) {
        char what[64] = "";
        config_append(what, sizeof what, "a list of %d", written->count);
        return refuse(key, what, "has the wrong length");
    }
    for (int i = 0; i < written->count; i++)
        TRY(key->type == KEY_SIZE ? read_whole(key, written->scalars[i], &value->whole[i])
                                  : read_number(key, written->scalars[i], &value->numbers[i]));
    return TTT_OK;
}

/* What YAML calls null, where a value was left out. */
static bool is_null(const char *text)
{
    return !*text || !strcmp(text, "~") || !strcmp(text, "null");
}

ttt_status config_value_read(const struct config_key *key, const struct config_written *written,
                             struct config_value *value)
{
    *value = (struct config_value){.text = NULL};
    if (written->is_list)
        return read_list(key, written, value);
    const char *text = written->scalars[0];
    if (!written->is_quoted && is_null(text))
        return refuse(key, "the value", "is missing");
    if (written->is_quoted && key->type != KEY_STRING && key->type != KEY_ENUM)
        return refuse_text(key, text, "is quoted, which makes it text");
    return read_scalar(key, text, value);
}

/* The text without spaces around it, which is changed for that. */
static char *trimmed(char *text)
{
    text += strspn(text, " ");
    for (size_t n = strlen(text); n && text[n - 1] == ' '; n--)
        text[n - 1] = 0;
    return text;
}

/* Reads "[1, 2]"; `text` is changed. */
static ttt_status read_bracketed(const struct config_key *key, char *text, struct config_value *value)
{
    struct config_written written = {.is_list = true};
    text[strlen(text) - 1] = 0;
    for (char *rest = text + 1, *item; (item = strsep(&rest, ",")); written.count++)
        if (written.count < CONFIG_LIST_MAX)
            written.scalars[written.count] = trimmed(item);
    return config_value_read(key, &written, value);
}

ttt_status config_value_read_text(const struct config_key *key, const char *text, struct config_value *value)
{
    size_t n = strlen(text);
    if (key->type != KEY_STRING && n >= 2 && text[0] == '[' && text[n - 1] == ']') {
        char *copy = strdup(text);
        if (!copy)
            return ttt_fail(TTT_MEMORY, "out of memory for a text of %zu bytes", n);
        ttt_status status = read_bracketed(key, copy, value);
        free(copy);
        return status;
    }
    /* An empty text is a text; anything else that is left empty is a missing value. */
    bool is_text = key->type == KEY_STRING;
    return config_value_read(
        key, &(struct config_written){.is_quoted = is_text, .count = 1, .scalars = {text}}, value);
}

void config_value_free(struct config_value *value)
{
    free(value->text);
    value->text = NULL;
}
