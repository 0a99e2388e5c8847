/* What goes wrong in a training: each ends with the right exit status, a line that says what, and the last
 * good checkpoint as it was. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/safetensors.h"
#include "tests/support/check.h"
#include "tests/support/temporary.h"
#include "tests/tools/training.h"
#include "train/checkpoint.h"
#include "train/run_folder.h"

static void numbers_that_are_not_finite(void **state)
{
    (void)state;
    size_t size[2];
    train_ok("nan", "train.steps=4");
    uint8_t *before = temporary_read("runs/nan/checkpoints/4/state.safetensors", &size[0]);
    struct program_result result = train("nan", "train.steps=40", "train.save_steps=1", "train.keep=1",
                                         "train.max_bad_steps=5", "data.std=[1e-300, 1e-300, 1e-300]");
    check_contains(result.err, "resuming after step 4 of 40\n");
    check_contains(result.err, "warning: step 5 skipped: loss ");
    check_contains(result.err, "input 'images' is not finite at element ");
    check_contains(result.err, "warning: step 9 skipped: loss ");
    fails(
        result, 1,
        "ttt train: 5 steps in a row had a loss or gradient that is not finite; the last good checkpoint is "
        "runs/nan/checkpoints/4\n");
    uint8_t *after = temporary_read("runs/nan/latest/state.safetensors", &size[1]);
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(before, after, size[0]);
    free(before);
    free(after);
}

static void a_rate_that_explodes(void **state)
{
    (void)state;
    struct program_result result = train(
        "exploded", "train.lr=1000", "train.clip=0", "train.warmup_fraction=0", "train.weight_decay=100",
        "train.max_bad_steps=3", "train.epochs=50", "eval.every=0", "train.save_every=0");
    check_contains(result.err, "is the first tensor that is not finite");
    fails(result, 1, "3 steps in a row had a loss or gradient that is not finite");
}

static void too_little_memory(void **state)
{
    (void)state;
    fails(train("small", "device.memory_limit=400000", "train.batch_size=32"), 1,
          " and the limit is 0.4 MiB; ");
    fails(train("small", "device.memory_limit=400000", "train.batch_size=32"), 1, "train.batch_size=");
    fails(train("small", "device.memory_limit=1000"), 1, "not even a batch of 1 fits");
    fails(train("small", "device.memory_limit=1500000", "eval.batch_size=128"), 1,
          " and the limit is 1.4 MiB; a smaller eval.batch_size needs less");
    assert_int_equal(latest_step("small"), -1);
    train_ok("small", "train.steps=1");
    fails(run("eval", "runs/small", "device.memory_limit=1000"), 1, "the plan needs ");
}

static void a_folder_that_cannot_be_written(void **state)
{
    (void)state;
    fails(train("x", "run.dir=tiny.yaml"), 1,
          "tiny.yaml/x/checkpoints: cannot create the folder: Not a directory");
    train_ok("locked", "train.steps=1");
    fails(run("eval", "runs/locked", "--out", "tiny.yaml/x"), 1, "tiny.yaml/x: cannot create the folder");
    if (geteuid() == 0)
        return; /* root may write where no one may */
    assert_int_equal(chmod("runs/locked", 0555), 0);
    struct program_result result = train("locked", "train.steps=5");
    assert_int_equal(chmod("runs/locked", 0755), 0);
    fails(result, 1, "runs/locked: cannot write into the folder: ");
}

/* A file system that has room for a few checkpoints, where one can be mounted. */
static int mount_disk(void **state)
{
    (void)state;
    assert_int_equal(mkdir("disk", 0777), 0);
    if (mount("tmpfs", "disk", "tmpfs", 0, "size=1200k") == 0)
        temporary_file("disk", "mounted", "", 0);
    return 0;
}

static int unmount_disk(void **state)
{
    (void)state;
    if (access("disk/mounted", F_OK) == 0)
        umount2("disk", MNT_DETACH);
    return rmdir("disk");
}

/* Takes what is left of the disk. */
static void fill_disk(void)
{
    const char block[1024] = {0};
    FILE *file = fopen("disk/filler", "w");
    assert_non_null(file);
    setbuf(file, NULL);
    while (fwrite(block, 1, sizeof block, file) == sizeof block)
        ;
    fclose(file);
}

