/* Counting right predictions, and the loss and the best classes of a row of logits. */
#include "eval/metrics.h"

#include <math.h>
#include <stdlib.h>

static bool any_nan(const float *logits, int classes)
{
    bool found = false;
    for (int c = 0; c < classes; c++)
        found |= isnan(logits[c]) != 0;
    return found;
}

/* Whether class a comes before class b; NaN comes after every number. */
static bool before(const float *logits, int a, int b)
{
    const float x = logits[a], y = logits[b];
    if (isnan(x) || isnan(y))
        return isnan(x) && isnan(y) ? a < b : !isnan(x);
    return x > y || (x == y && a < b);
}

static int first(const float *logits, int classes)
{
    int best = 0;
    for (int c = 1; c < classes; c++)
        if (before(logits, c, best))
            best = c;
    return best;
}

int metrics_rank(const float *logits, int classes, int label)
{
    int rank = 0;
    if (any_nan(logits, classes))
        return classes;
    for (int c = 0; c < classes; c++)
        rank += logits[c] > logits[label] || (logits[c] == logits[label] && c < label);
    return rank;
}

/* log(sum(exp(logits))), safe from overflow. */
static double log_sum_exp(const float *logits, int classes)
{
    const double top = logits[first(logits, classes)];
    double sum = 0;
    for (int c = 0; c < classes; c++)
        sum += exp(logits[c] - top);
    return top + log(sum);
}

double metrics_cross_entropy(const float *logits, int classes, int label)
{
    return log_sum_exp(logits, classes) - logits[label];
}

int metrics_top_k(const float *logits, int classes, int k, int *index, double *probability)
{
    int found = 0;
    /* Insertion into the best so far: k is small. */
    for (int c = 0; c < classes; c++) {
        int place = found < k ? found++ : k;
        for (; place > 0 && before(logits, c, index[place - 1]); place--)
            if (place < k)
                index[place] = index[place - 1];
        if (place < k)
            index[place] = c;
    }
    const double log_sum = log_sum_exp(logits, classes);
    for (int i = 0; i < found; i++)
        probability[i] = exp(logits[index[i]] - log_sum);
    return found;
}

ttt_status classification_counts_create(int classes, classification_counts *counts)
{
    *counts = (classification_counts){.classes = classes};
    if (classes < 1)
        return ttt_fail(TTT_ARGUMENT, "%d classes, at least 1 is needed", classes);
    counts->per_class = calloc((size_t)classes, sizeof *counts->per_class);
    counts->confusion = calloc((size_t)classes * (size_t)classes, sizeof *counts->confusion);
    if (counts->per_class && counts->confusion)
        return TTT_OK;
    classification_counts_free(counts);
    return ttt_fail(TTT_MEMORY, "no memory for a confusion matrix of %d classes", classes);
}

void classification_counts_free(classification_counts *counts)
{
    free(counts->confusion);
    free(counts->per_class);
    *counts = (classification_counts){0};
}

static void count_row(classification_counts *counts, const float *logits, int label)
{
    const int rank = metrics_rank(logits, counts->classes, label);
    counts->total++;
    counts->per_class[label]++;
    counts->loss_sum += metrics_cross_entropy(logits, counts->classes, label);
    if (rank == counts->classes) {
        counts->without_prediction++;
        return;
    }
    counts->top1 += rank < 1;
    counts->top5 += rank < 5;
    const int64_t predicted = first(logits, counts->classes);
    counts->confusion[(int64_t)label * counts->classes + predicted]++;
}

ttt_status classification_count(classification_counts *counts, const float *logits, const int32_t *labels,
                                int64_t batch)
{
    for (int64_t i = 0; i < batch; i++)
        if (labels[i] < 0 || labels[i] >= counts->classes)
            return ttt_fail(TTT_ARGUMENT, "label %d of a set of %d classes", (int)labels[i], counts->classes);
    for (int64_t i = 0; i < batch; i++)
        count_row(counts, logits + i * counts->classes, labels[i]);
    return TTT_OK;
}

double classification_accuracy(const classification_counts *counts, int class_index)
{
    const int64_t right = counts->confusion[(int64_t)class_index * counts->classes + class_index];
    return counts->per_class[class_index] ? (double)right / (double)counts->per_class[class_index] : NAN;
}
