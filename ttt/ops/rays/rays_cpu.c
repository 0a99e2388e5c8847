/* "rays" on the CPU: in double, so that the moment o x d of a far camera keeps its digits. */
#include <math.h>

#include "ttt/ops/rays/rays_operator.h"

/* One row of pixels of one view; `channel` elements lie between the channels of `out`. */
static void ray_row(const float *lens, const float *pose, int64_t row, int64_t width, float *out,
                    int64_t channel)
{
    const double fx = lens[0], cx = lens[2], y = ((double)row + 0.5 - lens[3]) / lens[1];
    const double ox = pose[3], oy = pose[7], oz = pose[11];
    const double r00 = pose[0], r10 = pose[4], r20 = pose[8];
    const double ax = pose[1] * y + pose[2], ay = pose[5] * y + pose[6], az = pose[9] * y + pose[10];
#pragma omp simd
    for (int64_t i = 0; i < width; i++) {
        double x = ((double)i + 0.5 - cx) / fx;
        double dx = r00 * x + ax, dy = r10 * x + ay, dz = r20 * x + az;
        double scale = 1 / sqrt(dx * dx + dy * dy + dz * dz);
        dx *= scale;
        dy *= scale;
        dz *= scale;
        out[i] = (float)ox;
        out[i + channel] = (float)oy;
        out[i + 2 * channel] = (float)oz;
        out[i + 3 * channel] = (float)dx;
        out[i + 4 * channel] = (float)dy;
        out[i + 5 * channel] = (float)dz;
        out[i + 6 * channel] = (float)(oy * dz - oz * dy);
        out[i + 7 * channel] = (float)(oz * dx - ox * dz);
        out[i + 8 * channel] = (float)(ox * dy - oy * dx);
    }
}

static ttt_status rays_run(const ttt_launch *launch)
{
    const ttt_shape shape = launch->out[0].shape;
    const int64_t views = shape.size[0] * shape.size[1], height = shape.size[3], width = shape.size[4];
    const float *lenses = launch->in[0].data, *poses = launch->in[1].data;
    float *out = launch->out[0].data;
#pragma omp parallel for schedule(static) num_threads(launch->threads)
    for (int64_t i = 0; i < views * height; i++) {
        int64_t view = i / height, row = i % height;
        ray_row(lenses + view * 4, poses + view * 16, row, width,
                out + (view * TTT_RAY_CHANNELS * height + row) * width, height * width);
    }
    return TTT_OK;
}

const ttt_implementation ttt_rays_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .run = rays_run,
};
