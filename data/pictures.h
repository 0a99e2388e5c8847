/* Pictures in class folders, as ImageNet comes: ROOT/train/CLASS/NAME.jpg, ROOT/val/CLASS/NAME.jpg;
 * .jpeg and .png count too.
 *
 * Classes are the folders' names in byte order, pictures of a class the files' names in byte order; letters
 * of an extension may be of either case.  Links are followed, hidden files and other extensions are left out.
 */
#ifndef DATA_PICTURES_H
#define DATA_PICTURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ttt/base/status.h"

struct pictures {
    char *folder; /* ROOT/train */
    uint32_t class_count;
    char **class_names;  /* (class_count) folders */
    char **class_titles; /* (class_count) names for people; those of the folders where no others are known */
    uint32_t
        *class_first; /* (class_count + 1): class c holds pictures class_first[c] .. class_first[c + 1] - 1 */
    uint32_t count;   /* of pictures */
    uint32_t ignored; /* files with another extension */
    size_t *names;    /* (count) offsets into text */
    char *text;       /* file names, each ending in a zero byte */
};

/* Lists ROOT/split; with split "" the class folders stand in ROOT itself.  No picture is opened.
 *
 * like   a set whose classes these pictures belong to: labels are its, a class of it may be missing here;
 * NULL for a set with classes of its own out    owned by the caller, who frees it with pictures_free; NULL on
 * failure
 *
 * Titles come from ROOT/classes.txt where there is one: lines "folder title", "folder<tab>title" or
 * "number<tab>folder<tab>title".
 *
 * TTT_ARGUMENT  a missing or empty folder, a class without pictures, a class that `like` does not have
 * TTT_IO        a folder that cannot be read;  TTT_FORMAT  a line of classes.txt;  TTT_MEMORY
 */
ttt_status pictures_open(const char *root, const char *split, const struct pictures *like,
                         struct pictures **out) __attribute__((warn_unused_result));

/* NULL is allowed. */
void pictures_free(struct pictures *set);

/* Whether ROOT/split is a folder (or a link to one). */
bool pictures_exist(const char *root, const char *split);

/* The class of a picture, 0 .. class_count - 1. */
uint32_t pictures_label(const struct pictures *set, uint32_t picture);

/* The position of a class by its folder's name, or -1. */
int64_t pictures_find_class(const struct pictures *set, const char *name);

/* The path of a picture, which the caller frees.  TTT_MEMORY. */
ttt_status pictures_path(const struct pictures *set, uint32_t picture, char **path)
    __attribute__((warn_unused_result));

/* Takes titles from a file as described above; folders that it does not name keep their title. */
ttt_status pictures_read_titles(struct pictures *set, const char *path) __attribute__((warn_unused_result));

#endif
