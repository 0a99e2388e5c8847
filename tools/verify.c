/* ttt verify: checks this build against golden vectors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/command.h"
#include "tools/device_options.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/verify/files.h"
#include "tools/verify/kind.h"
#include "train/config/device.h"
#include "train/config/text.h"

static const char help[] =
    "usage: ttt verify DIR|FILE ... [--only KIND,KIND] [--device NAME] [--dtype TYPE] [--json]\n\n"
    "Computes what each golden vector file (*.safetensors; folders are searched through) holds the inputs\n"
    "of, and prints how far every result is from the file's: the relative L2 error of outputs (at most "
    "2e-5)\n"
    "and gradients (at most 1e-4); for pictures the number of bytes that differ (at most 0).\n\n"
    "  --only KIND,KIND  leave out files of other kinds than these; all are listed below\n"
    "  --device NAME     where to compute: cpu (default), cuda or cuda:1\n"
    "  --dtype TYPE      of activations: f32 (default), or bf16, with errors of at most 2e-2 and 5e-2\n"
    "  --json            one object with every file and tensor instead of the tables\n\n"
    "Ends with 'N passed, M failed, K skipped'; a file of a kind that this build has no check for is "
    "skipped.\n"
    "A file that is broken fails. Exit status: 0 all passed, 1 some failed, 2 no files or a mistake in the\n"
    "command. The environment variable TTT_IMPL=OP:ROW,... forces implementations.\n\n"
    "examples:\n"
    "  ttt verify tests/golden\n"
    "  ttt verify tests/golden --only vittt_layer,vittt_model\n"
    "  TTT_IMPL=matmul:small ttt verify tests/golden/vittt_layer_baseline.safetensors\n";

static void print_kinds(void)
{
    puts("\nkinds:");
    for (const struct verify_kind *kind = verify_kinds; kind->name; kind++)
        printf("  %-12s %s\n", kind->name, kind->about);
}

enum outcome { PASSED, FAILED, SKIPPED, LEFT_OUT };

struct verification {
    const char *only; /* "KIND,KIND" or NULL */
    bool json;
    struct verify_place place;
    json_t *files; /* array, for --json */
    int counts[LEFT_OUT + 1];
};

static const struct verify_kind *find_kind(const char *name, size_t length)
{
    for (const struct verify_kind *kind = verify_kinds; kind->name; kind++)
        if (strlen(kind->name) == length && !memcmp(kind->name, name, length))
            return kind;
    return NULL;
}

static bool is_listed(const char *list, const char *name)
{
    for (const char *at = list; *at; at += at[0] == ',') {
        size_t length = strcspn(at, ",");
        if (length == strlen(name) && !memcmp(at, name, length))
            return true;
        at += length;
    }
    return false;
}

static ttt_status check_only(const char *only)
{
    char kinds[256] = "";
    for (const struct verify_kind *kind = verify_kinds; kind->name; kind++)
        config_append(kinds, sizeof kinds, "%s%s", kind == verify_kinds ? "" : ", ", kind->name);
    if (!*only)
        return ttt_fail(TTT_ARGUMENT, "--only names no kind; there are %s", kinds);
    for (const char *at = only; *at; at += at[0] == ',') {
        size_t length = strcspn(at, ",");
        if (!find_kind(at, length))
            return ttt_fail(TTT_ARGUMENT, "--only: there is no kind '%.*s'; there are %s",
                            (int)(length < 64 ? length : 64), at, kinds);
        at += length;
    }
    return TTT_OK;
}

/* A result that nobody computed must not pass for checked. */
static ttt_status require_all_checked(const struct fixture *fixture, const struct report *report)
{
    for (size_t i = 0; i < safetensors_count(fixture->file); i++) {
        const char *name = safetensors_at(fixture->file, i)->name;
        if ((!strncmp(name, "out.", 4) || !strncmp(name, "grad.", 5)) && !report_has(report, name))
            return ttt_fail(TTT_FORMAT, "tensor '%s' is not one that a file of this kind has", name);
    }
    return report->count ? TTT_OK : ttt_fail(TTT_FORMAT, "there is nothing to compare in the file");
}

/* Checks an opened file; *kind is set as soon as it is known. */
static ttt_status check_fixture(const struct verification *v, const struct fixture *fixture,
                                const char **kind, struct report *report, enum outcome *outcome)
{
    TRY(fixture_kind(fixture, kind));
    const struct verify_kind *found = find_kind(*kind, strlen(*kind));
    *outcome = v->only && !is_listed(v->only, *kind) ? LEFT_OUT : found ? FAILED : SKIPPED;
    if (*outcome != FAILED)
        return TTT_OK;
    TRY(found->check(fixture, &v->place, report));
    TRY(require_all_checked(fixture, report));
    *outcome = PASSED;
    for (int i = 0; i < report->count; i++)
        if (!report_row_passes(&report->rows[i]))
            *outcome = FAILED;
    return TTT_OK;
}

