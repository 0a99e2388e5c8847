/* The learning rate as a function of the step: linear warm-up, then a half cosine. */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include <stdint.h>

typedef enum schedule_kind {
    /* From 0 to peak over the warm-up; the cosine runs over the steps after it and ends at 0. */
    SCHEDULE_COSINE_TO_ZERO = 1,
    /* From start to peak over the warm-up; the cosine runs over all steps, counted from step 0, and ends
     * at floor: at the end of the warm-up the rate falls to where the cosine already is. */
    SCHEDULE_COSINE_TO_FLOOR,
} schedule_kind;

typedef struct rate_schedule {
    schedule_kind kind;
    int64_t warmup_steps; /* >= 0 */
    int64_t total_steps;  /* >= 1; beyond it the rate stays at its end */
    double peak;
    double start, floor; /* SCHEDULE_COSINE_TO_FLOOR alone */
} rate_schedule;

/* The rate that step 0, 1, ... is taken with. */
double schedule_rate(const rate_schedule *schedule, int64_t step);

#endif
