/* Reading single pictures, and how fast that goes. */
#include "data/sample.h"

#include <stdlib.h>

#include "data/workers.h"
#include "ttt/base/clock.h"

ttt_status sample_load(const struct pictures *set, uint32_t index, const struct sample_options *options,
                       ttt_random *random, float *out, int *warnings)
{
    char *path;
    uint8_t *bytes = NULL;
    size_t size;
    TRY(pictures_path(set, index, &path));
    ttt_status status = file_read(path, options->decode.max_bytes, &bytes, &size);
    if (!status) {
        status =
            options->train
                ? picture_train(&options->transform, bytes, size, &options->decode, random, out, warnings)
                : picture_eval(&options->transform, bytes, size, &options->decode, out, warnings);
        status = ttt_within(status, "%s", path);
    }
    free(bytes);
    free(path);
    return status;
}

bool sample_is_bad(ttt_status status)
{
    ttt_code code = ttt_status_code(status);
    return code == TTT_FORMAT || code == TTT_IO || code == TTT_UNSUPPORTED;
}

struct benchmark {
    const struct pictures *set;
    const struct sample_options *options;
    struct {
        float *out; /* (3, height, width) */
        double seconds;
        uint64_t bad;
    } workers[WORKERS_MAX];
};

static ttt_status benchmark_job(void *context, int worker, size_t index)
{
    struct benchmark *benchmark = context;
    const struct picture_transform *transform = &benchmark->options->transform;
    uint32_t count = benchmark->set->count, picture = (uint32_t)(index % count);
    double start = ttt_seconds();
    float **out = &benchmark->workers[worker].out;
    if (!*out)
        *out = malloc((size_t)transform->height * (size_t)transform->width * 3 * sizeof(float));
    if (!*out)
        return ttt_fail(TTT_MEMORY, "not enough memory for a picture of %dx%d", transform->width,
                        transform->height);
    int warnings = 0;
    ttt_random random = ttt_random_start(0, TTT_RANDOM_AUGMENT, index / count, picture);
    ttt_status status = sample_load(benchmark->set, picture, benchmark->options, &random, *out, &warnings);
    benchmark->workers[worker].seconds += ttt_seconds() - start;
    if (!status || !sample_is_bad(status))
        return status;
    ttt_status_free(status);
    benchmark->workers[worker].bad++;
    return TTT_OK;
}

ttt_status sample_benchmark(const struct pictures *set, const struct sample_options *options, int threads,
                            uint64_t pictures, struct sample_rate *rate)
{
    struct benchmark *benchmark = calloc(1, sizeof(*benchmark));
    if (!benchmark)
        return ttt_fail(TTT_MEMORY, "not enough memory to time the transform");
    benchmark->set = set;
    benchmark->options = options;
    double start = ttt_seconds(), busy = 0;
    ttt_status status = workers_run(threads, pictures, benchmark_job, benchmark);
    *rate = (struct sample_rate){.seconds = ttt_seconds() - start, .pictures = pictures};
    for (int i = 0; i < WORKERS_MAX; i++) {
        busy += benchmark->workers[i].seconds;
        rate->bad += benchmark->workers[i].bad;
        free(benchmark->workers[i].out);
    }
    if (rate->seconds > 0 && busy > 0) {
        rate->per_second = (double)pictures / rate->seconds;
        rate->per_second_per_thread = (double)pictures / busy;
    }
    free(benchmark);
    return status;
}
