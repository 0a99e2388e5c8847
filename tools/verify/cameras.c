/* Kind cameras: poses (views, 4, 4), camera-to-world with the axes of OpenCV, in.c2w.
 *
 * out.w2c are their inverses, out.c2w_opengl the same cameras with OpenGL's axes, and
 * out.mean_pose_normalised[_FACTOR] the poses normalised by their mean with a factor, 1 where none is named.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/scenes/pose.h"
#include "tools/verify/kind.h"

enum { VIEWS_MAX = 100000 };

static const char NORMALISED[] = "out.mean_pose_normalised";

struct cameras {
    size_t count;
    struct pose *given, *computed; /* (count) */
};

/* Computes the tensor called `name` into c->computed. */
static ttt_status compute(const struct cameras *c, const char *name)
{
    double factor = 1;
    char *end = NULL;
    bool inverse = !strcmp(name, "out.w2c"), opengl = !strcmp(name, "out.c2w_opengl");
    if (!strncmp(name, NORMALISED, strlen(NORMALISED)) && name[strlen(NORMALISED)] == '_')
        factor = strtod(name + strlen(NORMALISED) + 1, &end);
    bool named =
        end ? *end == '\0' && isfinite(factor) && factor > 0 : inverse || opengl || !strcmp(name, NORMALISED);
    if (!named)
        return ttt_fail(TTT_FORMAT, "the name of tensor '%s' does not say what it is", name);
    struct pose_frame frame = pose_frame_of(POSES_MEAN, factor, c->given, c->count);
    for (size_t i = 0; i < c->count; i++)
        c->computed[i] = inverse  ? pose_inverse(&c->given[i])
                         : opengl ? pose_flip_axes(&c->given[i])
                                  : pose_in_frame(&frame, &c->given[i]);
    return TTT_OK;
}

static ttt_status check_all(const struct fixture *fixture, const struct cameras *c, struct report *report)
{
    for (size_t i = 0; i < c->count; i++)
        TRY(ttt_within(pose_check(&c->given[i]), "'in.c2w', view %zu", i));
    for (size_t i = 0; i < safetensors_count(fixture->file); i++) {
        const safetensors_tensor *expected = safetensors_at(fixture->file, i);
        if (strncmp(expected->name, "out.", 4))
            continue;
        TRY(fixture_tensor(fixture, "", expected->name, ttt_dims((int64_t)c->count, 4, 4), &expected));
        TRY(compute(c, expected->name));
        TRY(report_doubles(report, expected, &c->computed[0].m[0][0], VERIFY_OUTPUT));
    }
    return TTT_OK;
}

ttt_status verify_cameras(const struct fixture *fixture, const struct verify_place *place,
                          struct report *report)
{
    (void)place;
    const safetensors_tensor *given;
    TRY(fixture_tensor_of_rank(fixture, "in.c2w", 3, &given));
    if (given->shape[0] > VIEWS_MAX || given->shape[1] != 4 || given->shape[2] != 4)
        return ttt_fail(TTT_FORMAT, "tensor 'in.c2w' is not (1 to %d, 4, 4)", VIEWS_MAX);
    struct cameras c = {.count = (size_t)given->shape[0]};
    c.given = calloc(c.count, sizeof *c.given);
    c.computed = calloc(c.count, sizeof *c.computed);
    ttt_status status;
    if (c.given && c.computed) {
        safetensors_to_f64(given, &c.given[0].m[0][0]);
        status = check_all(fixture, &c, report);
    } else {
        status = ttt_fail(TTT_MEMORY, "out of memory for %zu poses", c.count);
    }
    free(c.given);
    free(c.computed);
    return status;
}
