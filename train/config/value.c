/* Values of the configuration: into and out of struct run_config, and written as YAML. */
#include "train/config/value.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *place(const struct config_key *key, struct run_config *config)
{
    return (char *)config + key->offset;
}

static const void *place_const(const struct config_key *key, const struct run_config *config)
{
    return (const char *)config + key->offset;
}

static ttt_status store_string(char **place_of_string, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        return ttt_fail(TTT_MEMORY, "out of memory for a text of %zu bytes", strlen(text));
    free(*place_of_string);
    *place_of_string = copy;
    return TTT_OK;
}

ttt_status config_value_store(const struct config_key *key, const struct config_value *value,
                              struct run_config *config)
{
    void *to = place(key, config);
    int whole[2] = {(int)value->whole[0], (int)value->whole[1]};
    float number = (float)value->numbers[0];
    bool flag = value->whole[0];

    switch (key->type) {
    case KEY_INT:
    case KEY_ENUM:
        memcpy(to, whole, sizeof *whole);
        break;
    case KEY_SIZE:
        memcpy(to, whole, sizeof whole);
        break;
    case KEY_LONG:
    case KEY_BYTES:
        memcpy(to, value->whole, sizeof *value->whole);
        break;
    case KEY_FLOAT:
        memcpy(to, &number, sizeof number);
        break;
    case KEY_DOUBLE:
        memcpy(to, value->numbers, sizeof *value->numbers);
        break;
    case KEY_DOUBLES:
        memcpy(to, value->numbers, (size_t)key->count * sizeof *value->numbers);
        break;
    case KEY_BOOL:
        memcpy(to, &flag, sizeof flag);
        break;
    case KEY_STRING:
        return store_string(to, value->text);
    }
    return TTT_OK;
}

/* The fewest digits that read back as the same double, or float. */
static void print_number(double number, bool is_float, FILE *file)
{
    char text[64];
    if (fabs(number) < 1e15 && number == floor(number)) {
        fprintf(file, "%.0f", number);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        double back = strtod(text, NULL);
        if (is_float ? (float)back == (float)number : back == number)
            break;
    }
    fputs(text, file);
}

static void print_numbers(const double *numbers, int count, FILE *file)
{
    for (int i = 0; i < count; i++) {
        fputs(i ? ", " : "[", file);
        print_number(numbers[i], false, file);
    }
    fputc(']', file);
}

static void print_size(const int *height_width, FILE *file)
{
    if (height_width[0] == height_width[1])
        fprintf(file, "%d", height_width[0]);
    else
        fprintf(file, "[%d, %d]", height_width[0], height_width[1]);
}

static void print_bytes(int64_t bytes, FILE *file)
{
    static const char letters[] = "KMGT";
    int power = 0;
    while (bytes && power < 4 && bytes % 1024 == 0) {
        bytes /= 1024;
        power++;
    }
    fprintf(file, "%" PRId64 "%.*s", bytes, power > 0, letters + (power > 0 ? power - 1 : 0));
}

/* In single quotes unless the text is a plain word; the texts of a config have no control characters. */
static void print_string(const char *text, FILE *file)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
    if (*text && *text != '-' && strspn(text, plain) == strlen(text) && strcmp(text, "null") != 0) {
        fputs(text, file);
        return;
    }
    fputc('\'', file);
    for (; *text; text++)
        fputs(*text == '\'' ? "''" : (char[]){*text, 0}, file);
    fputc('\'', file);
}

static const char *choice_name(const struct config_choice *choice, int value)
{
    while (choice->name && choice->value != value)
        choice++;
    assert(choice->name);
    return choice->name;
}

void config_value_print(const struct config_key *key, const struct run_config *config, FILE *file)
{
    const void *from = place_const(key, config);

    switch (key->type) {
    case KEY_INT:
        fprintf(file, "%d", *(const int *)from);
        break;
    case KEY_ENUM:
        fputs(choice_name(key->choices, *(const int *)from), file);
        break;
    case KEY_SIZE:
        print_size(from, file);
        break;
    case KEY_LONG:
        fprintf(file, "%" PRId64, *(const int64_t *)from);
        break;
    case KEY_BYTES:
        print_bytes(*(const int64_t *)from, file);
        break;
    case KEY_FLOAT:
        print_number((double)*(const float *)from, true, file);
        break;
    case KEY_DOUBLE:
        print_number(*(const double *)from, false, file);
        break;
    case KEY_DOUBLES:
        print_numbers(from, key->count, file);
        break;
    case KEY_BOOL:
        fputs(*(const bool *)from ? "true" : "false", file);
        break;
    case KEY_STRING:
        print_string(*(char *const *)from, file);
        break;
    }
}