static void a_disk_that_fills_up(void **state)
{
    (void)state;
    if (access("disk/mounted", F_OK)) {
        print_message("skipped: a small file system cannot be mounted here\n");
        skip();
    }
    train_ok("unfilled", "eval.every=0");
    struct program_result result =
        train("full", "run.dir=disk", "train.save_steps=1", "train.keep=100", "eval.every=0");
    check_contains(result.err, "not saved: ");
    fails(result, 1, " bytes are needed, ");
    assert_true(checkpoint_latest("disk/full") > 1);
    succeed(run("eval", "disk/full", "--out", "saved"));
    fill_disk();
    fails(run("eval", "disk/full"), 1, "disk/full/eval/classes.csv: writing failed: No space left on device");
    fails(train("full", "run.dir=disk"), 1, "No space left on device");
    assert_int_equal(unlink("disk/filler"), 0);
    /* With room again it goes on to the same end. */
    check_ok(folder_remove("disk/full/checkpoints/1"));
    train_ok("full", "run.dir=disk", "train.keep=1", "eval.every=0");
    assert_int_equal(symlink("../disk/full", "runs/full"), 0);
    check_same_end("full", "unfilled");
    assert_int_equal(unlink("runs/full"), 0);
}

static void a_truncated_checkpoint(void **state)
{
    (void)state;
    train_ok("cut", "train.keep=5");
    train_ok("uncut", "train.keep=5");
    assert_int_equal(truncate("runs/cut/latest/model.safetensors", 1000), 0);
    fails(run("eval", "runs/cut", "--checkpoint", "latest"), 2,
          "runs/cut/checkpoints/36/model.safetensors: truncated");
    struct program_result result = train("cut", "train.keep=5");
    check_contains(result.err,
                   "checkpoint of step 36 cannot be used: runs/cut/checkpoints/36/model.safetensors: "
                   "truncated");
    check_contains(result.err, "resuming from the checkpoint of step 30 instead\n");
    succeed(result);
    check_same_end("cut", "uncut");
}

static void a_checkpoint_of_another_model(void **state)
{
    (void)state;
    train_ok("other", "train.steps=2");
    struct program_result result = train("other", "train.steps=4", "model.depth=3");
    check_contains(result.err, "checkpoint of step 2 cannot be used: ");
    fails(result, 2, "of another model: 'blocks.2.cpe.weight' is missing; ");
    fails(train("other", "train.steps=4", "model.depth=1"), 2, "'blocks.1.cpe.weight' is not in the model");
    fails(train("other", "train.steps=4", "model.width=32"), 2,
          "'patch_embed.proj.weight' is F32 [16, 3, 4, 4], the model's is F32 [32, 3, 4, 4]");
    fails(train("other", "train.steps=4", "train.ema=0.9"), 2, "'ema.");
    assert_int_equal(latest_step("other"), 2);
    check_refusal(2, "'blocks.2.cpe.weight' is missing", "eval", "runs/other", "model.depth=3");
    check_refusal(2, "'ema.patch_embed.proj.weight'", "eval", "runs/other", "eval.weights=ema",
                  "train.ema=0.9");
    train_ok("other", "train.steps=4");
}

/* Writes the tensors of a weights file again, but the first `skipped`, with other metadata. */
static void rewrite(const char *from, const char *to, size_t skipped, const safetensors_metadata *metadata)
{
    safetensors_file *file;
    check_ok(safetensors_open(from, &file));
    const size_t count = safetensors_count(file);
    check_ok(
        safetensors_write(to, safetensors_at(file, skipped), count - skipped, metadata, metadata != NULL));
    safetensors_close(file);
}

static void files_of_weights(void **state)
{
    (void)state;
    const safetensors_metadata newer = {"ttt.version", "9"};
    train_ok("weights", "train.steps=2");
    const char *const model = "runs/weights/latest/model.safetensors";
    rewrite(model, "plain.safetensors", 0, NULL);
    rewrite(model, "less.safetensors", 1, NULL);
    rewrite(model, "newer.safetensors", 0, &newer);
    succeed(run("eval", "tiny.yaml", "--weights", "plain.safetensors"));
    check_refusal(2, "' is missing", "eval", "tiny.yaml", "--weights", "less.safetensors");
    check_refusal(2, "written in version 9 of the format", "eval", "tiny.yaml", "--weights",
                  "newer.safetensors");
    check_refusal(2, "' is not in the model", "eval", "tiny.yaml", "--weights", "plain.safetensors",
                  "model.depth=1");
    check_refusal(2, "gone.safetensors: No such file", "eval", "tiny.yaml", "--weights", "gone.safetensors");
    check_refusal(2, "tiny.yaml: ", "eval", "tiny.yaml", "--weights", "tiny.yaml");
    check_refusal(2, "choose one", "eval", "tiny.yaml", "--weights", "plain.safetensors", "--checkpoint",
                  "best");
    /* A newer checkpoint in a run, with none before it, is not trained over. */
    rewrite(model, "runs/weights/checkpoints/2/model.safetensors", 0, &newer);
    fails(train("weights", "train.steps=4"), 2, "written in version 9 of the format");
    assert_int_equal(latest_step("weights"), 2);
}

