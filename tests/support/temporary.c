/* Folders that live as long as a test. */
#include "tests/support/temporary.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/support/check.h"

char *temporary_folder(void)
{
    const char *parent = getenv("TMPDIR");
    char *folder = temporary_path(parent ? parent : "/tmp", "ttt-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static int remove_entry(const char *path, const struct stat *information, int type, struct FTW *place)
{
    (void)information, (void)type, (void)place;
    return remove(path);
}

void temporary_remove(char *folder)
{
    assert_int_equal(nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(folder);
}

int temporary_setup(void **state)
{
    *state = temporary_folder();
    return 0;
}

int temporary_teardown(void **state)
{
    temporary_remove(*state);
    return 0;
}

char *temporary_path(const char *folder, const char *format, ...)
{
    char *name, *path;
    va_list arguments;
    va_start(arguments, format);
    assert_true(vasprintf(&name, format, arguments) >= 0);
    va_end(arguments);
    assert_true(asprintf(&path, "%s/%s", folder, name) >= 0);
    free(name);
    return path;
}

void temporary_file(const char *folder, const char *name, const void *bytes, size_t size)
{
    char *path = temporary_path(folder, "%s", name);
    for (char *slash = path + strlen(folder) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        assert_true(mkdir(path, 0777) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    free(path);
}

uint8_t *temporary_read(const char *path, size_t *size)
{
    struct stat information;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &information), 0);
    *size = (size_t)information.st_size;
    uint8_t *bytes = check_alloc(*size + 1, 1);
    assert_int_equal(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

void temporary_check_same(const char *path, const char *other)
{
    size_t size, other_size;
    uint8_t *bytes = temporary_read(path, &size), *other_bytes = temporary_read(other, &other_size);
    assert_int_equal(size, other_size);
    assert_memory_equal(bytes, other_bytes, size);
    free(bytes);
    free(other_bytes);
}
