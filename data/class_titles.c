/* Classes' names for people. */
#include "data/pictures.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Splits a line of a titles file into the folder's name and the title, which point into it. */
static bool split_line(char *line, char **name, char **title)
{
    line[strcspn(line, "\r\n")] = '\0';
    char *tab = strchr(line, '\t');
    bool numbered = tab && tab > line && strspn(line, "0123456789") == (size_t)(tab - line);
    if (numbered && strchr(tab + 1, '\t')) {
        line = tab + 1;
        tab = strchr(line, '\t');
    }
    char *end = tab ? tab : line + strcspn(line, " ");
    if (*end == '\0' || end == line)
        return false;
    *end = '\0';
    *name = line;
    *title = end + 1 + strspn(end + 1, " \t");
    return **title != '\0';
}

static ttt_status set_title(struct pictures *set, const char *name, const char *title)
{
    int64_t label = pictures_find_class(set, name);
    if (label < 0)
        return TTT_OK;
    char *copy = strdup(title);
    if (!copy)
        return ttt_fail(TTT_MEMORY, "not enough memory for the title of class %s", name);
    free(set->class_titles[label]);
    set->class_titles[label] = copy;
    return TTT_OK;
}

ttt_status pictures_read_titles(struct pictures *set, const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return ttt_fail(TTT_IO, "%s: cannot be read: %s", path, strerror(errno));
    char *line = NULL, *name, *title;
    size_t capacity = 0;
    ttt_status status = TTT_OK;
    for (int number = 1; !status && getline(&line, &capacity, file) >= 0; number++) {
        if (line[strspn(line, " \t\r\n")] == '\0')
            continue;
        if (split_line(line, &name, &title))
            status = set_title(set, name, title);
        else
            status = ttt_fail(TTT_FORMAT, "%s:%d: should be a class folder, a tab or space, and its title",
                              path, number);
    }
    if (!status && ferror(file))
        status = ttt_fail(TTT_IO, "%s: cannot be read: %s", path, strerror(errno));
    free(line);
    fclose(file);
    return status;
}
