/* Reading opencv_cameras.json. */
#include <stdlib.h>

#include "data/scenes/scene_json.h"
#include "data/scenes/scene_reader.h"

/* Everything of a view but its picture. */
static ttt_status read_camera(const json_t *entry, struct scene_view *view, int *width, int *height,
                              const char **split)
{
    struct pose w2c;
    bool present;
    if (!json_is_object(entry))
        return ttt_fail(TTT_FORMAT, "is not an object {...}");
    TRY(scene_json_side(entry, "w", width, NULL));
    TRY(scene_json_side(entry, "h", height, NULL));
    TRY(scene_json_number(entry, "fx", 0, 1e7, &view->fxfycxcy[0], NULL));
    TRY(scene_json_number(entry, "fy", 0, 1e7, &view->fxfycxcy[1], NULL));
    TRY(scene_json_number(entry, "cx", -1e7, 1e7, &view->fxfycxcy[2], NULL));
    TRY(scene_json_number(entry, "cy", -1e7, 1e7, &view->fxfycxcy[3], NULL));
    TRY(scene_json_pose(entry, "w2c", &w2c));
    TRY(scene_read_lens(entry, &view->distortion));
    TRY(scene_json_text(entry, "split", split, &present));
    view->c2w = pose_inverse(&w2c);
    return TTT_OK;
}

static ttt_status read_entry(struct scene_reader *reader, const json_t *entry, uint32_t number)
{
    struct scene_view view = {.entry = number};
    int width = 0, height = 0;
    const char *split = "";
    TRY(read_camera(entry, &view, &width, &height, &split));
    TRY(scene_find_picture(reader, entry, &view.path, &view.width, &view.height));
    if (!view.path) {
        reader->scene->missing++;
        return TTT_OK;
    }
    ttt_status status = scene_check_size(&view, width, height);
    if (!status)
        return scene_add_view(reader, &view, split);
    free(view.path);
    return status;
}

ttt_status scene_read_opencv(struct scene_reader *reader, const json_t *root)
{
    if (json_array_size(root) > SCENE_VIEWS_MAX)
        return ttt_fail(TTT_FORMAT, "lists %zu views, over the limit of %d", json_array_size(root),
                        SCENE_VIEWS_MAX);
    if (json_array_size(root) == 0)
        return ttt_fail(TTT_FORMAT, "lists no views: it is an empty list");
    for (size_t i = 0; i < json_array_size(root); i++)
        TRY(ttt_within(read_entry(reader, json_array_get(root, i), reader->first_entry + (uint32_t)i),
                       "entry %zu", i));
    return TTT_OK;
}
