/* A plane sweep over a grid of points. */
#include "data/scenes/axes_match.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* Patches of 7x7 pixels; points every 6 pixels; 96 depths move a point by 1 to 2 pixels each. */
enum { RADIUS = 3, SIDE = 2 * RADIUS + 1, PATCH = SIDE * SIDE, STRIDE = 6, DEPTHS = 96 };

/* Standard deviation of a patch with texture, in levels of 0..255. */
static const float TEXTURE = 8;

struct patch {
    float values[PATCH]; /* zero mean, unit length */
};

ttt_status axes_plane_fill(struct axes_plane *plane, const uint8_t *pixels)
{
    size_t count = (size_t)plane->width * (size_t)plane->height;
    plane->grey = malloc(count * sizeof *plane->grey);
    if (!plane->grey)
        return ttt_fail(TTT_MEMORY, "not enough memory to compare views");
    for (size_t i = 0; i < count; i++)
        plane->grey[i] = 0.299f * pixels[3 * i] + 0.587f * pixels[3 * i + 1] + 0.114f * pixels[3 * i + 2];
    return TTT_OK;
}

void axes_plane_free(struct axes_plane *plane)
{
    free(plane->grey);
    plane->grey = NULL;
}

/* The patch around the pixel (x, y), whose neighbourhood lies inside; false where it has no texture. */
static bool read_patch(const struct axes_plane *plane, int x, int y, struct patch *patch)
{
    float mean = 0, square = 0;
    for (int i = 0; i < PATCH; i++) {
        int row = y + i / SIDE - RADIUS, column = x + i % SIDE - RADIUS;
        patch->values[i] = plane->grey[(size_t)row * (size_t)plane->width + (size_t)column];
        mean += patch->values[i];
    }
    mean /= PATCH;
    for (int i = 0; i < PATCH; i++) {
        patch->values[i] -= mean;
        square += patch->values[i] * patch->values[i];
    }
    if (square < TEXTURE * TEXTURE * PATCH)
        return false;
    float scale = 1 / sqrtf(square);
    for (int i = 0; i < PATCH; i++)
        patch->values[i] *= scale;
    return true;
}

/* Correlation of a patch with b around (x, y); 0 where that is outside or flat. */
static float correlate(const struct patch *patch, const struct axes_plane *b, double x, double y)
{
    int column = (int)lrint(fmax(-1, fmin(x - 0.5, b->width)));
    int row = (int)lrint(fmax(-1, fmin(y - 0.5, b->height)));
    struct patch other;
    if (column < RADIUS || row < RADIUS || column >= b->width - RADIUS || row >= b->height - RADIUS ||
        !read_patch(b, column, row, &other))
        return 0;
    float sum = 0;
    for (int i = 0; i < PATCH; i++)
        sum += patch->values[i] * other.values[i];
    return sum;
}

/* The best correlation of the patch at pixel (x, y) over all depths. */
static float best_match(const struct axes_plane *a, const struct axes_plane *b, const struct pose *relative,
                        const struct patch *patch, int x, int y)
{
    const double *k = a->fxfycxcy, *to = b->fxfycxcy, (*m)[4] = relative->m;
    double ray[3] = {(x + 0.5 - k[2]) / k[0], (y + 0.5 - k[3]) / k[1], 1}, turned[3], best = 0;
    double baseline = sqrt(m[0][3] * m[0][3] + m[1][3] * m[1][3] + m[2][3] * m[2][3]);
    for (int i = 0; i < 3; i++)
        turned[i] = m[i][0] * ray[0] + m[i][1] * ray[1] + m[i][2] * ray[2];
    for (int d = 0; d < DEPTHS; d++) {
        /* Inverse depth times baseline, 0 .. 1; the point is scaled by the inverse depth. */
        double share = (double)d / (DEPTHS - 1), inverse = baseline > 0 ? share / baseline : 0;
        double p[3];
        for (int i = 0; i < 3; i++)
            p[i] = turned[i] + m[i][3] * inverse;
        if (p[2] <= 1e-3)
            continue;
        best = fmax(best, correlate(patch, b, to[0] * p[0] / p[2] + to[2], to[1] * p[1] / p[2] + to[3]));
    }
    return (float)best;
}

double axes_match(const struct axes_plane *a, const struct axes_plane *b, const struct pose *relative,
                  uint32_t *points)
{
    double sum = 0;
    *points = 0;
    for (int y = RADIUS; y < a->height - RADIUS; y += STRIDE)
        for (int x = RADIUS; x < a->width - RADIUS; x += STRIDE) {
            struct patch patch;
            if (!read_patch(a, x, y, &patch))
                continue;
            sum += best_match(a, b, relative, &patch, x, y);
            ++*points;
        }
    return sum;
}
