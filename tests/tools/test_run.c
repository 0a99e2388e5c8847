/* From pictures to predictions as a user goes: train, eval, predict, and their numbers agree. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/check.h"
#include "tests/support/temporary.h"
#include "tests/tools/printed.h"
#include "tests/tools/training.h"

static const char *text(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    assert_non_null(value);
    return value;
}

static int line_count(const char *path)
{
    size_t size;
    int lines = 0;
    char *bytes = (char *)temporary_read(path, &size);
    for (size_t i = 0; i < size; i++)
        lines += bytes[i] == '\n';
    free(bytes);
    return lines;
}

static int enter_trained(void **state)
{
    training_enter(state);
    train_ok("tiny", "train.ema=0.8");
    return 0;
}

static void help_says_how(void **state)
{
    (void)state;
    const char *const commands[] = {"train", "eval", "predict"};
    for (int i = 0; i < 3; i++) {
        struct program_result help = run(commands[i], "--help");
        check_contains(help.out, "usage: ttt ");
        check_contains(help.out, "--json");
        check_contains(help.out, "examples:\n");
        succeed(help);
    }
}

static void eval_gives_the_numbers_of_training(void **state)
{
    (void)state;
    json_t *trained = printed(train("tiny_json", "--json", "train.ema=0.8"));
    json_t *latest = printed(run("eval", "runs/tiny_json", "--checkpoint", "latest", "--json"));
    json_t *best = printed(run("eval", "runs/tiny_json", "--json", "data.threads=0", "eval.batch_size=4"));
    assert_int_equal(number(latest, "step"), 36);
    assert_int_equal(number(latest, "pictures"), 15);
    assert_int_equal(number(latest, "bad_files"), 0);
    assert_true(number(latest, "loss") == number(trained, "loss"));
    assert_true(number(latest, "top1") == number(trained, "top1"));
    assert_true(number(latest, "top5") == 100);
    assert_true(number(best, "top1") == number(trained, "best"));
    assert_true(number(best, "step") == number(trained, "best_step"));
    assert_true(number(best, "pictures_per_second") > 0);
    json_decref(trained);
    json_decref(latest);
    json_decref(best);
}

static void a_run_finds_its_data_from_any_folder(void **state)
{
    (void)state;
    json_t *here = printed(run("eval", "runs/tiny", "--json"));
    assert_int_equal(chdir("runs"), 0);
    json_t *elsewhere = printed(run("eval", "tiny", "--json"));
    assert_int_equal(chdir(".."), 0);
    assert_true(number(elsewhere, "loss") == number(here, "loss"));
    json_decref(here);
    json_decref(elsewhere);
}

static void eval_writes_tables(void **state)
{
    (void)state;
    json_t *in_run = printed(run("eval", "runs/tiny", "--json"));
    assert_string_equal(text(in_run, "classes_csv"), "runs/tiny/eval/classes.csv");
    assert_string_equal(text(in_run, "confusion_csv"), "runs/tiny/eval/confusion.csv");
    assert_int_equal(line_count("runs/tiny/eval/classes.csv"), 4);
    assert_int_equal(line_count("runs/tiny/eval/confusion.csv"), 4);
    FILE *file = fopen("runs/tiny/eval/classes.csv", "r");
    int pictures, correct, all = 0, right = 0;
    double accuracy;
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*[^\n]"), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fscanf(file, " %*[^,],%*[^,],%d,%d,%lf", &pictures, &correct, &accuracy), 3);
        assert_true(fabs(accuracy - (double)correct / pictures) < 1e-5);
        all += pictures;
        right += correct;
    }
    fclose(file);
    assert_int_equal(all, 15);
    assert_true(fabs(number(in_run, "top1") - 100.0 * right / all) < 1e-6);
    succeed(run("eval", "runs/tiny", "--out", "elsewhere"));
    assert_int_equal(line_count("elsewhere/confusion.csv"), 4);
    json_decref(in_run);
}

static void weights_in_a_file_are_those_of_the_run(void **state)
{
    (void)state;
    json_t *from_run = printed(run("eval", "runs/tiny", "--checkpoint", "36", "--json"));
    json_t *from_config =
        printed(run("eval", "tiny.yaml", "run.name=tiny", "train.ema=0.8", "--checkpoint=latest", "--json"));
    json_t *from_file = printed(
        run("eval", "tiny.yaml", "--weights", "runs/tiny/checkpoints/36/model.safetensors", "--json"));
    assert_true(number(from_run, "loss") == number(from_file, "loss"));
    assert_true(number(from_run, "loss") == number(from_config, "loss"));
    assert_true(json_is_null(json_object_get(from_file, "classes_csv")));
    json_decref(from_run);
    json_decref(from_config);
    json_decref(from_file);
}

static void averages_are_other_weights(void **state)
{
    (void)state;
    json_t *trained = printed(train("averaged", "--json", "train.ema=0.8", "eval.weights=ema"));
    json_t *averages = printed(run("eval", "runs/averaged", "--checkpoint", "latest", "--json"));
    json_t *weights =
        printed(run("eval", "runs/averaged", "--checkpoint", "latest", "--json", "eval.weights=model"));
    assert_true(json_is_true(json_object_get(averages, "averaged")));
    assert_true(number(averages, "loss") == number(trained, "loss"));
    assert_true(number(averages, "loss") != number(weights, "loss"));
    json_decref(trained);
    json_decref(averages);
    json_decref(weights);
}

/* Predicts the validation folder class by class: as many are right as eval counted. */
static void predictions_are_what_eval_counted(void **state)
{
    (void)state;
    json_t *judged = printed(run("eval", "runs/tiny", "--json"));
    const char *const classes[3] = {"cube", "sphere", "torus"};
    int right = 0, pictures = 0;
    for (int c = 0; c < 3; c++) {
        char folder[40];
        snprintf(folder, sizeof folder, "pictures/val/%s", classes[c]);
        json_t *list = printed(run("predict", "runs/tiny", folder, "--json", "eval.batch_size=2")), *entry;
        size_t i;
        json_array_foreach(list, i, entry)
        {
            const json_t *answers = json_object_get(entry, "predictions");
            assert_int_equal(json_array_size(answers), 3);
            double sum = 0, before = 1;
            for (size_t k = 0; k < 3; k++) {
                double probability = number(json_array_get(answers, k), "probability");
                assert_true(probability <= before);
                before = probability;
                sum += probability;
            }
            assert_true(fabs(sum - 1) < 1e-6);
            right += !strcmp(text(json_array_get(answers, 0), "class"), classes[c]);
            pictures++;
        }
        json_decref(list);
    }
    assert_int_equal(pictures, 15);
    assert_true(fabs(number(judged, "top1") - 100.0 * right / pictures) < 1e-6);
    json_decref(judged);
}