static void runs_that_are_not_there(void **state)
{
    (void)state;
    train_ok("there", "train.steps=1");
    check_refusal(2, "runs/gone: No such file or directory", "eval", "runs/gone");
    check_refusal(2, "pictures: not the folder of a run", "eval", "pictures");
    check_refusal(2, "tiny.yaml: its run runs/gone does not exist", "eval", "tiny.yaml", "run.name=gone");
    check_refusal(2, "runs/there: no checkpoint 7; there are 1", "eval", "runs/there", "--checkpoint", "7");
    check_refusal(2, "should be best, latest or a step", "eval", "runs/there", "--checkpoint", "newest");
    check_refusal(2, "which model?", "eval");
    check_refusal(2, "which model, which pictures?", "predict", "runs/there");
    check_refusal(2, "which config?", "train");
    check_refusal(2, "unknown option '--chekpoint'; the nearest is --checkpoint", "eval", "--chekpoint",
                  "best");
}

static void sizes_that_do_not_fit(void **state)
{
    (void)state;
    check_refusal(2, "width 16 is not a multiple of heads 3", "train", "tiny.yaml", "model.heads=3");
    check_refusal(2, "image size 18x16 (height x width) is not a multiple of the patch 4", "train",
                  "tiny.yaml", "model.image_size=[18, 16]");
    check_refusal(2, "model.classes is 7, but pictures/train has 3 classes", "train", "tiny.yaml",
                  "model.classes=7");
    check_refusal(2, "fewer than train.batch_size 100", "train", "tiny.yaml", "train.batch_size=100");
    check_refusal(2, "a key of task: classify, but this is task: views", "train", "tiny.yaml", "task=views");
    check_refusal(2, "computes in f32", "train", "tiny.yaml", "device.dtype=bf16");
    assert_int_equal(access("runs/tiny", F_OK), -1);
}

static void devices_that_are_not_there(void **state)
{
    (void)state;
    check_refusal(2, "there is no device 'cuda:99'; this", "train", "tiny.yaml", "--device=cuda:99");
    check_refusal(2, "has: cpu", "verify", "tiny.yaml", "--device", "cuda:99");
    struct program_result result = run("bench", "ops", "--device", "cuda:99");
    if (strstr(result.err, "this build, without CUDA, has: cpu"))
        check_contains(result.err, " (for GPUs configure it with -DTTT_CUDA=ON)");
    fails(result, 2, "there is no device 'cuda:99'");
    check_refusal(2, "device.name: 'gpu' is no device", "train", "tiny.yaml", "--device", "gpu");
    check_refusal(2, "cpu computes in f32 only", "train", "tiny.yaml", "--dtype", "bf16");
    check_refusal(2, "cpu computes in f32 only", "bench", "ops", "--dtype", "bf16");
    check_refusal(2, "should be f32 or bf16", "bench", "ops", "--dtype", "f16");
    check_refusal(2, "--device and --dtype go with a config", "info", "--device", "cpu");
    assert_int_equal(access("runs/tiny", F_OK), -1);
}

static void data_that_are_not_there(void **state)
{
    (void)state;
    check_refusal(2, "data.root is not set", "train", "tiny.yaml", "data.root=");
    check_refusal(2, "gone/train: no such folder", "train", "tiny.yaml", "data.root=gone");
    check_refusal(2, "pictures/test: no such folder", "train", "tiny.yaml", "data.val=test");
    temporary_file(".", "odd/train/a/x.jpeg", "x", 1);
    temporary_file(".", "odd/val/b/x.jpeg", "x", 1);
    check_refusal(2, "odd/val/b: the class is not among the 1 of odd/train", "train", "tiny.yaml",
                  "data.root=odd");
    temporary_file(".", "bare/train/a/x.txt", "x", 1);
    check_refusal(2, "bare/train/a: the class has no pictures", "train", "tiny.yaml", "data.root=bare");
    temporary_file(".", "broken/train/a/x.jpeg", "x", 1);
    temporary_file(".", "broken/val/a/x.jpeg", "x", 1);
    fails(train("broken", "data.root=broken", "train.batch_size=1"), 2, "broken/train");
    train_ok("three", "train.steps=1");
    check_refusal(2, "odd/val/b: the class is not among the 3 of runs/three", "eval", "runs/three",
                  "data.root=odd");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_that_are_not_finite),
        cmocka_unit_test(a_rate_that_explodes),
        cmocka_unit_test(too_little_memory),
        cmocka_unit_test(a_folder_that_cannot_be_written),
        cmocka_unit_test_setup_teardown(a_disk_that_fills_up, mount_disk, unmount_disk),
        cmocka_unit_test(a_truncated_checkpoint),
        cmocka_unit_test(a_checkpoint_of_another_model),
        cmocka_unit_test(files_of_weights),
        cmocka_unit_test(runs_that_are_not_there),
        cmocka_unit_test(sizes_that_do_not_fit),
        cmocka_unit_test(devices_that_are_not_there),
        cmocka_unit_test(data_that_are_not_there),
    };
    return cmocka_run_group_tests(tests, training_enter, training_leave);
}
