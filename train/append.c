/* Line-wise appending that leaves only whole lines behind. */
#include "train/append.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The length up to and with the last newline. */
static ttt_status whole_lines(int fd, off_t size, off_t *length)
{
    char part[4096];
    *length = 0;
    for (off_t end = size; end > 0;) {
        const off_t start = end > (off_t)sizeof part ? end - (off_t)sizeof part : 0;
        if (pread(fd, part, (size_t)(end - start), start) != end - start)
            return ttt_fail(TTT_IO, "cannot read: %s", strerror(errno));
        const char *newline = memrchr(part, '\n', (size_t)(end - start));
        if (newline) {
            *length = start + (newline - part) + 1;
            return TTT_OK;
        }
        end = start;
    }
    return TTT_OK;
}

ttt_status append_open(const char *path, int *fd)
{
    struct stat info;
    off_t length;
    ttt_status status = TTT_OK;
    *fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0)
        return ttt_fail(TTT_IO, "%s: cannot open for writing: %s", path, strerror(errno));
    if (fstat(*fd, &info) != 0)
        status = ttt_fail(TTT_IO, "cannot stat: %s", strerror(errno));
    if (!status)
        status = whole_lines(*fd, info.st_size, &length);
    if (!status && length < info.st_size && ftruncate(*fd, length) != 0)
        status = ttt_fail(TTT_IO, "cannot cut a half-written line: %s", strerror(errno));
    if (status) {
        close(*fd);
        *fd = -1;
    }
    return ttt_within(status, "%s", path);
}

ttt_status append_line(int fd, const char *line)
{
    const off_t before = lseek(fd, 0, SEEK_END);
    size_t left = strlen(line);
    while (left) {
        ssize_t put = write(fd, line, left);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            const int code = errno;
            if (before >= 0 && ftruncate(fd, before) != 0)
                return ttt_fail(TTT_IO, "cannot write: %s, and a half-written line stays", strerror(code));
            return ttt_fail(TTT_IO, "cannot write: %s", strerror(code));
        }
        line += put;
        left -= (size_t)put;
    }
    return TTT_OK;
}
