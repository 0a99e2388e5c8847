/* Numbers in place of pictures. */
#include "tools/bench/pictures.h"

#include <stdlib.h>

#include "ttt/base/random.h"

ttt_status bench_pictures(const struct vittt_config *model, int64_t batch, float **images)
{
    int64_t count = batch * 3 * model->image_height * model->image_width;
    ttt_random random = ttt_random_start(0, TTT_RANDOM_TEST, 0, 0);
    if (!(*images = malloc((size_t)count * sizeof **images)))
        return ttt_fail(TTT_MEMORY, "no memory for %lld pictures", (long long)batch);
    for (int64_t i = 0; i < count; i++)
        (*images)[i] = (float)ttt_random_normal(&random);
    return TTT_OK;
}

ttt_status bench_targets(const struct vittt_config *model, int64_t batch, float **targets)
{
    ttt_random random = ttt_random_start(0, TTT_RANDOM_TEST, 1, 0);
    if (!(*targets = calloc((size_t)(batch * model->classes), sizeof **targets)))
        return ttt_fail(TTT_MEMORY, "no memory for %lld targets", (long long)batch);
    for (int64_t i = 0; i < batch; i++)
        (*targets)[i * model->classes + ttt_random_below(&random, (uint32_t)model->classes)] = 1;
    return TTT_OK;
}
