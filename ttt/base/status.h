/* The result of a call that can fail: TTT_OK, or an error with a code and one line of text.
 *
 * A function that returns ttt_status hands the error to its caller, who passes it on (TRY) or frees it.
 * The text says what, where and what to do, without a final full stop or newline.
 */
#ifndef TTT_BASE_STATUS_H
#define TTT_BASE_STATUS_H

#include <stdarg.h>
#include <stdbool.h>

typedef enum ttt_code {
    TTT_SHAPE = 1,   /* shapes that do not fit */
    TTT_DTYPE,       /* a type that the operation does not take */
    TTT_ARGUMENT,    /* any other mistake in what the caller, a config or a command line asked for */
    TTT_UNSUPPORTED, /* a sound request that this build, device or variant cannot serve */
    TTT_FORMAT,      /* a file whose bytes are not what they should be */
    TTT_MEMORY,      /* not enough memory, or over the limit that was set */
    TTT_IO,          /* reading, writing, no space left */
    TTT_DEVICE,      /* a device call failed */
    TTT_NUMERIC,     /* NaN or infinity where none may be */
} ttt_code;

typedef struct ttt_error ttt_error;
typedef ttt_error *ttt_status; /* NULL is success */

#define TTT_OK ((ttt_status)0)

/* A new error; format as printf.  Never returns TTT_OK, even when memory has run out. */
ttt_status ttt_fail(ttt_code code, const char *format, ...)
    __attribute__((format(printf, 2, 3), warn_unused_result));

/* `status` with "PREFIX: " in front of its text; TTT_OK stays TTT_OK.  Takes ownership of `status`. */
ttt_status ttt_within(ttt_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3), warn_unused_result));

/* The code and the text of an error; status must not be TTT_OK.  The text lives as long as the error. */
ttt_code ttt_status_code(ttt_status status);
const char *ttt_status_text(ttt_status status);

/* Whether the error is a user's mistake (exit 2) rather than a failure of the machine (exit 1). */
bool ttt_status_is_mistake(ttt_status status);

/* A copy that the caller owns; TTT_OK for TTT_OK. */
ttt_status ttt_status_copy(ttt_status status) __attribute__((warn_unused_result));

/* Frees an error; TTT_OK is allowed. */
void ttt_status_free(ttt_status status);

/* Passes an error up to the caller. */
#define TRY(call)                                                                                            \
    do {                                                                                                     \
        ttt_status try_status_ = (call);                                                                     \
        if (try_status_)                                                                                     \
            return try_status_;                                                                              \
    } while (0)

/* Stores an error in the local variable `status` and jumps to `label`, where what was taken is freed. */
#define TRY_TO(call, label)                                                                                  \
    do {                                                                                                     \
        status = (call);                                                                                     \
        if (status)                                                                                          \
            goto label;                                                                                      \
    } while (0)

#endif
