/* cmocka, and checks of statuses that print the error's own text. */
#ifndef TESTS_SUPPORT_CHECK_H
#define TESTS_SUPPORT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ttt/base/status.h"

/* Fails the running test unless `status` is TTT_OK; frees it. */
#define check_ok(status) check_ok_at((status), __FILE__, __LINE__)
void check_ok_at(ttt_status status, const char *file, int line);

/* Fails the running test unless `status` is an error of this code whose text contains `part`; frees it. */
#define check_error(status, code, part) check_error_at((status), (code), (part), __FILE__, __LINE__)
void check_error_at(ttt_status status, ttt_code code, const char *part, const char *file, int line);

/* malloc and calloc that fail the running test when there is no memory. */
void *check_alloc(size_t count, size_t size);

#endif