static void print_file(const char *path, const char *kind, enum outcome outcome, ttt_status error,
                       const struct report *report)
{
    static const char *const words[] = {[PASSED] = "PASS", [FAILED] = "FAIL", [SKIPPED] = "SKIP"};
    const char *text = error ? ttt_status_text(error) : kind;
    printf("%s  %s: %s", words[outcome], path, outcome == SKIPPED ? "this build has no check for kind " : "");
    output_clean(text, 0);
    putchar('\n');
    report_print(report);
    fflush(stdout);
}

static ttt_status add_json(struct verification *v, const char *path, const char *kind, enum outcome outcome,
                           ttt_status error, const struct report *report)
{
    static const char *const words[] = {[PASSED] = "passed", [FAILED] = "failed", [SKIPPED] = "skipped"};
    json_t *file =
        json_pack("{s:s, s:s?, s:s, s:s?, s:o}", "path", path, "kind", kind, "result", words[outcome],
                  "error", error ? ttt_status_text(error) : NULL, "tensors", report_json(report));
    return output_json_append(v->files, file);
}

/* Checks one file; what is wrong with it is its own failure, not the command's. */
static ttt_status verify_file(struct verification *v, const char *path)
{
    struct fixture fixture = {0};
    struct report report = {0};
    const char *kind = NULL;
    enum outcome outcome = FAILED;
    ttt_status error = fixture_open(path, &fixture), status = TTT_OK;
    if (!error)
        error = check_fixture(v, &fixture, &kind, &report, &outcome);
    v->counts[outcome]++;
    if (outcome != LEFT_OUT && v->json)
        status = add_json(v, path, kind, outcome, error, &report);
    else if (outcome != LEFT_OUT)
        print_file(path, kind, outcome, error, &report);
    ttt_status_free(error);
    report_free(&report);
    fixture_close(&fixture);
    return status;
}

static ttt_status print_summary(struct verification *v)
{
    const int passed = v->counts[PASSED], failed = v->counts[FAILED], skipped = v->counts[SKIPPED];
    if (!(passed + failed + skipped))
        return ttt_fail(TTT_ARGUMENT, "no file is of a kind that --only names");
    if (v->json) {
        json_t *all = json_pack("{s:i, s:i, s:i, s:O}", "passed", passed, "failed", failed, "skipped",
                                skipped, "files", v->files);
        TRY(output_json(all));
    } else {
        printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    }
    return failed ? ttt_fail(TTT_NUMERIC, "%d of %d files failed", failed, passed + failed) : TTT_OK;
}

static ttt_status verify_files(struct verification *v, const struct config_device *device,
                               const struct file_list *files)
{
    ttt_status status = TTT_OK;
    TRY(config_device_open(device, &v->place.device));
    v->place.dtype = device->dtype;
    v->files = json_array();
    for (int i = 0; i < files->count; i++)
        TRY_TO(verify_file(v, files->paths[i]), cleanup);
    status = print_summary(v);
cleanup:
    json_decref(v->files);
    ttt_device_close(v->place.device);
    return status;
}

static ttt_status find_files(int count, char *const *paths, struct file_list *files)
{
    for (int i = 0; i < count; i++)
        TRY(file_list_add(files, paths[i]));
    if (!files->count)
        return ttt_fail(TTT_ARGUMENT, "no .safetensors file in %s%s", paths[0], count > 1 ? ", ..." : "");
    return TTT_OK;
}

static ttt_status run(int argc, char **argv)
{
    struct verification v = {0};
    struct file_list files = {0};
    struct device_options given = {0};
    struct config_device device;
    const struct option options[] = {
        {"--only", OPTION_TEXT, &v.only, 0, 0},
        DEVICE_OPTIONS(&given),
        {"--json", OPTION_FLAG, &v.json, 0, 0},
    };
    int rest;
    TRY(options_read(argc, argv, options, sizeof options / sizeof *options, &rest));
    if (!rest)
        return ttt_fail(TTT_ARGUMENT, "which files? 'ttt verify DIR'; 'ttt verify --help' says more");
    TRY(device_options_read(&given, &device));
    if (v.only)
        TRY(check_only(v.only));
    ttt_status status = find_files(rest, argv, &files);
    if (!status)
        status = verify_files(&v, &device, &files);
    file_list_free(&files);
    return status;
}

const struct command command_verify = {
    .name = "verify",
    .summary = "check this build against golden vectors",
    .help = help,
    .more_help = print_kinds,
    .run = run,
};
