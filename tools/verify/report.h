/* What was compared in one file, and how far off each tensor is. */
#ifndef TOOLS_VERIFY_REPORT_H
#define TOOLS_VERIFY_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "data/safetensors.h"
#include "tools/verify/tolerance.h"

struct report_row {
    char *name;               /* of the tensor in the file; owned */
    bool is_bytes;            /* compared byte for byte */
    double error;             /* relative L2; infinite where either side is not finite */
    double tolerance;         /* of `error` */
    int64_t different, count; /* bytes */
};

/* Starts zeroed. */
struct report {
    struct report_row *rows;
    int count, room;
    ttt_dtype dtype; /* of the activations behind the rows that are added; 0: f32 */
};

void report_free(struct report *report);

/* Compares `values` with all elements of the tensor `expected`. */
ttt_status report_values(struct report *report, const safetensors_tensor *expected, const float *values,
                         enum verify_quantity quantity) __attribute__((warn_unused_result));
ttt_status report_doubles(struct report *report, const safetensors_tensor *expected, const double *values,
                          enum verify_quantity quantity) __attribute__((warn_unused_result));

/* Compares bytes with the tensor `expected`, which must be of type U8. */
ttt_status report_bytes(struct report *report, const safetensors_tensor *expected, const uint8_t *bytes)
    __attribute__((warn_unused_result));

bool report_row_passes(const struct report_row *row);
bool report_has(const struct report *report, const char *name);

/* One aligned line a row, to stdout; and the rows as a JSON array, NULL when memory has run out. */
void report_print(const struct report *report);
json_t *report_json(const struct report *report);

#endif
