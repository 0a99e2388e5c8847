/* Camera models and distortion in scene files: what is served, and what is refused by name. */
#include <math.h>
#include <string.h>

#include "data/scenes/scene_json.h"
#include "data/scenes/scene_reader.h"

/* Models that OpenCV's five numbers hold; without distortion all are the same. */
static const char *const MODELS[] = {"OPENCV",        "PINHOLE", "SIMPLE_PINHOLE",
                                     "SIMPLE_RADIAL", "RADIAL",  "PERSPECTIVE"};

/* Distortion, or models, of other kinds: false, zero, or a list of nothing else, is none. */
static const char *const REFUSED[] = {
    /* clang-format off */
    "k4", "k5", "k6", "s1", "s2", "s3", "s4", "fisheye", "is_fisheye",
    "ftheta_p0", "ftheta_p1", "ftheta_p2", "ftheta_p3", "ftheta_p4",
    "latlong", "equirectangular", "orthographic",
    /* Lists, in an order that the file does not state. */
    "distortion", "distortion_coefficients", "distortion_coeffs", "dist", "dist_coeffs", "dist_coefs",
    "distCoeffs", "radial_distortion", "tangential_distortion",
    /* clang-format on */
};

/* What nerfstudio's "distortion_params" lists; there is no room in OpenCV's model for k4. */
enum { K1, K2, K3, K4, P1, P2, PARAMS };

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

/* Reads nerfstudio's list, which stands in place of the single numbers. */
static ttt_status read_params(const json_t *object, struct distortion *distortion)
{
    const json_t *list = json_object_get(object, "distortion_params");
    double params[PARAMS];
    if (!list)
        return TTT_OK;
    if (json_array_size(list) != PARAMS)
        return ttt_fail(TTT_FORMAT, "key 'distortion_params' has %zu numbers: must be k1 k2 k3 k4 p1 p2",
                        json_array_size(list));
    for (int i = 0; i < PARAMS; i++) {
        const json_t *value = json_array_get(list, (size_t)i);
        params[i] = json_number_value(value);
        if (!json_is_number(value) || !(fabs(params[i]) <= 1e6))
            return ttt_fail(TTT_FORMAT, "key 'distortion_params': number %d is not within -1e6 and 1e6", i);
    }
    if (params[K4] != 0)
        return ttt_fail(
            TTT_UNSUPPORTED,
            "key 'distortion_params': k4, its fourth number, is %g and is not served; undistort the "
            "pictures first",
            params[K4]);
    *distortion = (struct distortion){params[K1], params[K2], params[K3], params[P1], params[P2]};
    return TTT_OK;
}

static bool is_none(const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!is_none(json_array_get(value, i)))
            return false;
    return !value || json_is_false(value) || json_is_array(value) ||
           (json_is_number(value) && json_number_value(value) == 0);
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
    TRY(read_params(object, distortion));
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++)
        if (!is_none(json_object_get(object, REFUSED[i])))
            return ttt_fail(TTT_UNSUPPORTED,
                            "key '%s': this distortion or camera is not served (k1 k2 k3 p1 p2 and "
                            "nerfstudio's distortion_params are); undistort the pictures first",
                            REFUSED[i]);
    return TTT_OK;
}
