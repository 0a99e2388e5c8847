/* Comparing results with golden vectors. */
#include "tools/verify/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/output.h"

void report_free(struct report *report)
{
    for (int i = 0; i < report->count; i++)
        free(report->rows[i].name);
    free(report->rows);
    *report = (struct report){0};
}

/* A new row for the tensor; NULL when memory has run out. */
static struct report_row *add_row(struct report *report, const safetensors_tensor *expected)
{
    if (report->count == report->room) {
        int room = report->room ? 2 * report->room : 32;
        struct report_row *rows = realloc(report->rows, (size_t)room * sizeof *rows);
        if (!rows)
            return NULL;
        report->rows = rows;
        report->room = room;
    }
    struct report_row *row = &report->rows[report->count];
    *row = (struct report_row){.name = strdup(expected->name)};
    if (!row->name)
        return NULL;
    report->count++;
    return row;
}

/* |x - expected| / |expected| in L2; |x| when everything expected is 0. */
static double relative_error(const double *x, const double *expected, int64_t count)
{
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(x[i]) || !isfinite(expected[i]))
            return INFINITY;
        difference += (x[i] - expected[i]) * (x[i] - expected[i]);
        norm += expected[i] * expected[i];
    }
    return norm > 0 ? sqrt(difference / norm) : sqrt(difference);
}

ttt_status report_doubles(struct report *report, const safetensors_tensor *expected, const double *values,
                          enum verify_quantity quantity)
{
    double *truth = malloc((size_t)expected->count * sizeof *truth + 1);
    struct report_row *row = truth ? add_row(report, expected) : NULL;
    if (row) {
        safetensors_to_f64(expected, truth);
        row->error = relative_error(values, truth, expected->count);
        row->tolerance = verify_tolerance(quantity, report->dtype, expected->name);
    }
    free(truth);
    return row ? TTT_OK : ttt_fail(TTT_MEMORY, "out of memory to compare '%s'", expected->name);
}

ttt_status report_values(struct report *report, const safetensors_tensor *expected, const float *values,
                         enum verify_quantity quantity)
{
    double *wide = malloc((size_t)expected->count * sizeof *wide + 1);
    if (!wide)
        return ttt_fail(TTT_MEMORY, "out of memory to compare '%s'", expected->name);
    for (int64_t i = 0; i < expected->count; i++)
        wide[i] = values[i];
    ttt_status status = report_doubles(report, expected, wide, quantity);
    free(wide);
    return status;
}

ttt_status report_bytes(struct report *report, const safetensors_tensor *expected, const uint8_t *bytes)
{
    if (expected->dtype != SAFETENSORS_U8)
        return ttt_fail(TTT_FORMAT, "tensor '%s' is %s instead of U8", expected->name,
                        safetensors_dtype_name(expected->dtype));
    struct report_row *row = add_row(report, expected);
    if (!row)
        return ttt_fail(TTT_MEMORY, "out of memory to compare '%s'", expected->name);
    const uint8_t *truth = expected->data;
    row->is_bytes = true;
    row->count = expected->count;
    for (int64_t i = 0; i < expected->count; i++)
        row->different += bytes[i] != truth[i];
    return TTT_OK;
}

bool report_row_passes(const struct report_row *row)
{
    return row->is_bytes ? !row->different : row->error <= row->tolerance;
}

bool report_has(const struct report *report, const char *name)
{
    for (int i = 0; i < report->count; i++)
        if (!strcmp(report->rows[i].name, name))
            return true;
    return false;
}

void report_print(const struct report *report)
{
    int width = 0;
    for (int i = 0; i < report->count; i++)
        if ((int)strlen(report->rows[i].name) > width)
            width = (int)strlen(report->rows[i].name);
    for (int i = 0; i < report->count; i++) {
        const struct report_row *row = &report->rows[i];
        printf("  %-4s  ", report_row_passes(row) ? "ok" : "FAIL");
        output_clean(row->name, width);
        if (row->is_bytes)
            printf("  %9lld of %lld bytes differ (at most 0)\n", (long long)row->different,
                   (long long)row->count);
        else
            printf("  %9.2e relative error (at most %.0e)\n", row->error, row->tolerance);
    }
}

/* JSON has no infinity: null. */
static json_t *row_json(const struct report_row *row)
{
    if (row->is_bytes)
        return json_pack("{s:s, s:I, s:I, s:b}", "name", row->name, "different_bytes",
                         (json_int_t)row->different, "bytes", (json_int_t)row->count, "passed",
                         report_row_passes(row));
    return json_pack("{s:s, s:o, s:f, s:b}", "name", row->name, "relative_error",
                     isfinite(row->error) ? json_real(row->error) : json_null(), "tolerance", row->tolerance,
                     "passed", report_row_passes(row));
}

json_t *report_json(const struct report *report)
{
    json_t *rows = json_array();
    for (int i = 0; i < report->count; i++)
        if (json_array_append_new(rows, row_json(&report->rows[i]))) {
            json_decref(rows);
            return NULL;
        }
    return rows;
}
