/* Folders that live as long as a test. */
#ifndef TESTS_SUPPORT_TEMPORARY_H
#define TESTS_SUPPORT_TEMPORARY_H

#include <stddef.h>
#include <stdint.h>

/* A new empty folder; the caller hands its path to temporary_remove. */
char *temporary_folder(void);

/* Deletes a folder with everything in it, without following links, and frees its path. */
void temporary_remove(char *folder);

/* FOLDER/name made by printf's rules, in a buffer that the caller frees. */
char *temporary_path(const char *folder, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes FOLDER/name, creating the folders between. */
void temporary_file(const char *folder, const char *name, const void *bytes, size_t size);

/* The bytes of a file, which the caller frees. */
uint8_t *temporary_read(const char *path, size_t *size);

#endif
