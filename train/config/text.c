/* Text for and from the configuration: bounded lists, quoting for error lines, spelling. */
#include "train/config/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

void config_append(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

struct config_quote config_quote(const char *text)
{
    static const char more[] = "...";
    struct config_quote quote;
    size_t n = strlen(text), room = sizeof quote.text - sizeof more, shown = n < room ? n : room;
    for (size_t i = 0; i < shown; i++)
        quote.text[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    memcpy(quote.text + shown, n > room ? more : "", n > room ? sizeof more : 1);
    return quote;
}

/* Reads one code point of UTF-8 and moves past it; -1 for bytes that are not UTF-8. */
static int32_t next_code_point(const unsigned char **text)
{
    const unsigned char *p = *text;
    int more = *p < 0x80             ? 0
               : (*p & 0xe0) == 0xc0 ? 1
               : (*p & 0xf0) == 0xe0 ? 2
               : (*p & 0xf8) == 0xf0 ? 3
                                     : -1;
    if (more < 0)
        return -1;
    int32_t code = more ? *p & (0x3f >> more) : *p;
    for (int i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return -1;
        code = code << 6 | (p[i] & 0x3f);
    }
    static const int32_t least[] = {0, 0x80, 0x800, 0x10000};
    *text = p + 1 + more;
    return code < least[more] ? -1 : code;
}

bool config_text_printable(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    while (*p) {
        int32_t code = next_code_point(&p);
        bool ascii = code >= 0x20 && code <= 0x7e;
        bool low = code >= 0xa0 && code <= 0xd7ff && code != 0x2028 && code != 0x2029;
        bool high =
            (code >= 0xe000 && code <= 0xfffd && code != 0xfeff) || (code >= 0x10000 && code <= 0x10ffff);
        if (!ascii && !low && !high)
            return false;
    }
    return true;
}

static int least_of(int a, int b)
{
    return a < b ? a : b;
}

int config_text_distance(const char *a, const char *b)
{
    enum { LONGEST = 63 };
    int n = (int)strnlen(a, LONGEST), m = (int)strnlen(b, LONGEST);
    int d[LONGEST + 1][LONGEST + 1];
    for (int i = 0; i <= n; i++)
        d[i][0] = i;
    for (int j = 0; j <= m; j++)
        d[0][j] = j;
    for (int i = 1; i <= n; i++)
        for (int j = 1; j <= m; j++) {
            d[i][j] = least_of(d[i - 1][j] + 1, d[i][j - 1] + 1);
            d[i][j] = least_of(d[i][j], d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d[i][j] = least_of(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[n][m];
}
