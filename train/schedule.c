/* Learning-rate schedules: cosine to zero (view synthesis, small runs) and cosine to a floor (ViTTT). */
#include "train/schedule.h"

#include <math.h>

/* 1 at progress 0, 0 at progress 1 and after. */
static double half_cosine(double progress)
{
    return 0.5 * (1 + cos(M_PI * fmin(progress, 1)));
}

static double cosine_to_zero(const rate_schedule *s, int64_t step)
{
    if (step < s->warmup_steps)
        return s->peak * ((double)step / (double)s->warmup_steps);
    if (step >= s->total_steps)
        return 0;
    return s->peak *
           half_cosine((double)(step - s->warmup_steps) / (double)(s->total_steps - s->warmup_steps));
}

static double cosine_to_floor(const rate_schedule *s, int64_t step)
{
    if (step < s->warmup_steps)
        return s->start + (double)step * (s->peak - s->start) / (double)s->warmup_steps;
    return s->floor + (s->peak - s->floor) * half_cosine((double)step / (double)s->total_steps);
}

double schedule_rate(const rate_schedule *schedule, int64_t step)
{
    return schedule->kind == SCHEDULE_COSINE_TO_FLOOR ? cosine_to_floor(schedule, step)
                                                      : cosine_to_zero(schedule, step);
}
