/* JSON of scene files, read with bounds: nothing in such a file is trusted. */
#ifndef DATA_SCENES_SCENE_JSON_H
#define DATA_SCENES_SCENE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "data/scenes/pose.h"
#include "ttt/base/status.h"

/* Limits of a file: its bytes, its values (of which each takes up to a quarter KiB once parsed), nesting. */
enum { SCENE_JSON_BYTES = 64 << 20, SCENE_JSON_VALUES = 3 << 20, SCENE_JSON_DEPTH = 32 };

/* What an error line may show of a text from a file: one line, printable ASCII, bounded. */
struct scene_quote {
    char text[96];
};
struct scene_quote scene_quote(const char *text);

/* Parses a file; the caller releases *root with json_decref.
 *
 * The words NaN and Infinity, which Python writes, are taken for null, so that the key they stand at can be
 * named.  Duplicate keys, anything that is not JSON, and a file over the limits are TTT_FORMAT; the line
 * names the file, the line in it, and the entry of the list of views where there is one.  A file that is not
 * there is TTT_ARGUMENT. */
ttt_status scene_json_read(const char *path, json_t **root) __attribute__((warn_unused_result));

/* The functions below fail with TTT_FORMAT and a line that names the key; the caller adds file and entry. */

/* A finite number, low < value <= high.  Without the key *present is false and *value stays; where present is
 * NULL the key must be there. */
ttt_status scene_json_number(const json_t *object, const char *key, double low, double high, double *value,
                             bool *present) __attribute__((warn_unused_result));

/* A whole number of pixels, 1 .. SCENE_SIDE_MAX; also written 800.0. */
ttt_status scene_json_side(const json_t *object, const char *key, int *value, bool *present)
    __attribute__((warn_unused_result));

/* A text; it belongs to the object. */
ttt_status scene_json_text(const json_t *object, const char *key, const char **value, bool *present)
    __attribute__((warn_unused_result));

/* Four rows of four numbers that are a sound pose. */
ttt_status scene_json_pose(const json_t *object, const char *key, struct pose *pose)
    __attribute__((warn_unused_result));

#endif
