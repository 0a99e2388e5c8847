/* Reading transforms*.json of nerfstudio, instant-ngp and Blender. */
#include <math.h>
#include <stdlib.h>

#include "data/scenes/scene_json.h"
#include "data/scenes/scene_reader.h"

/* What the file states of the intrinsics, for all frames or for one; zero: not stated. */
struct intrinsics {
    int width, height;
    double fl_x, fl_y, angle_x, angle_y;
    double cx, cy;
    bool has_cx, has_cy;
    struct distortion distortion;
};

/* Reads what an object states on top of what *in holds. */
static ttt_status read_intrinsics(const json_t *object, struct intrinsics *in)
{
    bool present, has_cx, has_cy;
    TRY(scene_json_side(object, "w", &in->width, &present));
    TRY(scene_json_side(object, "h", &in->height, &present));
    TRY(scene_json_number(object, "fl_x", 0, 1e7, &in->fl_x, &present));
    TRY(scene_json_number(object, "fl_y", 0, 1e7, &in->fl_y, &present));
    TRY(scene_json_number(object, "camera_angle_x", 0, 3.1, &in->angle_x, &present));
    TRY(scene_json_number(object, "camera_angle_y", 0, 3.1, &in->angle_y, &present));
    TRY(scene_json_number(object, "cx", -1e7, 1e7, &in->cx, &has_cx));
    TRY(scene_json_number(object, "cy", -1e7, 1e7, &in->cy, &has_cy));
    in->has_cx |= has_cx;
    in->has_cy |= has_cy;
    return scene_read_lens(object, &in->distortion);
}

static double focal_of_angle(double angle, int side)
{
    return 0.5 * side / tan(0.5 * angle);
}

/* fl_x, else the angle; the vertical focal length without statement of its own equals the horizontal one. */
static ttt_status fill_intrinsics(const struct intrinsics *in, struct scene_view *view)
{
    double fx = in->fl_x, fy = in->fl_y;
    if (fx == 0 && in->angle_x > 0)
        fx = focal_of_angle(in->angle_x, view->width);
    if (fy == 0 && in->fl_x == 0 && in->angle_y > 0)
        fy = focal_of_angle(in->angle_y, view->height);
    if (fx == 0)
        return ttt_fail(TTT_FORMAT, "keys 'fl_x' and 'camera_angle_x' are missing, here and at the top");
    view->fxfycxcy[0] = fx;
    view->fxfycxcy[1] = fy > 0 ? fy : fx;
    view->fxfycxcy[2] = in->has_cx ? in->cx : 0.5 * view->width;
    view->fxfycxcy[3] = in->has_cy ? in->cy : 0.5 * view->height;
    view->distortion = in->distortion;
    return TTT_OK;
}

static ttt_status read_frame(struct scene_reader *reader, const json_t *frame, struct intrinsics in,
                             const char *split, uint32_t number)
{
    struct scene_view view = {.entry = number};
    struct pose opengl;
    bool present;
    if (!json_is_object(frame))
        return ttt_fail(TTT_FORMAT, "is not an object {...}");
    TRY(scene_json_pose(frame, "transform_matrix", &opengl));
    TRY(read_intrinsics(frame, &in));
    TRY(scene_json_text(frame, "split", &split, &present));
    view.c2w = pose_flip_axes(&opengl);
    TRY(scene_find_picture(reader, frame, &view.path, &view.width, &view.height));
    if (!view.path) {
        reader->scene->missing++;
        return TTT_OK;
    }
    ttt_status status;
    TRY_TO(scene_check_size(&view, in.width, in.height), failed);
    TRY_TO(fill_intrinsics(&in, &view), failed);
    return scene_add_view(reader, &view, split);
failed:
    free(view.path);
    return status;
}

ttt_status scene_read_transforms(struct scene_reader *reader, const json_t *root, const char *split)
{
    struct intrinsics shared = {0};
    const json_t *frames = json_object_get(root, "frames");
    if (!json_is_array(frames))
        return ttt_fail(TTT_FORMAT, "key 'frames' is %s", frames ? "not a list" : "missing");
    if (json_array_size(frames) > SCENE_VIEWS_MAX)
        return ttt_fail(TTT_FORMAT, "key 'frames' lists %zu views, over the limit of %d",
                        json_array_size(frames), SCENE_VIEWS_MAX);
    /* One split of several may be empty. */
    if (json_array_size(frames) == 0 && !*split)
        return ttt_fail(TTT_FORMAT, "key 'frames' lists no views");
    TRY(read_intrinsics(root, &shared));
    for (size_t i = 0; i < json_array_size(frames); i++)
        TRY(ttt_within(
            read_frame(reader, json_array_get(frames, i), shared, split, reader->first_entry + (uint32_t)i),
            "entry %zu", i));
    return TTT_OK;
}
