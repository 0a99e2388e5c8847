/* Checks of statuses. */
#include "tests/support/check.h"

#include <stdlib.h>
#include <string.h>

void check_ok_at(ttt_status status, const char *file, int line)
{
    if (!status)
        return;
    print_error("unexpected error: %s\n", ttt_status_text(status));
    ttt_status_free(status);
    _fail(file, line);
}

void check_error_at(ttt_status status, ttt_code code, const char *part, const char *file, int line)
{
    if (status && ttt_status_code(status) == code && strstr(ttt_status_text(status), part)) {
        ttt_status_free(status);
        return;
    }
    print_error("expected an error of code %d with '%s'; got code %d: %s\n", (int)code, part,
                status ? (int)ttt_status_code(status) : 0, status ? ttt_status_text(status) : "no error");
    ttt_status_free(status);
    _fail(file, line);
}

void *check_alloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    assert_non_null(memory);
    return memory;
}
