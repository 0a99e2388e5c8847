/* A run of a tiny training, and checks of what stands in its folder. */
#include "tests/train/tiny_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/temporary.h"

void tiny_training_start(struct tiny_training *t)
{
    memset(t, 0, sizeof *t);
    t->model[0] = (checkpoint_tensor){"blocks.0.weight", TTT_F32, 2, {3, 50}, t->weight};
    t->model[1] = (checkpoint_tensor){"half", TTT_BF16, 1, {4}, t->half};
    t->state[0] = (checkpoint_tensor){"moment", TTT_F32, 1, {tiny_moments}, t->moment};
    t->contents = (checkpoint){.model = t->model, .model_count = 2, .state = t->state, .state_count = 1};
}

void tiny_training_at(struct tiny_training *t, int64_t step)
{
    tiny_training_start(t);
    for (int i = 0; i < tiny_weights; i++)
        t->weight[i] = (float)step + (float)i / 7;
    for (int i = 0; i < 4; i++)
        t->half[i] = (uint16_t)(step * 4 + i);
    for (int i = 0; i < tiny_moments; i++)
        t->moment[i] = (float)-step * (float)i;
    checkpoint_set_i64(&t->contents.scalars, "step", step);
    checkpoint_set_f64(&t->contents.scalars, "best", 1.0 / (double)(step + 1));
}

void assert_tiny_training_at(const struct tiny_training *t, int64_t step)
{
    struct tiny_training wanted;
    int64_t saved_step;
    double best;
    tiny_training_at(&wanted, step);
    assert_memory_equal(t->weight, wanted.weight, sizeof t->weight);
    assert_memory_equal(t->half, wanted.half, sizeof t->half);
    assert_memory_equal(t->moment, wanted.moment, sizeof t->moment);
    check_ok(checkpoint_get_i64(&t->contents.scalars, "step", &saved_step));
    check_ok(checkpoint_get_f64(&t->contents.scalars, "best", &best));
    assert_int_equal(saved_step, step);
    assert_true(best == 1.0 / (double)(step + 1));
}

void tiny_run_start(struct tiny_run *run)
{
    run->parent = temporary_folder();
    run->path = temporary_path(run->parent, "runs/name");
    check_ok(run_folder_open(run->path, &run->folder));
}

void tiny_run_end(struct tiny_run *run)
{
    run_folder_close(&run->folder);
    free(run->path);
    temporary_remove(run->parent);
}

void tiny_run_save(const struct tiny_run *run, int64_t step)
{
    struct tiny_training t;
    tiny_training_at(&t, step);
    check_ok(checkpoint_save(run->path, step, &t.contents));
}

char *tiny_run_file(const struct tiny_run *run, int64_t step, const char *name)
{
    return temporary_path(run->path, "checkpoints/%d/%s", (int)step, name);
}

static void keep_line(void *context, const char *line)
{
    struct tiny_lines *lines = context;
    size_t length = strlen(lines->text);
    snprintf(lines->text + length, sizeof lines->text - length, "%s\n", line);
}

checkpoint_reporter tiny_reporter(struct tiny_lines *lines)
{
    lines->text[0] = '\0';
    return (checkpoint_reporter){keep_line, lines};
}

void assert_latest(const struct tiny_run *run, int64_t wanted, const char *line)
{
    struct tiny_training t;
    struct tiny_lines lines;
    int64_t step;
    tiny_training_start(&t);
    check_ok(checkpoint_load_latest(run->path, &t.contents, tiny_reporter(&lines), &step));
    assert_int_equal(step, wanted);
    if (line ? !strstr(lines.text, line) : lines.text[0] != '\0')
        fail_msg("said '%s', wanted '%s'", lines.text, line ? line : "");
    assert_tiny_training_at(&t, wanted);
}

void assert_steps(const struct tiny_run *run, const int64_t *wanted, size_t n)
{
    int64_t *steps;
    size_t count;
    check_ok(checkpoint_list(run->path, &steps, &count));
    assert_int_equal(count, n);
    assert_memory_equal(steps, wanted, n * sizeof *wanted);
    free(steps);
}

void flip_bit(const char *path, long offset)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, offset, offset < 0 ? SEEK_END : SEEK_SET);
    const int byte = fgetc(f);
    fseek(f, -1, SEEK_CUR);
    fputc(byte ^ 4, f);
    assert_int_equal(fclose(f), 0);
}
