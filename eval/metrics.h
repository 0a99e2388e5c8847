/* Metrics on the host: classification counts from logits, and likeness of pictures.
 *
 * Among equal logits the lower index wins.  A row of logits with a NaN has no prediction: it counts as
 * wrong, its loss is NaN, and it stands in no column of the confusion matrix.
 */
#ifndef EVAL_METRICS_H
#define EVAL_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "ttt/base/status.h"

/* How many classes come before `label` in logits[classes]; 0: it is the prediction.  `classes`, beyond
 * every place, when a logit is NaN. */
int metrics_rank(const float *logits, int classes, int label);

/* -log softmax(logits)[label], in double. */
double metrics_cross_entropy(const float *logits, int classes, int label);

/* The k best classes, best first, and their softmax probabilities; returns how many were written: k, or
 * `classes` where that is less.  NaN logits come last; probabilities are NaN when any logit is. */
int metrics_top_k(const float *logits, int classes, int k, int *index, double *probability);

typedef struct classification_counts {
    int classes;
    int64_t total, top1, top5;
    int64_t without_prediction; /* rows with a NaN */
    double loss_sum;
    int64_t *per_class; /* (classes) pictures of each true class */
    int64_t *confusion; /* (classes, classes): row the true class, column the predicted one */
} classification_counts;

/* All zero; the caller frees.  TTT_ARGUMENT for classes < 1, TTT_MEMORY. */
ttt_status classification_counts_create(int classes, classification_counts *counts)
    __attribute__((warn_unused_result));
void classification_counts_free(classification_counts *counts);

/* Counts a batch: logits (batch, classes), labels (batch).
 * TTT_ARGUMENT for a label outside 0 .. classes-1; then nothing of the batch is counted. */
ttt_status classification_count(classification_counts *counts, const float *logits, const int32_t *labels,
                                int64_t batch) __attribute__((warn_unused_result));

/* Share of the class's pictures that were predicted right; NaN for a class without pictures. */
double classification_accuracy(const classification_counts *counts, int class_index);

/* -10 log10(mean((a - b)^2)) over n values of range 0..1; infinity for equal ones, NaN for n = 0. */
double metrics_psnr(const double *a, const double *b, int64_t n);

/* Structural similarity of two pictures (height, width, channels) of range 0..1, averaged over channels.
 * Gaussian window of 11 taps and sigma 1.5, sample covariance, K 0.01 and 0.03; windows lie wholly inside.
 * TTT_SHAPE when a side is less than 11; TTT_MEMORY.
 * Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment", 2004. */
ttt_status metrics_ssim(const double *a, const double *b, int height, int width, int channels, double *ssim)
    __attribute__((warn_unused_result));

#endif
