/* Judging axes: by matching patches between neighbouring views, else by where the cameras look. */
#include "data/scenes/scene_axes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/scenes/axes_match.h"
#include "data/scenes/view.h"

/* Longer side of the pictures that are matched: enough for texture, little enough for coarse poses. */
enum { LONG_SIDE = 128 };

enum { PAIRS_MAX = 16 };

/* Views this far apart overlap well and still tell readings apart. */
static const double GOOD_ANGLE = 12 * M_PI / 180, GOOD_BASELINE = 0.15;

/* Fewer points than this say nothing. */
enum { POINTS_LEAST = 150 };

/* How much better a reading must match.  Wrong readings of six real scenes match worse by 0.038 (rolled
 * cameras, since what they look at stays in the middle) to 0.7. */
static const double MARGIN = 0.03;

/* To contradict the file the pairs must agree, too: the lead must be this many of its standard errors. Rolled
 * cameras come to 4 and more; chance in a blurred indoor video gives leads over the margin, but only of 1. */
static const double AGREEMENT = 2;

/* Sums of best correlations over the points of each pair of views. */
struct matches {
    uint32_t pairs;
    double sums[PAIRS_MAX][AXES_READINGS];
};

struct pose axes_read(const struct pose *c2w, enum axes_reading reading)
{
    static const struct {
        bool inverted;
        int sign[3]; /* of columns 0, 1, 2 */
    } readings[AXES_READINGS] = {
        [AXES_AS_GIVEN] = {false, {1, 1, 1}}, [AXES_FLIPPED] = {false, {1, -1, -1}},
        [AXES_INVERTED] = {true, {1, 1, 1}},  [AXES_INVERTED_FLIPPED] = {true, {1, -1, -1}},
        [AXES_ROLLED] = {false, {-1, -1, 1}}, [AXES_TURNED] = {false, {-1, 1, -1}},
    };
    struct pose pose = readings[reading].inverted ? pose_inverse(c2w) : *c2w;
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            pose.m[i][k] *= readings[reading].sign[k];
    return pose;
}

static double distance(const struct pose *a, const struct pose *b)
{
    double sum = 0;
    for (int i = 0; i < 3; i++)
        sum += (a->m[i][3] - b->m[i][3]) * (a->m[i][3] - b->m[i][3]);
    return sqrt(sum);
}

/* The angle of the rotation between two cameras, which is the same for every reading. */
static double rotation_angle(const struct pose *a, const struct pose *b)
{
    double trace = 0;
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            trace += a->m[i][k] * b->m[i][k];
    return acos(fmax(-1, fmin(1, 0.5 * (trace - 1))));
}

/* The view that goes best with view i; i itself where there is none. */
static uint32_t partner_of(const struct scene *scene, uint32_t i, double extent)
{
    double least = INFINITY;
    uint32_t best = i;
    for (uint32_t k = 0; k < scene->view_count; k++) {
        const struct pose *a = &scene->views[i].c2w, *b = &scene->views[k].c2w;
        double baseline = extent > 0 ? distance(a, b) / extent : 0;
        double cost = fabs(rotation_angle(a, b) - GOOD_ANGLE) / GOOD_ANGLE + fabs(baseline - GOOD_BASELINE);
        if (k != i && cost < least) {
            least = cost;
            best = k;
        }
    }
    return best;
}

/* Largest distance of a camera from the first: the measure of baselines. */
static double extent_of(const struct scene *scene)
{
    double extent = 0;
    for (uint32_t i = 1; i < scene->view_count; i++)
        extent = fmax(extent, distance(&scene->views[0].c2w, &scene->views[i].c2w));
    return extent;
}

static ttt_status load_plane(const struct scene_view *view, struct axes_plane *plane)
{
    struct image picture;
    int longer = view->width > view->height ? view->width : view->height;
    plane->width = (int)fmax(rint((double)view->width * LONG_SIDE / longer), 8);
    plane->height = (int)fmax(rint((double)view->height * LONG_SIDE / longer), 8);
    TRY(view_intrinsics(view, plane->height, plane->width, plane->fxfycxcy));
    TRY(view_load(view, plane->height, plane->width, &picture));
    ttt_status status = axes_plane_fill(plane, picture.pixels);
    image_free(&picture);
    return status;
}

