/* Reading what the program printed. */
#include "tests/tools/printed.h"

#include "tests/support/check.h"

json_t *printed(struct program_result result)
{
    json_error_t error;
    if (result.exit_status)
        fail_msg("exit status %d; standard error: %s", result.exit_status, result.err);
    json_t *value = json_loads(result.out, JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &error);
    if (!value)
        fail_msg("not JSON: %s: %s", error.text, result.out);
    program_free(&result);
    return value;
}

double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        fail_msg("'%s' is no number", key);
    return json_number_value(value);
}
