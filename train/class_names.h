/* The classes of a run, in its classes.txt: a line "folder<TAB>title" each, in the order of the labels. */
#ifndef TRAIN_CLASS_NAMES_H
#define TRAIN_CLASS_NAMES_H

#include "data/pictures.h"

/* Writes FOLDER/classes.txt, which becomes visible when it is whole.
 * TTT_UNSUPPORTED for a class folder whose name has a control character; TTT_IO. */
ttt_status class_names_write(const struct pictures *set, const char *folder)
    __attribute__((warn_unused_result));

/* Reads FOLDER/classes.txt into a set without pictures, which the caller frees with pictures_free; NULL where
 * there is no such file.  TTT_FORMAT for a line that is not one of class_names_write, TTT_IO. */
ttt_status class_names_read(const char *folder, struct pictures **classes)
    __attribute__((warn_unused_result));

#endif