/* Matches one pair under every reading. */
static void match_pair(const struct scene *scene, const uint32_t pair[2], const struct axes_plane planes[2],
                       double sums[AXES_READINGS], uint32_t *points)
{
    uint32_t matched = 0;
    for (int r = 0; r < AXES_READINGS; r++) {
        struct pose from = axes_read(&scene->views[pair[0]].c2w, (enum axes_reading)r);
        struct pose to = axes_read(&scene->views[pair[1]].c2w, (enum axes_reading)r);
        struct pose world_to = pose_inverse(&to), relative = pose_product(&world_to, &from);
        sums[r] = axes_match(&planes[0], &planes[1], &relative, &matched);
    }
    *points += matched;
}

static ttt_status match_views(const struct scene *scene, struct matches *matches, struct scene_axes *axes)
{
    const double extent = extent_of(scene);
    matches->pairs = scene->view_count < PAIRS_MAX ? scene->view_count : PAIRS_MAX;
    for (uint32_t p = 0; p < matches->pairs; p++) {
        uint32_t first = (uint32_t)((uint64_t)p * scene->view_count / matches->pairs);
        const uint32_t pair[2] = {first, partner_of(scene, first, extent)};
        struct axes_plane planes[2] = {0};
        ttt_status status = load_plane(&scene->views[pair[0]], &planes[0]);
        if (!status)
            status = load_plane(&scene->views[pair[1]], &planes[1]);
        if (!status)
            match_pair(scene, pair, planes, matches->sums[p], &axes->points);
        axes_plane_free(&planes[0]);
        axes_plane_free(&planes[1]);
        TRY(status);
    }
    for (int r = 0; r < AXES_READINGS; r++)
        for (uint32_t p = 0; p < matches->pairs && axes->points > 0; p++)
            axes->score[r] += matches->sums[p][r] / axes->points;
    return TTT_OK;
}

/* Whether a reading's lead over the file's own is no chance among pairs that disagree. */
static bool pairs_agree(const struct matches *matches, enum axes_reading reading)
{
    const double count = matches->pairs;
    double sum = 0, squares = 0;
    for (uint32_t p = 0; p < matches->pairs; p++) {
        double lead = matches->sums[p][reading] - matches->sums[p][AXES_AS_GIVEN];
        sum += lead;
        squares += lead * lead;
    }
    double variance = fmax(0, (squares - sum * sum / count) / (count - 1)); /* of one pair's lead */
    return sum > AGREEMENT * sqrt(count * variance);
}

/* +1: the axes meet in front of both cameras; -1: behind both; 0: neither, or nearly parallel. */
static int meeting(const struct pose *a, const struct pose *b)
{
    double between[3], ab = 0, da = 0, db = 0;
    for (int i = 0; i < 3; i++) {
        between[i] = b->m[i][3] - a->m[i][3];
        ab += a->m[i][2] * b->m[i][2];
        da += between[i] * a->m[i][2];
        db += between[i] * b->m[i][2];
    }
    double square = 1 - ab * ab;
    if (square < 0.0027) /* 3 degrees */
        return 0;
    double along_a = (da - ab * db) / square, along_b = (ab * da - db) / square;
    return along_a > 0 && along_b > 0 ? 1 : along_a < 0 && along_b < 0 ? -1 : 0;
}

/* Over all pairs, of at most some hundred views. */
static void count_meetings(const struct scene *scene, struct scene_axes *axes)
{
    uint32_t stride = scene->view_count / 200 + 1;
    for (uint32_t i = 0; i < scene->view_count; i += stride)
        for (uint32_t k = i + stride; k < scene->view_count; k += stride) {
            int sign = meeting(&scene->views[i].c2w, &scene->views[k].c2w);
            axes->meeting += sign > 0;
            axes->parting += sign < 0;
        }
}

ttt_status scene_axes_judge(const struct scene *scene, struct scene_axes *axes)
{
    *axes = (struct scene_axes){0};
    if (scene->view_count < 2)
        return TTT_OK;
    struct matches matches = {0};
    count_meetings(scene, axes);
    TRY(match_views(scene, &matches, axes));
    if (axes->points >= POINTS_LEAST) {
        for (int r = 1; r < AXES_READINGS; r++)
            if (axes->score[r] > axes->score[axes->best])
                axes->best = (enum axes_reading)r;
        double lead = axes->score[axes->best] - axes->score[AXES_AS_GIVEN];
        axes->suspect = lead > MARGIN && pairs_agree(&matches, axes->best);
        double others = 0;
        for (int r = 1; r < AXES_READINGS; r++)
            others = fmax(others, axes->score[r]);
        axes->by_pictures = axes->suspect || axes->score[AXES_AS_GIVEN] - others > MARGIN;
    }
    if (!axes->by_pictures) {
        axes->best = AXES_AS_GIVEN;
        axes->suspect = axes->parting > axes->meeting;
    }
    return TTT_OK;
}
