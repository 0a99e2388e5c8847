/* Writing numbers for people and for programs. */
#include "tools/output.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

ttt_status output_json(json_t *value)
{
    if (!value)
        return ttt_fail(TTT_MEMORY, "out of memory for the JSON output");
    int failed = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(value);
    if (failed || putchar('\n') == EOF || fflush(stdout))
        return ttt_fail(TTT_IO, "the output cannot be written: %s", strerror(errno));
    return TTT_OK;
}

ttt_status output_json_set(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value))
        return ttt_fail(TTT_MEMORY, "out of memory for the JSON output");
    return TTT_OK;
}

ttt_status output_json_append(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value))
        return ttt_fail(TTT_MEMORY, "out of memory for the JSON output");
    return TTT_OK;
}

void output_clean(const char *text, int width)
{
    int columns = 0;
    for (; text[columns]; columns++)
        putchar(iscntrl((unsigned char)text[columns]) ? '?' : text[columns]);
    for (; columns < width; columns++)
        putchar(' ');
}

struct output_text output_si(double value, const char *unit)
{
    static const char *const prefixes[] = {"", "k", "M", "G", "T", "P", "E"};
    struct output_text result = {"-"};
    int prefix = 0;
    for (; value >= 999.5 && prefix < 6; prefix++)
        value /= 1000;
    if (value > 0)
        snprintf(result.text, sizeof result.text, "%.3g %s%s", value, prefixes[prefix], unit);
    return result;
}

struct output_text output_bytes(int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    struct output_text result;
    double value = (double)bytes;
    int unit = 0;
    for (; value >= 1023.5 && unit < 6; unit++)
        value /= 1024;
    snprintf(result.text, sizeof result.text, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return result;
}

struct output_text output_count(int64_t count)
{
    struct output_text result;
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)count), at = 0;
    for (int i = 0; i < length && at + 2 < (int)sizeof result.text; i++) {
        result.text[at++] = digits[i];
        int left = length - 1 - i;
        if (left && left % 3 == 0 && digits[i] != '-')
            result.text[at++] = ',';
    }
    result.text[at] = 0;
    return result;
}
