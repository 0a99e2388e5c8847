/* AdamW on the CPU.  Scalars are computed in double and rounded once, as torch.optim.AdamW does. */
#include <math.h>

#include "ttt/ops/optimiser/optimiser_rows.h"
#include "ttt/ops/optimiser/pieces.h"

/* What all elements of this step share. */
struct step {
    double rate;
    float clip;                         /* factor on the gradients */
    float mean_weight, variance_weight; /* 1 - beta1, 1 - beta2 */
    float variance_decay;               /* beta2 */
    float size;                         /* rate / (1 - beta1^steps) */
    float deviation;                    /* 1 / sqrt(1 - beta2^steps) */
    float eps;
    float average_weight; /* 1 - average_decay */
};

static float number(const ttt_launch *launch, enum ttt_adamw_input input)
{
    return *(const float *)launch->in[input].data;
}

static bool step_is_taken(const ttt_launch *launch, const ttt_adamw_options *options)
{
    const float norm = number(launch, TTT_ADAMW_NORM);
    const bool too_large = options->skip_over > 0 && options->clip > 0 &&
                           (double)norm > (double)options->skip_over * (double)options->clip;
    return isfinite(norm) && isfinite(number(launch, TTT_ADAMW_LOSS)) && !too_large;
}

static struct step step_of(const ttt_launch *launch, const ttt_adamw_options *options, double steps)
{
    const double rate = (double)number(launch, TTT_ADAMW_RATE);
    const float clip = options->clip / (number(launch, TTT_ADAMW_NORM) + 1e-6f);
    return (struct step){
        .rate = rate,
        .clip = options->clip > 0 && clip < 1 ? clip : 1,
        .mean_weight = (float)(1 - options->beta1),
        .variance_weight = (float)(1 - options->beta2),
        .variance_decay = (float)options->beta2,
        .size = (float)(rate / (1 - pow(options->beta1, steps))),
        .deviation = (float)(1 / sqrt(1 - pow(options->beta2, steps))),
        .eps = options->eps,
        .average_weight = (float)(1 - options->average_decay),
    };
}

static void update_average(float *restrict average, const float *restrict parameter, int64_t count,
                           float weight)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        average[i] += weight * (parameter[i] - average[i]);
}

static void update_piece(const ttt_launch *launch, const struct ttt_piece *piece, const void *context)
{
    const struct step step = *(const struct step *)context;
    const int each = ttt_adamw_each(launch->attributes);
    const ttt_operand *in = &launch->in[TTT_ADAMW_FIRST + each * piece->i];
    float *restrict parameter = (float *)in[0].data + piece->start;
    const float *restrict gradient = (const float *)in[1].data + piece->start;
    float *restrict mean = (float *)in[2].data + piece->start;
    float *restrict variance = (float *)in[3].data + piece->start;
    const float kept = (float)(1 - step.rate * (double)ttt_adamw_decay(launch->attributes, piece->i));
    const int64_t count = piece->count;
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const float g = gradient[i] * step.clip;
        mean[i] += step.mean_weight * (g - mean[i]);
        variance[i] = step.variance_decay * variance[i] + step.variance_weight * g * g;
        const float divisor = sqrtf(variance[i]) * step.deviation + step.eps;
        parameter[i] = parameter[i] * kept - step.size * (mean[i] / divisor);
    }
    if (each > TTT_ADAMW_AVERAGE)
        update_average((float *)in[TTT_ADAMW_AVERAGE].data + piece->start, parameter, count,
                       step.average_weight);
}

static ttt_status run(const ttt_launch *launch)
{
    const struct ttt_adamw_attributes *attributes = launch->attributes;
    float *steps = launch->in[TTT_ADAMW_STEPS].data;
    const bool taken = step_is_taken(launch, &attributes->options);
    *(float *)launch->out[0].data = taken ? 1 : 0;
    if (!taken)
        return TTT_OK;
    *steps += 1;
    const struct step step = step_of(launch, &attributes->options, (double)*steps);
    ttt_for_each_piece(launch, TTT_ADAMW_FIRST, ttt_adamw_each(attributes), update_piece, &step);
    return TTT_OK;
}

const ttt_implementation ttt_adamw_cpu = {
    .name = "cpu", .device = TTT_CPU, .supports = ttt_all_contiguous_f32, .run = run};
