/* "rays" on CUDA: a thread for a pixel, in double, so that the moment o x d of a far camera keeps its digits.
 * It writes 36 bytes a pixel; the cameras are found in the L1 cache. */
#include "ttt/device/kernel.cuh"

extern "C" {
#include "ttt/ops/rays/rays_operator.h"
}

enum { THREADS = 256 };

/* The ray through the centre of a pixel; `channel` elements lie between the channels of `out`. */
static __device__ inline void ray(const float *lens, const float *pose, int row, int column, float *out,
                                  int64_t channel)
{
    const double x = ((double)column + 0.5 - (double)lens[2]) / (double)lens[0];
    const double y = ((double)row + 0.5 - (double)lens[3]) / (double)lens[1];
    double o[3], d[3], square = 0;
#pragma unroll
    for (int i = 0; i < 3; i++) {
        o[i] = (double)pose[4 * i + 3];
        d[i] = (double)pose[4 * i] * x + (double)pose[4 * i + 1] * y + (double)pose[4 * i + 2];
        square += d[i] * d[i];
    }
    const double scale = 1 / sqrt(square);
#pragma unroll
    for (int i = 0; i < 3; i++)
        d[i] *= scale;
#pragma unroll
    for (int i = 0; i < 3; i++) {
        const int j = (i + 1) % 3, k = (i + 2) % 3;
        out[i * channel] = (float)o[i];
        out[(3 + i) * channel] = (float)d[i];
        out[(6 + i) * channel] = (float)(o[j] * d[k] - o[k] * d[j]);
    }
}

static __global__ void __launch_bounds__(THREADS)
    rays(const float *lenses, const float *poses, int pixels, int width, unsigned blocks_each, float *out)
{
    const int64_t view = blockIdx.x / blocks_each;
    const int pixel = (int)(blockIdx.x % blocks_each * THREADS + threadIdx.x);
    if (pixel < pixels)
        ray(lenses + view * 4, poses + view * 16, pixel / width, pixel % width,
            out + view * TTT_RAY_CHANNELS * pixels + pixel, pixels);
}

static ttt_status run(const ttt_launch *launch)
{
    const ttt_shape shape = launch->out[0].shape;
    const int64_t views = shape.size[0] * shape.size[1], pixels = shape.size[3] * shape.size[4];
    const unsigned blocks_each = blocks_for(pixels, THREADS);
    return enqueue(launch, rays, (unsigned)views * blocks_each, THREADS, 0,
                   static_cast<const float *>(launch->in[0].data),
                   static_cast<const float *>(launch->in[1].data), (int)pixels, (int)shape.size[4],
                   blocks_each, static_cast<float *>(launch->out[0].data));
}

static bool supports(const ttt_launch *launch, const char **why)
{
    const ttt_shape shape = launch->out[0].shape;
    if (shape.size[3] * shape.size[4] > INT32_MAX / 2) {
        *why = "a picture has more than 2^30 pixels";
        return false;
    }
    return ttt_all_contiguous_f32(launch, why);
}

extern "C" const ttt_implementation ttt_rays_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = supports,
    .run = run,
};
