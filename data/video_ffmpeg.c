/* mp4 through the program ffmpeg: raw pictures go down a pipe, what it complains of is read from a file. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data/video_internal.h"

extern char **environ;

struct ffmpeg {
    pid_t process;
    int input;  /* a socket: unlike a pipe it can be written without raising SIGPIPE */
    int errors; /* a file in memory */
};

/* Starts the program with both ends in place. */
static int spawn(const char *path, int width, int height, int rate, int input, int errors, pid_t *process)
{
    char size[32], frames[16];
    snprintf(size, sizeof size, "%dx%d", width + width % 2, height + height % 2);
    snprintf(frames, sizeof frames, "%d", rate);
    const char *const arguments[] = {
        "ffmpeg",   "-hide_banner", "-loglevel",  "error",   "-y",       "-f",      "rawvideo",
        "-pix_fmt", "rgb24",        "-s",         size,      "-r",       frames,    "-i",
        "-",        "-an",          "-c:v",       "libx264", "-pix_fmt", "yuv420p", "-crf",
        "18",       "-movflags",    "+faststart", path,      NULL};
    posix_spawn_file_actions_t actions;
    int reason = posix_spawn_file_actions_init(&actions);
    if (reason)
        return reason;
    reason = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    if (!reason)
        reason = posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
    if (!reason)
        reason = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (!reason)
        reason =
            posix_spawnp(process, arguments[0], &actions, NULL, (char *const *)(void *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    return reason;
}

ttt_status ffmpeg_start(const char *path, int width, int height, int rate, struct ffmpeg **out)
{
    int ends[2] = {-1, -1}, errors = memfd_create("ffmpeg", MFD_CLOEXEC), reason = 0;
    struct ffmpeg *ffmpeg = calloc(1, sizeof *ffmpeg);
    *out = NULL;
    if (!ffmpeg || errors < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        reason = ffmpeg ? errno : ENOMEM;
    if (!reason)
        reason = spawn(path, width, height, rate, ends[1], errors, &ffmpeg->process);
    if (ends[1] >= 0)
        close(ends[1]);
    if (!reason) {
        ffmpeg->input = ends[0];
        ffmpeg->errors = errors;
        *out = ffmpeg;
        return TTT_OK;
    }
    if (ends[0] >= 0)
        close(ends[0]);
    if (errors >= 0)
        close(errors);
    free(ffmpeg);
    return ttt_fail(TTT_IO, "%s: ffmpeg cannot be started: %s", path, strerror(reason));
}

/* The first line that ffmpeg wrote, without bytes that are not printable. */
static void complaint(const struct ffmpeg *ffmpeg, char *text, size_t size)
{
    ssize_t got = pread(ffmpeg->errors, text, size - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    for (char *at = text; *at; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
}

static ttt_status send_bytes(struct ffmpeg *ffmpeg, const uint8_t *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = send(ffmpeg->input, bytes + done, size - done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            char text[256];
            complaint(ffmpeg, text, sizeof text);
            return ttt_fail(TTT_IO, "ffmpeg takes no more pictures: %s", *text ? text : "it has ended");
        }
        done += (size_t)n;
    }
    return TTT_OK;
}

/* H.264 in yuv420p takes even sides only: the last column and row are sent twice where that is needed. */
ttt_status ffmpeg_add(struct ffmpeg *ffmpeg, const struct image *picture)
{
    size_t row = (size_t)picture->width * 3;
    for (int y = 0; y < picture->height + picture->height % 2; y++) {
        const uint8_t *at = image_at(picture, 0, y < picture->height ? y : y - 1);
        TRY(send_bytes(ffmpeg, at, row));
        if (picture->width % 2)
            TRY(send_bytes(ffmpeg, at + row - 3, 3));
    }
    return TTT_OK;
}

static int end(struct ffmpeg *ffmpeg)
{
    int result = -1;
    close(ffmpeg->input);
    while (waitpid(ffmpeg->process, &result, 0) < 0 && errno == EINTR)
        ;
    return result;
}

ttt_status ffmpeg_finish(struct ffmpeg *ffmpeg)
{
    int result = end(ffmpeg);
    char text[256];
    complaint(ffmpeg, text, sizeof text);
    close(ffmpeg->errors);
    free(ffmpeg);
    if (WIFEXITED(result) && WEXITSTATUS(result) == 0)
        return TTT_OK;
    return ttt_fail(TTT_IO, "ffmpeg failed: %s", *text ? text : "it does not say why");
}

void ffmpeg_cancel(struct ffmpeg *ffmpeg)
{
    kill(ffmpeg->process, SIGTERM);
    end(ffmpeg);
    close(ffmpeg->errors);
    free(ffmpeg);
}
