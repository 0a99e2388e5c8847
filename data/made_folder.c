/* Folders of made data. */
#include "data/made_folder.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "data/decode.h"
#include "data/image_write.h"

static const char MARKER[] = "made-by-ttt.txt";

ttt_status made_path(char path[PATH_MAX], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(path, PATH_MAX, format, arguments);
    va_end(arguments);
    if (length < 0 || length >= PATH_MAX)
        return ttt_fail(TTT_ARGUMENT, "%.64s...: the path is too long", path);
    return TTT_OK;
}

ttt_status made_folder_create(const char *path)
{
    char prefix[PATH_MAX];
    TRY(made_path(prefix, "%s", path));
    for (char *slash = prefix + 1;; slash++) {
        if (*slash != '/' && *slash != '\0')
            continue;
        char end = *slash;
        *slash = '\0';
        if (mkdir(prefix, 0777) && errno != EEXIST)
            return ttt_fail(TTT_IO, "%s: cannot create the folder: %s", prefix, strerror(errno));
        *slash = end;
        if (end == '\0')
            return TTT_OK;
    }
}

ttt_status made_file_write(const char *folder, const char *name, const uint8_t *bytes, size_t size)
{
    char hidden[PATH_MAX], path[PATH_MAX];
    TRY(made_path(hidden, "%s/.%s.part", folder, name));
    TRY(made_path(path, "%s/%s", folder, name));
    TRY(file_write(hidden, bytes, size));
    if (rename(hidden, path) == 0)
        return TTT_OK;
    int reason = errno;
    unlink(hidden);
    return ttt_fail(TTT_IO, "%s: cannot be written: %s", path, strerror(reason));
}

static ttt_status check_marker(const char *out, const char *expected)
{
    char path[PATH_MAX];
    uint8_t *bytes;
    size_t size;
    TRY(made_path(path, "%s/%s", out, MARKER));
    TRY(file_read(path, 4096, &bytes, &size));
    bool same = size == strlen(expected) && memcmp(bytes, expected, size) == 0;
    free(bytes);
    if (same)
        return TTT_OK;
    return ttt_fail(
        TTT_ARGUMENT,
        "%s: holds things made with other options, named in %s; delete the folder or name another", out,
        MARKER);
}

/* Refuses a folder with things in it that are not ours; *marked becomes true where the marker stands. */
static ttt_status check_out(const char *out, const char *expected, bool *marked)
{
    DIR *folder = opendir(out);
    if (!folder)
        return ttt_fail(TTT_IO, "%s: cannot be opened as a folder: %s", out, strerror(errno));
    bool other = false;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        const char *name = entry->d_name;
        if (strcmp(name, MARKER) == 0)
            *marked = true;
        else if (strcmp(name, ".") && strcmp(name, "..") && strcmp(name, ".made-by-ttt.txt.part"))
            other = true;
    }
    closedir(folder);
    if (*marked)
        return check_marker(out, expected);
    if (other)
        return ttt_fail(TTT_ARGUMENT,
                        "%s: the folder is not empty and was not made by this command; name a new one", out);
    return TTT_OK;
}

ttt_status made_folder_prepare(const char *out, const char *text)
{
    bool marked = false;
    if (!*out)
        return ttt_fail(TTT_ARGUMENT, "the output folder has an empty name");
    TRY(made_folder_create(out));
    TRY(check_out(out, text, &marked));
    return marked ? TTT_OK : made_file_write(out, MARKER, (const uint8_t *)text, strlen(text));
}

ttt_status made_explain_full_disk(const struct made_so_far *made, ttt_status status)
{
    struct statvfs disk;
    if (!status || ttt_status_code(status) != TTT_IO || statvfs(made->out, &disk))
        return status;
    int64_t block = (int64_t)(disk.f_frsize ? disk.f_frsize : 4096);
    int64_t each = made->files ? made->bytes / made->files : made->guess;
    /* Half a block is lost at the end of every file. */
    int64_t needed = (made->files_total - made->files) * (each + block / 2);
    int64_t free_bytes = (int64_t)disk.f_bavail * block;
    if (free_bytes >= needed)
        return status;
    return ttt_within(
        status, "%" PRId64 " of %" PRId64 " pictures made, the rest needs about %.1f MB, %.1f MB are free",
        made->files, made->files_total, (double)needed / 1e6, (double)free_bytes / 1e6);
}
