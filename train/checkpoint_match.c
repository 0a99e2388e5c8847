/* Comparing a file's tensors with the expected ones, and saying what differs by name. */
#include "train/checkpoint_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Differences named one by one; the rest are counted. */
enum { named_differences = 8 };

struct differences {
    int count;
    size_t length;
    char text[named_differences * 256];
};

__attribute__((format(printf, 2, 3))) static void add(struct differences *found, const char *format, ...)
{
    if (found->count++ >= named_differences)
        return;
    va_list arguments;
    char part[240];
    va_start(arguments, format);
    vsnprintf(part, sizeof part, format, arguments);
    va_end(arguments);
    for (char *at = part; *at; at++)
        if ((unsigned char)*at < ' ')
            *at = '?';
    found->length += (size_t)sprintf(found->text + found->length, "%s%s", found->length ? "; " : "", part);
}

struct description {
    char text[8 + SAFETENSORS_MAX_RANK * 22];
};

/* "F32 [2, 3]" */
static struct description describe(safetensors_dtype dtype, int rank, const int64_t *shape)
{
    struct description out;
    int length = sprintf(out.text, "%s [", safetensors_dtype_name(dtype));
    for (int i = 0; i < rank; i++)
        length += sprintf(out.text + length, "%s%lld", i ? ", " : "", (long long)shape[i]);
    strcpy(out.text + length, "]");
    return out;
}

static bool dtype_fits(safetensors_dtype got, ttt_dtype wanted, bool bare)
{
    if (safetensors_to_dtype(got) == wanted)
        return true;
    return bare && wanted == TTT_F32 &&
           (got == SAFETENSORS_F64 || got == SAFETENSORS_F16 || got == SAFETENSORS_BF16);
}

static void compare(struct differences *found, const safetensors_file *file, bool bare,
                    const checkpoint_tensor *wanted)
{
    const safetensors_tensor *got = safetensors_find(file, wanted->name);
    if (!got) {
        add(found, "'%.64s' is missing", wanted->name);
        return;
    }
    if (got->rank == wanted->rank && dtype_fits(got->dtype, wanted->dtype, bare) &&
        (got->rank == 0 || !memcmp(got->shape, wanted->shape, (size_t)got->rank * sizeof got->shape[0])))
        return;
    add(found, "'%.64s' is %s, the model's is %s", wanted->name,
        describe(got->dtype, got->rank, got->shape).text,
        describe(safetensors_from_dtype(wanted->dtype), wanted->rank, wanted->shape).text);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of the file that are none of tensors[n]. */
static ttt_status find_extra(struct differences *found, const safetensors_file *file,
                             const checkpoint_tensor *tensors, size_t n)
{
    const char **names = calloc(n + 1, sizeof *names);
    if (!names)
        return ttt_fail(TTT_MEMORY, "no memory for %zu names", n);
    for (size_t i = 0; i < n; i++)
        names[i] = tensors[i].name;
    qsort(names, n, sizeof *names, compare_names);
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const char *name = safetensors_at(file, i)->name;
        if (!bsearch(&name, names, n, sizeof *names, compare_names))
            add(found, "'%.64s' is not in the model", name);
    }
    free(names);
    return TTT_OK;
}

ttt_status checkpoint_file_match(const safetensors_file *file, bool bare, const checkpoint_tensor *tensors,
                                 size_t n)
{
    struct differences found = {0};
    for (size_t i = 0; i < n; i++)
        compare(&found, file, bare, &tensors[i]);
    TRY(find_extra(&found, file, tensors, n));
    if (!found.count)
        return TTT_OK;
    if (found.count > named_differences)
        sprintf(found.text + found.length, "; and %d more", found.count - named_differences);
    return ttt_fail(TTT_FORMAT, "%s: of another model: %s", safetensors_path(file), found.text);
}