static void predict_prints_names_and_probabilities(void **state)
{
    (void)state;
    struct program_result result =
        run("predict", "runs/tiny", "pictures/val/cube/0000001.jpeg", "--top", "2");
    check_contains(result.out, "pictures/val/cube/0000001.jpeg\n  ");
    check_contains(result.out, "%  ");
    assert_string_equal(result.err, "");
    int lines = 0;
    for (const char *at = result.out; *at; at++)
        lines += *at == '\n';
    assert_int_equal(lines, 3);
    succeed(result);
    json_t *numbered =
        printed(run("predict", "tiny.yaml", "--weights", "runs/tiny/checkpoints/36/model.safetensors",
                    "--json", "--top=1", "pictures/val/cube/0000001.jpeg"));
    const json_t *answer = json_array_get(json_object_get(json_array_get(numbered, 0), "predictions"), 0);
    const char name[2] = {(char)('0' + (int)number(answer, "index")), 0};
    assert_string_equal(text(answer, "class"), name);
    json_decref(numbered);
}

static void predict_goes_on_after_a_bad_picture(void **state)
{
    (void)state;
    temporary_file(".", "mixed/a.jpeg", "no picture", 10);
    temporary_file(".", "mixed/notes.txt", "no picture", 10);
    struct program_result result =
        run("predict", "runs/tiny", "mixed", "gone.png", "pictures/val/cube/0000001.jpeg");
    assert_int_equal(result.exit_status, 1);
    check_contains(result.err, "mixed/a.jpeg: is neither a JPEG nor a PNG file\n");
    check_contains(result.err, "gone.png: ");
    check_contains(result.err, "2 of 3 pictures failed\n");
    assert_null(strstr(result.err, "notes.txt"));
    check_contains(result.out, "pictures/val/cube/0000001.jpeg\n");
    program_free(&result);
    check_refusal(2, "gone.jpeg: no such picture or folder", "predict", "runs/tiny", "gone.jpeg");
    check_refusal(2, "none of the 2 pictures exists", "predict", "runs/tiny", "gone.jpeg", "gone.png");
    assert_int_equal(unlink("mixed/a.jpeg"), 0);
    check_refusal(2, "mixed: the folder has no pictures", "predict", "runs/tiny", "mixed");
}

static void bad_pictures_are_counted(void **state)
{
    (void)state;
    temporary_file(".", "pictures/val/cube/bad.jpeg", "no picture", 10);
    struct program_result result = run("eval", "runs/tiny");
    check_contains(result.out, "/pictures/val, 3 classes; 1 bad files");
    check_contains(result.err, "pictures/val/cube/bad.jpeg");
    succeed(result);
    fails(run("eval", "runs/tiny", "data.on_bad=stop"), 2, "pictures/val/cube/bad.jpeg");
    assert_int_equal(unlink("pictures/val/cube/bad.jpeg"), 0);
}

/* 48 pictures, always the same, without smoothing: a model that cannot learn them by heart is broken. */
static void one_batch_is_learnt_by_heart(void **state)
{
    (void)state;
    json_t *trained = printed(
        train("overfit", "--json", "data.val=train", "data.crop_area=[1, 1]", "data.crop_ratio=[1, 1]",
              "data.flip=0", "model.drop_path=0", "train.batch_size=48", "train.steps=150", "train.lr=1e-2",
              "train.label_smoothing=0", "train.weight_decay=0", "train.save_every=0", "eval.every=0"));
    assert_true(number(trained, "loss") < 0.01);
    assert_true(number(trained, "top1") == 100);
    json_decref(trained);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_says_how),
        cmocka_unit_test(eval_gives_the_numbers_of_training),
        cmocka_unit_test(a_run_finds_its_data_from_any_folder),
        cmocka_unit_test(eval_writes_tables),
        cmocka_unit_test(weights_in_a_file_are_those_of_the_run),
        cmocka_unit_test(averages_are_other_weights),
        cmocka_unit_test(predictions_are_what_eval_counted),
        cmocka_unit_test(predict_prints_names_and_probabilities),
        cmocka_unit_test(predict_goes_on_after_a_bad_picture),
        cmocka_unit_test(bad_pictures_are_counted),
        cmocka_unit_test(one_batch_is_learnt_by_heart),
    };
    return cmocka_run_group_tests(tests, enter_trained, training_leave);
}
