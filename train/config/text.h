/* Text for and from the configuration: bounded lists, quoting for error lines, spelling. */
#ifndef TRAIN_CONFIG_TEXT_H
#define TRAIN_CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Appends to the string in text; what does not fit is left out. */
void config_append(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

enum { CONFIG_QUOTE_MAX = 128 };

struct config_quote {
    char text[CONFIG_QUOTE_MAX];
};

/* What an error line may show of a text from outside: one line, a bounded length, "?" for each byte that is
 * not printable ASCII. */
struct config_quote config_quote(const char *text);

/* Whether the text is UTF-8 without control characters and line separators, so that it can be written into a
 * YAML file and read back. */
bool config_text_printable(const char *text);

/* Edits (insert, delete, replace, swap of neighbours) from a to b; looks at the first 63 bytes of each.
 * Optimal string alignment; Boytsov, "Indexing methods for approximate dictionary searching", 2011. */
int config_text_distance(const char *a, const char *b);

#endif
