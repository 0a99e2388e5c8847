/* Mistakes in a configuration: each has its line, its key, what is allowed, and the nearest name. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/train/config_files.h"

static void inheritance_mistakes_are_named(void **state)
{
    (void)state;
    struct run_config config;
    assert_text_refused("base: x.yaml\n",
                        "x.yaml:1: base: x.yaml: inherits from itself; take out one base of the "
                        "circle");
    write_config("a.yaml", "\n\nbase: x.yaml\n");
    assert_text_refused("base: ./a.yaml\n",
                        "./a.yaml:3: base: ./x.yaml: inherits from itself; take out one base "
                        "of the circle");
    assert_text_refused("\nbase: none.yaml\n",
                        "x.yaml:2: base: none.yaml: cannot be opened: No such file or directory");
    assert_text_refused("base: [a, b]\n", "x.yaml:1: base: takes one file name, from this file's folder");
    assert_text_refused("base:\n", "x.yaml:1: base: takes one file name, from this file's folder");
    assert_text_refused("base: a\nbase: b\n", "x.yaml:2: base: is given twice, first on line 1; keep one");
    write_config("a.yaml", "train:\n  epochs: 0\n");
    assert_text_refused(
        "base: a.yaml\ntrain: {epochs: 3}\n",
        "a.yaml:2: train.epochs: '0' is out of range; allowed: a whole number from 1 to 1000000");
    for (int i = 0; i < 9; i++) {
        char path[32], text[64];
        snprintf(path, sizeof path, "d%d.yaml", i);
        snprintf(text, sizeof text, i < 8 ? "base: d%d.yaml\n" : "task: classify\n", i + 1);
        write_config(path, text);
    }
    assert_config_refused(run_config_load("d0.yaml", 0, NULL, &config),
                          "d7.yaml:1: base: d8.yaml: files inherit more than 8 deep");
    check_ok(run_config_load("d1.yaml", 0, NULL, &config));
    run_config_free(&config);
}

static void unknown_keys_are_named_with_the_nearest(void **state)
{
    (void)state;
    assert_text_refused(
        "task: classify\ntrain:\n  epochs: 3\n  weigth_decay: 1\n",
        "x.yaml:4: train.weigth_decay: no such key; the nearest name is train.weight_decay; allowed "
        "in train: epochs, steps, batch_size, accumulate, lr, schedule, warmup_fraction, warmup_lr, "
        "min_lr, betas, eps, weight_decay, clip, skip_over, label_smoothing, ema, max_bad_steps, save_every, "
        "save_steps, keep");
    assert_text_refused("trian: {lr: 1}\n",
                        "x.yaml:1: trian: no such key; the nearest name is train; allowed at the "
                        "top level: base, task, run, device, model, data, train, eval");
    assert_text_refused("lr: 1\n",
                        "x.yaml:1: lr: no such key; the nearest name is train.lr; allowed at the top...");
    assert_text_refused(
        "model: {ttt: {varient: mse}}\n",
        "x.yaml:1: model.ttt.varient: no such key; the nearest name is model.ttt.variant; allowed "
        "in model.ttt: variant, update, kernel, loss, direction, query, weight_norm, token_lr, "
        "momentum, condition_gradient, inner_steps");
    assert_text_refused(
        "model: {update: last}\n",
        "x.yaml:1: model.update: no such key; the nearest name is model.ttt.update; allowed in...");
    assert_override_refused(
        "train.epoch=3",
        "command line: train.epoch: no such key; the nearest name is train.epochs; allowed in "
        "train: epochs...");
    assert_override_refused("base=a.yaml", "command line: base: no such key; the nearest name is...");
    assert_override_refused(
        "epochs=3", "command line: epochs: no such key; the nearest name is train.epochs; allowed at...");
    assert_text_refused("train.lr: 1\n",
                        "x.yaml:1: 'train.lr': a key in a file is one name without dots, inside its group");
    assert_text_refused("<<: {lr: 1}\n", "x.yaml:1: <<: no such key...");
}

static void wrong_types_are_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"train: {epochs: ten}",
         "train.epochs: 'ten' is not a whole number; allowed: a whole number from 1 to "
         "1000000"},
        {"train: {epochs: 1.5}", "train.epochs: '1.5' is not a whole number; allowed: a whole..."},
        {"train: {epochs: '3'}", "train.epochs: '3' is quoted, which makes it text; allowed: a whole..."},
        {"train: {epochs: [3]}", "train.epochs: a list is not one value; allowed: a whole number..."},
        {"train: {epochs: }", "train.epochs: the value is missing; allowed: a whole number..."},
        {"train: {epochs: {a: 1}}",
         "train.epochs: keys stand where a value is expected; allowed: a whole..."},
        {"train: {lr: fast}", "train.lr: 'fast' is not a number; allowed: a number above 0 and at most 1000"},
        {"train: {lr: nan}", "train.lr: 'nan' is not a number; allowed..."},
        {"train: {lr: 0x1p-3}", "train.lr: '0x1p-3' is not a number; allowed..."},
        {"train: {clip: .inf}", "train.clip: '.inf' is not a number; allowed: a number at least 0"},
        {"train: {betas: 0.9}",
         "train.betas: '0.9' is not a list; allowed: a list of 2 numbers, each at least 0 "
         "and below 1"},
        {"train: {betas: [0.9]}", "train.betas: a list of 1 has the wrong length; allowed: a list of 2..."},
        {"data: {mean: [0, 0, 0, 0]}",
         "data.mean: a list of 4 has the wrong length; allowed: a list of 3..."},
        {"data: {mean: [0, 0, [0]]}", "data.mean: a list holds plain numbers only"},
        {"data: {mean: [0, 0, x]}",
         "data.mean: 'x' is not a number; allowed: a list of 3 numbers, each at..."},
        {"data: {drop_last: yes}", "data.drop_last: 'yes' is neither true nor false; allowed: true or false"},
        {"data: {root: }", "data.root: the value is missing; allowed: text"},
        {"data: {train: ''}", "data.train: the text is empty; allowed: text, not empty"},
        {"data: {interpolation: bicubik}",
         "data.interpolation: 'bicubik' is unknown; the nearest is bicubic; "
         "allowed: one of bilinear, bicubic, lanczos"},
        {"device: {implementations: matmull:cblas}",
         "device.implementations: implementation 'matmull:cblas': there is no operator..."},
        {"device: {name: gpu}", "device.name: 'gpu' is no device; allowed: cpu, cuda, or cuda:1 and so on"},
        {"device: {name: 'cuda:'}", "device.name: 'cuda:' is no device..."},
        {"device: {memory_limit: 8GB}",
         "device.memory_limit: '8GB' is not a whole number; allowed: bytes as a "
         "whole number, with K, M, G or T for powers of 1024"},
        {"model: {image_size: 64x64}",
         "model.image_size: '64x64' is not a whole number; allowed: a whole number "
         "from 1 to 16384, or [height, width]"},
        {"train: 3", "train: is a group and takes no value; it has the keys epochs, steps, batch_size..."},
        {"train: [3]", "train: is a group and takes no value; it has the keys epochs, steps, batch_size..."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256], expected[512];
        snprintf(text, sizeof text, "# first\n%s\n", cases[i][0]);
        snprintf(expected, sizeof expected, "x.yaml:2: %s", cases[i][1]);
        assert_text_refused(text, expected);
    }
}

static void values_out_of_range_are_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"train: {epochs: 0}",
         "train.epochs: '0' is out of range; allowed: a whole number from 1 to 1000000"},
        {"train: {batch_size: 99999999999999999999}",
         "train.batch_size: '99999999999999999999' is out of range..."},
        {"run: {seed: -1}",
         "run.seed: '-1' is out of range; allowed: a whole number from 0 to 9007199254740992"},
        {"device: {memory_limit: 9000000T}", "device.memory_limit: '9000000T' is out of range..."},
        {"train: {lr: 0}", "train.lr: '0' is out of range; allowed: a number above 0 and at most 1000"},
        {"train: {lr: 1e999}", "train.lr: '1e999' is out of range..."},
        {"train: {label_smoothing: 1}",
         "train.label_smoothing: '1' is out of range; allowed: a number at least 0 "
         "and below 1"},
        {"model: {drop_path: 0.999999999999}",
         "model.drop_path: '0.999999999999' is out of range; allowed: a number "
         "at least 0 and below 1"},
        {"data: {std: [1, 1, 0]}",
         "data.std: '0' is out of range; allowed: a list of 3 numbers, each above 0..."},
        {"data: {crop_area: [0.5, 1.5]}",
         "data.crop_area: '1.5' is out of range; allowed: a list of 2 numbers..."},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[512];
        snprintf(expected, sizeof expected, "x.yaml:1: %s", cases[i][1]);
        assert_text_refused(cases[i][0], expected);
    }
    assert_override_refused("train.flip=2",
                            "command line: train.flip: no such key; the nearest name is data.flip...");
    assert_override_refused(
        "data.flip=2", "command line: data.flip: '2' is out of range; allowed: a number at least 0 and at "
                       "most 1");
    assert_override_refused("data.flip=",
                            "command line: data.flip: the value is missing; allowed: a number...");
    assert_override_refused("data.mean=[1,1]",
                            "command line: data.mean: a list of 2 has the wrong length...");
    assert_override_refused("data.mean=[1,,1]", "command line: data.mean: '' is not a number; allowed...");
    assert_override_refused("data.flip", "command line: 'data.flip' is not of the form key=value, such as "
                                         "train.lr=0.001");
    assert_override_refused("=3", "command line: '=3' is not of the form...");
    assert_override_refused("model.ttt=mse",
                            "command line: model.ttt: is a group and takes no value; it has...");
    assert_override_refused("data.root=a\nb",
                            "command line: data.root: 'a?b' has control characters or is not "
                            "UTF-8; allowed: text");
    assert_override_refused("data.root=\xff",
                            "command line: data.root: '?' has control characters or is not...");
}

static void duplicates_are_refused(void **state)
{
    (void)state;
    assert_text_refused("train:\n  lr: 1\n  lr: 2\n",
                        "x.yaml:3: train.lr: is given twice, first on line 2; keep one");
    assert_text_refused("train: {lr: 1}\ntask: classify\ntrain: {epochs: 2}\n",
                        "x.yaml:3: train: is given twice, first on line 1; keep one");
}

static void values_that_do_not_fit_each_other_are_named(void **state)
{
    (void)state;
    assert_text_refused(
        "model:\n  image_size: 225\n",
        "x.yaml:2: model.image_size: image size 225x225 (height x width) is not a multiple of the "
        "patch 16");
    assert_text_refused("model:\n  heads: 5\n  depth: 3\n",
                        "x.yaml:2: model.heads: width 192 is not a multiple of heads 5");
    assert_override_refused("model.width=100",
                            "command line: model.width: width 100 is not a multiple of heads 6");
    assert_text_refused("model:\n  mlp_ratio: 0.001\n",
                        "x.yaml:2: model.mlp_ratio: mlp_ratio 0.001 leaves the MLP of width 192 empty");
    assert_text_refused(
        "model: {name: vit_tiny}\n",
        "x.yaml:1: model.name: no model is called 'vit_tiny'; there are vittt_tiny, vittt_small and "
        "vittt_base");
    assert_text_refused(
        "model: {ttt: {variant: varaint3}}\n",
        "x.yaml:1: model.ttt.variant: no variant is called 'varaint3'; there are baseline, variant1 "
        "to variant6, gradient_ascent, replace_q_with_k and mse; the nearest is variant3");
    assert_text_refused("data: {crop_area: [1, 0.5]}\n",
                        "x.yaml:1: data.crop_area: [1, 0.5] descends; allowed: the smaller number first");
    assert_text_refused(
        "train:\n  lr: 1.0e-6\n",
        "x.yaml:2: train.lr: train.min_lr 5e-06 is above train.lr 1e-06; allowed: at most train.lr");
    assert_text_refused("eval: {weights: ema}\n",
                        "x.yaml:1: eval.weights: eval.weights ema needs train.ema above 0, such as 0.999");
    assert_text_refused("run: {name: a/b}\n",
                        "x.yaml:1: run.name: 'a/b' cannot name a folder inside run.dir; "
                        "allowed: a name without '/'");
    struct run_config config = load_config_text("train: {schedule: cosine_to_zero, lr: 1.0e-6}\n");
    run_config_free(&config);
    config = load_config_text("task: views\nmodel: {name: lact_nvs_l12}\n");
    assert_int_equal(config.task, TASK_VIEWS);
    assert_config_round_trip(&config, true);
    run_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(inheritance_mistakes_are_named), IN_FOLDER(unknown_keys_are_named_with_the_nearest),
        IN_FOLDER(wrong_types_are_named),          IN_FOLDER(values_out_of_range_are_named),
        IN_FOLDER(duplicates_are_refused),         IN_FOLDER(values_that_do_not_fit_each_other_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
