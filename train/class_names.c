/* Remembering what the labels of a run stand for. */
#include "train/class_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "train/run_folder.h"

static bool has_control_character(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ')
            return true;
    return false;
}

static ttt_status write_lines(const struct pictures *set, const char *path)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return ttt_fail(TTT_IO, "%s: cannot be written: %s", path, strerror(errno));
    for (uint32_t c = 0; c < set->class_count; c++) {
        fprintf(file, "%s\t", set->class_names[c]);
        for (const char *at = set->class_titles[c]; *at; at++)
            fputc((unsigned char)*at < ' ' ? '?' : *at, file);
        fputc('\n', file);
    }
    bool failed = fflush(file) || ferror(file) || fsync(fileno(file));
    ttt_status status = failed ? ttt_fail(TTT_IO, "%s: writing failed: %s", path, strerror(errno)) : TTT_OK;
    fclose(file);
    return status;
}

ttt_status class_names_write(const struct pictures *set, const char *folder)
{
    char *hidden = NULL, *path = NULL;
    ttt_status status;
    for (uint32_t c = 0; c < set->class_count; c++)
        if (has_control_character(set->class_names[c]))
            return ttt_fail(TTT_UNSUPPORTED,
                            "%s: the name of class folder %u has a control character; rename it", set->folder,
                            c);
    TRY_TO(path_join(folder, ".classes.txt", &hidden), cleanup);
    TRY_TO(path_join(folder, "classes.txt", &path), cleanup);
    TRY_TO(write_lines(set, hidden), cleanup);
    if (rename(hidden, path))
        status = ttt_fail(TTT_IO, "%s: cannot be written: %s", path, strerror(errno));
    else
        status = folder_sync(folder);
cleanup:
    free(path);
    free(hidden);
    return status;
}

/* Appends the class of one line; the arrays have room for 2^n entries whenever they are full. */
static ttt_status add_line(struct pictures *classes, char *line, const char *path)
{
    uint32_t count = classes->class_count;
    line[strcspn(line, "\n")] = '\0';
    char *tab = strchr(line, '\t');
    if (!tab || tab == line || !tab[1])
        return ttt_fail(TTT_FORMAT, "%s:%u: should be a class folder, a tab, and its title", path, count + 1);
    *tab = '\0';
    if (!(count & (count - 1))) {
        size_t room = count ? 2 * (size_t)count : 1;
        char **names = realloc(classes->class_names, room * sizeof *names);
        if (names)
            classes->class_names = names;
        char **titles = realloc(classes->class_titles, room * sizeof *titles);
        if (titles)
            classes->class_titles = titles;
        if (!names || !titles)
            return ttt_fail(TTT_MEMORY, "%s: no memory for the classes", path);
    }
    classes->class_names[count] = strdup(line);
    classes->class_titles[count] = strdup(tab + 1);
    classes->class_count++;
    return classes->class_names[count] && classes->class_titles[count]
               ? TTT_OK
               : ttt_fail(TTT_MEMORY, "%s: no memory for the classes", path);
}

static ttt_status read_lines(struct pictures *classes, FILE *file, const char *path)
{
    char *line = NULL;
    size_t room = 0;
    ttt_status status = TTT_OK;
    while (!status && getline(&line, &room, file) >= 0)
        status = add_line(classes, line, path);
    if (!status && ferror(file))
        status = ttt_fail(TTT_IO, "%s: cannot be read: %s", path, strerror(errno));
    if (!status && !classes->class_count)
        status = ttt_fail(TTT_FORMAT, "%s: empty", path);
    free(line);
    return status;
}

ttt_status class_names_read(const char *folder, struct pictures **classes)
{
    char *path;
    *classes = NULL;
    TRY(path_join(folder, "classes.txt", &path));
    FILE *file = fopen(path, "re");
    ttt_status status = TTT_OK;
    if (!file && errno != ENOENT)
        status = ttt_fail(TTT_IO, "%s: cannot be read: %s", path, strerror(errno));
    if (file) {
        *classes = calloc(1, sizeof **classes);
        if (*classes)
            (*classes)->folder = strdup(folder);
        status = *classes && (*classes)->folder ? read_lines(*classes, file, path)
                                                : ttt_fail(TTT_MEMORY, "%s: no memory", path);
        fclose(file);
    }
    if (status) {
        pictures_free(*classes);
        *classes = NULL;
    }
    free(path);
    return status;
}
