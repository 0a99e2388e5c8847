/* AdamW on CUDA: one thread decides about the step and computes, in double, what all elements share; then
 * every element is read once (16 bytes, with an average 20) and written once (12, 16).
 */
#include "ttt/ops/optimiser/pieces.cuh"

extern "C" {
#include "ttt/ops/optimiser/optimiser_rows.h"
}

namespace
{
/* What all elements of this step share. */
struct step {
    double rate;
    bool taken;
    float clip;                         /* factor on the gradients */
    float mean_weight, variance_weight; /* 1 - beta1, 1 - beta2 */
    float variance_decay;               /* beta2 */
    float size;                         /* rate / (1 - beta1^steps) */
    float deviation;                    /* 1 / sqrt(1 - beta2^steps) */
    float eps;
    float average_weight; /* 1 - average_decay */
};

struct numbers {
    const float *norm, *loss, *rate;
    float *steps, *taken;
};
} // namespace

static __global__ void begin_step(const numbers n, const ttt_adamw_options options, step *s)
{
    const float norm = *n.norm, clip = options.clip / (norm + 1e-6f);
    const bool too_large = options.skip_over > 0 && options.clip > 0 &&
                           (double)norm > (double)options.skip_over * (double)options.clip;
    const bool taken = isfinite(norm) && isfinite(*n.loss) && !too_large;
    const float steps = *n.steps + (taken ? 1 : 0);
    *n.steps = steps;
    *n.taken = taken ? 1 : 0;
    s->rate = (double)*n.rate;
    s->taken = taken;
    s->clip = options.clip > 0 && clip < 1 ? clip : 1;
    s->mean_weight = (float)(1 - options.beta1);
    s->variance_weight = (float)(1 - options.beta2);
    s->variance_decay = (float)options.beta2;
    s->size = (float)(s->rate / (1 - pow(options.beta1, (double)steps)));
    s->deviation = (float)(1 / sqrt(1 - pow(options.beta2, (double)steps)));
    s->eps = options.eps;
    s->average_weight = (float)(1 - options.average_decay);
}

/* A group is parameter, gradient, mean, variance and perhaps average; its value is the decay.  The gradient
 * alone is not written. */
template <int EACH>
static __global__ void __launch_bounds__(PIECE_THREADS)
    update(const __grid_constant__ passed_list<EACH> list, const step *of_all)
{
    const step s = *of_all;
    if (!s.taken)
        return;
    const auto &group = group_of_block(list);
    const float kept = (float)(1 - s.rate * (double)group.value);
    for_each_element<~(1u << 1)>(group, [=](float(&x)[EACH]) {
        const float g = x[1] * s.clip;
        x[2] += s.mean_weight * (g - x[2]);
        x[3] = s.variance_decay * x[3] + s.variance_weight * g * g;
        const float divisor = sqrtf(x[3]) * s.deviation + s.eps;
        x[0] = x[0] * kept - s.size * (x[2] / divisor);
        if constexpr (EACH > TTT_ADAMW_AVERAGE)
            x[TTT_ADAMW_AVERAGE] += s.average_weight * (x[0] - x[TTT_ADAMW_AVERAGE]);
    });
}

static size_t workspace(const ttt_launch *launch)
{
    (void)launch;
    return sizeof(step);
}

static_assert(tensor_list<TTT_ADAMW_MOST_EACH>::most >= 412, "one launch for lact_nvs_l24's parameters");

template <int EACH> static ttt_status update_all(const ttt_launch *launch, const step *of_all)
{
    const auto *attributes = static_cast<const ttt_adamw_attributes *>(launch->attributes);
    return for_each_list<EACH>(
        launch, TTT_ADAMW_FIRST, [&](int i) { return ttt_adamw_decay(attributes, i); },
        [&](const auto &list, unsigned pieces, int64_t) {
            return enqueue(launch, update<EACH>, pieces, PIECE_THREADS, 0, list, of_all);
        });
}

static ttt_status run(const ttt_launch *launch)
{
    const auto *attributes = static_cast<const ttt_adamw_attributes *>(launch->attributes);
    const auto number = [&](int input) { return static_cast<float *>(launch->in[input].data); };
    const numbers n = {number(TTT_ADAMW_NORM), number(TTT_ADAMW_LOSS), number(TTT_ADAMW_RATE),
                       number(TTT_ADAMW_STEPS), static_cast<float *>(launch->out[0].data)};
    step *of_all = static_cast<step *>(launch->workspace);
    TRY(enqueue(launch, begin_step, 1, 1, 0, n, attributes->options, of_all));
    return ttt_adamw_each(attributes) > TTT_ADAMW_AVERAGE ? update_all<TTT_ADAMW_MOST_EACH>(launch, of_all)
                                                          : update_all<TTT_ADAMW_AVERAGE>(launch, of_all);
}

extern "C" const ttt_implementation ttt_adamw_cuda = {
    .name = "cuda",
    .device = TTT_CUDA,
    .supports = ttt_all_contiguous_f32,
    .workspace = workspace,
    .run = run,
};
