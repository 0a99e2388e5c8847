/* What the readers of scene files share: pictures of entries, and the views collected so far. */
#ifndef DATA_SCENES_SCENE_READER_H
#define DATA_SCENES_SCENE_READER_H

#include <jansson.h>

#include "data/scenes/scene.h"

struct scene_reader {
    const struct scene_options *options;
    const char *folder;   /* in which file_path is looked up */
    struct scene *scene;  /* grows */
    uint32_t capacity;    /* of scene->views */
    uint32_t first_entry; /* of the file that is read */
};

/* Each reads one kind of file that is already parsed.  Errors lack the file's name. */
ttt_status scene_read_opencv(struct scene_reader *reader, const json_t *root)
    __attribute__((warn_unused_result));
ttt_status scene_read_transforms(struct scene_reader *reader, const json_t *root, const char *split)
    __attribute__((warn_unused_result));

/* The text at key file_path becomes the path and size of a picture: *path is the caller's to free, NULL when
 * the picture is missing and views without one are left out. */
ttt_status scene_find_picture(const struct scene_reader *reader, const json_t *entry, char **path, int *width,
                              int *height) __attribute__((warn_unused_result));

/* TTT_FORMAT unless the view's picture has the width and height that keys 'w' and 'h' state; 0: not stated.
 */
ttt_status scene_check_size(const struct scene_view *view, int width, int height)
    __attribute__((warn_unused_result));

/* Takes over a view's path and adds the view to the scene; `split` is copied. */
ttt_status scene_add_view(struct scene_reader *reader, struct scene_view *view, const char *split)
    __attribute__((warn_unused_result));

/* Reads camera_model and the distortion of an object, k1 k2 k3 p1 p2 or nerfstudio's list distortion_params,
 * on top of what *distortion holds.
 * TTT_UNSUPPORTED, naming it, for another model or another distortion that is not zero. */
ttt_status scene_read_lens(const json_t *object, struct distortion *distortion)
    __attribute__((warn_unused_result));

#endif
