/* The report of `ttt data check`. */
#include "tools/data_check.h"

#include <stdio.h>
#include <string.h>

#include "tools/output.h"

static uint32_t pictures_in(const struct pictures *set, uint32_t c)
{
    return set->class_first[c + 1] - set->class_first[c];
}

static void print_classes(const struct pictures *set)
{
    uint32_t least = pictures_in(set, 0), most = least;
    for (uint32_t c = 1; c < set->class_count; c++) {
        uint32_t count = pictures_in(set, c);
        least = count < least ? count : least;
        most = count > most ? count : most;
    }
    printf("  classes   %u, of %u to %u pictures\n", set->class_count, least, most);
}

static void print_kinds(const struct check_part *part)
{
    const char *between = "  kinds     ";
    for (int mode = 0; mode < PICTURE_MODE_COUNT; mode++)
        if (part->modes[mode]) {
            printf("%s%u %s", between, part->modes[mode], picture_mode_name((enum picture_mode)mode));
            between = ", ";
        }
    putchar('\n');
}

/* The error without the path in front of it; NULL where the picture was decoded. */
static const char *reason(const struct check_finding *finding)
{
    const size_t length = strlen(finding->path);
    const char *error = finding->error;
    if (error && !strncmp(error, finding->path, length) && !strncmp(error + length, ": ", 2))
        return error + length + 2;
    return error;
}

static void print_findings(const struct check_part *part)
{
    for (uint32_t i = 0; i < part->finding_count; i++) {
        const struct check_finding *finding = &part->findings[i];
        printf("  %s", finding->error ? "bad       " : "warning   ");
        output_clean(finding->path, 0);
        fputs(": ", stdout);
        if (finding->error)
            output_clean(reason(finding), 0);
        else
            printf("decoded, with %d fault%s", finding->warnings, finding->warnings == 1 ? "" : "s");
        putchar('\n');
    }
}

static void print_part(const struct check_part *part)
{
    printf("%s\n", part->set->folder);
    printf("  pictures  %u: %u good (%u with faults that were got over), %u bad; %u other files ignored\n",
           part->set->count, part->good, part->warned, part->bad, part->set->ignored);
    print_classes(part->set);
    if (part->good) {
        printf("  width     %d to %d pixels, median %d\n", part->width.smallest, part->width.largest,
               part->width.median);
        printf("  height    %d to %d pixels, median %d\n", part->height.smallest, part->height.largest,
               part->height.median);
    }
    print_kinds(part);
    print_findings(part);
}

static json_t *sizes_json(const struct check_sizes *sizes)
{
    return json_pack("{s:i, s:i, s:i}", "smallest", sizes->smallest, "median", sizes->median, "largest",
                     sizes->largest);
}

/* A JSON text, "?" in place of what is not UTF-8. */
static json_t *text_json(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    char shown[1024];
    size_t length = 0;
    for (; text[length] && length + 1 < sizeof shown; length++)
        shown[length] = text[length] & 0x80 ? '?' : text[length];
    shown[length] = 0;
    return json_string(shown);
}

static json_t *finding_json(const struct check_finding *finding)
{
    return json_pack("{s:o, s:o, s:i}", "path", text_json(finding->path), "error",
                     finding->error ? text_json(reason(finding)) : json_null(), "warnings",
                     finding->warnings);
}

static ttt_status fill_part(const struct check_part *part, json_t *classes, json_t *kinds, json_t *findings)
{
    for (uint32_t c = 0; c < part->set->class_count; c++)
        TRY(output_json_append(classes,
                               json_pack("{s:o, s:I, s:I}", "name", text_json(part->set->class_names[c]),
                                         "pictures", (json_int_t)pictures_in(part->set, c), "bad",
                                         (json_int_t)part->class_bad[c])));
    for (int mode = 0; mode < PICTURE_MODE_COUNT; mode++)
        if (part->modes[mode])
            TRY(output_json_set(kinds, picture_mode_name((enum picture_mode)mode),
                                json_integer(part->modes[mode])));
    for (uint32_t i = 0; i < part->finding_count; i++)
        TRY(output_json_append(findings, finding_json(&part->findings[i])));
    return TTT_OK;
}

static ttt_status add_part(const struct check_part *part, json_t *parts)
{
    json_t *classes = json_array(), *kinds = json_object(), *findings = json_array();
    ttt_status status = fill_part(part, classes, kinds, findings);
    json_t *object =
        json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "folder",
                  text_json(part->set->folder), "pictures", (json_int_t)part->set->count, "good",
                  (json_int_t)part->good, "warned", (json_int_t)part->warned, "bad", (json_int_t)part->bad,
                  "ignored", (json_int_t)part->set->ignored, "width", sizes_json(&part->width), "height",
                  sizes_json(&part->height), "kinds", kinds, "classes", classes, "findings", findings);
    if (status) {
        json_decref(object);
        return status;
    }
    return output_json_append(parts, object);
}

static ttt_status print_json(const struct check_result *result)
{
    json_t *parts = json_array();
    for (int i = 0; i < result->part_count; i++) {
        ttt_status status = add_part(&result->parts[i], parts);
        if (status) {
            json_decref(parts);
            return status;
        }
    }
    return output_json(json_pack("{s:o}", "parts", parts));
}

ttt_status data_check_report(const struct check_result *result, bool json)
{
    uint64_t bad = 0, count = 0;
    for (int i = 0; i < result->part_count; i++) {
        bad += result->parts[i].bad;
        count += result->parts[i].set->count;
        if (!json)
            print_part(&result->parts[i]);
    }
    if (json)
        TRY(print_json(result));
    if (!bad)
        return TTT_OK;
    return ttt_fail(TTT_IO, "%llu of %llu pictures are bad", (unsigned long long)bad,
                    (unsigned long long)count);
}
