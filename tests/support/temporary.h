/* Folders that live as long as a test. */
#ifndef TESTS_SUPPORT_TEMPORARY_H
#define TESTS_SUPPORT_TEMPORARY_H

#include <stddef.h>
#include <stdint.h>

/* A new empty folder; the caller hands its path to temporary_remove. */
char *temporary_folder(void);

/* Deletes a folder with everything in it, without following links, and frees its path. */
void temporary_remove(char *folder);

/* Set a test up with a new folder as its *state, and tear it down; a cmocka test with both. */
int temporary_setup(void **state);
int temporary_teardown(void **state);
#define temporary_test(test) cmocka_unit_test_setup_teardown(test, temporary_setup, temporary_teardown)

/* FOLDER/name made by printf's rules, in a buffer that the caller frees. */
char *temporary_path(const char *folder, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes FOLDER/name, creating the folders between. */
void temporary_file(const char *folder, const char *name, const void *bytes, size_t size);

/* Fails the running test unless two files hold the same bytes. */
void temporary_check_same(const char *path, const char *other);

/* The bytes of a file, which the caller frees. */
uint8_t *temporary_read(const char *path, size_t *size);

#endif
