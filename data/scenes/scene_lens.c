/* Camera models and distortion in scene files: what is served, and what is refused by name. */
#include <math.h>
#include <string.h>

#include "data/scenes/scene_json.h"
#include "data/scenes/scene_reader.h"

/* Models that OpenCV's five numbers hold; without distortion all are the same. */
static const char *const MODELS[] = {"OPENCV",        "PINHOLE", "SIMPLE_PINHOLE",
                                     "SIMPLE_RADIAL", "RADIAL",  "PERSPECTIVE"};

/* Distortion, or models, of other kinds: false or zero is none. */
static const char *const REFUSED[] = {"k4",          "k5",        "k6",        "s1",
                                      "s2",          "s3",        "s4",        "fisheye",
                                      "is_fisheye",  "ftheta_p0", "ftheta_p1", "ftheta_p2",
                                      "ftheta_p3",   "ftheta_p4", "latlong",   "equirectangular",
                                      "orthographic"};

static ttt_status check_model(const json_t *object)
{
    const char *model;
    bool present;
    TRY(scene_json_text(object, "camera_model", &model, &present));
    for (size_t i = 0; present && i < sizeof MODELS / sizeof *MODELS; i++)
        present = strcmp(model, MODELS[i]) != 0;
    if (!present)
        return TTT_OK;
    return ttt_fail(TTT_UNSUPPORTED,
                    "key 'camera_model' is '%s': OPENCV, PINHOLE and RADIAL are served; undistort the "
                    "pictures first",
                    scene_quote(model).text);
}

ttt_status scene_read_lens(const json_t *object, struct distortion *distortion)
{
    struct {
        const char *key;
        double *value;
    } served[] = {{"k1", &distortion->k1},
                  {"k2", &distortion->k2},
                  {"k3", &distortion->k3},
                  {"p1", &distortion->p1},
                  {"p2", &distortion->p2}};
    bool present;
    TRY(check_model(object));
    for (size_t i = 0; i < sizeof served / sizeof *served; i++)
        TRY(scene_json_number(object, served[i].key, -1e6, 1e6, served[i].value, &present));
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        const json_t *value = json_object_get(object, REFUSED[i]);
        bool none =
            !value || json_is_false(value) || (json_is_number(value) && json_number_value(value) == 0);
        if (!none)
            return ttt_fail(
                TTT_UNSUPPORTED,
                "key '%s': this distortion or camera is not served (k1 k2 k3 p1 p2 are); undistort "
                "the pictures first",
                REFUSED[i]);
    }
    return TTT_OK;
}
