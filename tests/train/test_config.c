/* The configuration of a run: defaults, names, inheritance, overrides, and what is written. */
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/check.h"
#include "tests/train/config_files.h"

static void defaults_are_the_published_recipe(void **state)
{
    (void)state;
    struct run_config config = load_config_text("task: classify\n");
    assert_string_equal(config.run.name, "x");
    assert_string_equal(config.run.dir, "runs");
    assert_string_equal(config.device.name, "cpu");
    assert_int_equal(config.device.dtype, TTT_F32);
    assert_int_equal(config.model.vittt.width, 192);
    assert_int_equal(config.model.vittt.image_width, 224);
    assert_int_equal(config.model.vittt.classes, 0);
    assert_true(config.model.vittt.variant.condition_gradient);
    assert_true(config.data.crop_area[0] == 0.08 && config.data.crop_ratio[1] == 4.0 / 3.0);
    assert_int_equal(config.data.interpolation, RESAMPLE_BICUBIC);
    assert_int_equal(config.train.epochs, 300);
    assert_true(config.train.lr == 5e-4 && config.train.warmup_lr == 5e-7 && config.train.min_lr == 5e-6);
    assert_true(config.train.warmup_fraction * 300 == 20);
    assert_true(config.train.betas[1] == 0.999 && config.train.eps == 1e-8 && config.train.clip == 5);
    assert_int_equal(config.eval.weights, WEIGHTS_MODEL);
    run_config_free(&config);
    assert_null(config.run.name);
}

static void every_type_is_read(void **state)
{
    (void)state;
    struct run_config config =
        load_config_text("run: {name: 007, dir: 'it''s here', seed: 9007199254740992}\n"
                         "device: {dtype: bf16, memory_limit: 8G, implementations: ''}\n"
                         "model: {image_size: [32, 48], recompute: true, ttt: {query: \"k\"}}\n"
                         "data:\n"
                         "  mean: [0, 0.5, 1]\n"
                         "  crop_area:\n"
                         "  - 0.25\n"
                         "  - 1\n"
                         "train: {lr: 1e-3, betas: [.9, 0.95], eps: +1.0E-6}\n"
                         "eval:\n");
    assert_string_equal(config.run.name, "007");
    assert_string_equal(config.run.dir, "it's here");
    assert_int_equal(config.run.seed, 9007199254740992);
    assert_int_equal(config.device.dtype, TTT_BF16);
    assert_int_equal(config.device.memory_limit, 8LL << 30);
    assert_int_equal(config.model.vittt.image_height, 32);
    assert_int_equal(config.model.vittt.image_width, 48);
    assert_true(config.model.vittt.recompute);
    assert_int_equal(config.model.vittt.variant.query, TTT_QUERY_K);
    assert_true(config.data.mean[1] == 0.5 && config.data.mean[2] == 1 && config.data.crop_area[0] == 0.25);
    assert_true(config.train.lr == 1e-3 && config.train.betas[0] == 0.9 && config.train.eps == 1e-6);
    assert_config_round_trip(&config, true);
    run_config_free(&config);
}

static void names_give_way_to_keys_in_any_order(void **state)
{
    (void)state;
    struct run_config config = load_config_text("model:\n"
                                                "  ttt: {update: all, momentum: false, variant: variant1}\n"
                                                "  width: 96\n"
                                                "  name: vittt_base\n");
    assert_int_equal(config.model.vittt.width, 96);
    assert_int_equal(config.model.vittt.heads, 12);
    assert_true(config.model.vittt.drop_path == 0.4f);
    assert_int_equal(config.model.vittt.variant.update, TTT_UPDATE_ALL);
    assert_false(config.model.vittt.variant.momentum);
    assert_true(config.model.vittt.variant.token_lr);
    assert_config_round_trip(&config, false);
    run_config_free(&config);
}

static void a_written_config_reads_back_to_the_bit(void **state)
{
    (void)state;
    char *overrides[] = {"run.name=-a: b #c 'd' \xc3\xa9",
                         "run.seed=123456789012345",
                         "model.drop_path=0.1",
                         "model.mlp_ratio=2.6666667",
                         "data.crop_ratio=[0.1,0.30000000000000004]",
                         "train.lr=0.00012345678901234567",
                         "train.clip=1e300",
                         "train.eps=4.9406564584124654e-324",
                         "device.memory_limit=1234567",
                         "device.implementations=linear:cblas,layernorm:cpu",
                         "data.root=null",
                         "data.train=~",
                         "model.image_size=[64, 48]",
                         "model.patch=8",
                         "train.ema=0.9999",
                         "eval.weights=ema"};
    struct run_config config;
    write_config("x.yaml", "task: classify\n");
    check_ok(run_config_load("x.yaml", sizeof overrides / sizeof *overrides, overrides, &config));
    assert_string_equal(config.run.name, "-a: b #c 'd' \xc3\xa9");
    assert_true(config.train.eps > 0);
    assert_config_round_trip(&config, true);
    assert_config_round_trip(&config, false);
    char *text = written_config(&config, true);
    assert_non_null(strstr(text, "  drop_path: 0.1\n"));
    assert_non_null(strstr(text, "  crop_ratio: [0.1, 0.30000000000000004]\n"));
    assert_non_null(strstr(text, "  image_size: [64, 48]\n"));
    assert_non_null(strstr(text, "\n    # which way the inner loop goes along the gradient (one of"));
    free(text);
    run_config_free(&config);
}

static void overrides_come_last_and_the_last_holds(void **state)
{
    (void)state;
    char *overrides[] = {"train.lr=0.1", "train.lr=0.25", "device.memory_limit=512M",
                         "model.ttt.variant=variant6", "data.root=a=b"};
    struct run_config config;
    write_config("x.yaml", "train: {lr: 3}\nmodel: {ttt: {update: all}}\n");
    check_ok(run_config_load("x.yaml", 5, overrides, &config));
    assert_true(config.train.lr == 0.25);
    assert_int_equal(config.device.memory_limit, 512 << 20);
    assert_int_equal(config.model.vittt.variant.kernel, TTT_KERNEL_LINEAR);
    assert_int_equal(config.model.vittt.variant.update, TTT_UPDATE_ALL);
    assert_string_equal(config.data.root, "a=b");
    run_config_free(&config);
}

static void a_record_holds_in_any_folder(void **state)
{
    (void)state;
    struct run_config config =
        load_config_text("task: views\ndata: {root: a/b, view_order: index, view_index: /c.json}\n");
    char *folder = getcwd(NULL, 0), expected[PATH_MAX];
    FILE *file = fopen("record.yaml", "w");
    assert_true(folder && file);
    snprintf(expected, sizeof expected, "%s/a/b", folder);
    check_ok(run_config_record(&config, file));
    fclose(file);
    assert_string_equal(config.data.root, "a/b");
    run_config_free(&config);

    check_ok(run_config_load("record.yaml", 0, NULL, &config));
    assert_string_equal(config.data.root, expected);
    assert_string_equal(config.data.views.index, "/c.json");
    assert_string_equal(config.eval.views.index, "");
    assert_string_equal(config.run.dir, "runs");
    run_config_free(&config);
    free(folder);
}

static void files_inherit(void **state)
{
    (void)state;
    write_config("a.yaml", "train: {lr: 0.125, epochs: 7}\nmodel: {name: vittt_small}\n");
    write_config("b.yaml", "train: {epochs: 8, batch_size: 3}\nbase: a.yaml\n");
    struct run_config config = load_config_text("base: b.yaml\ntrain: {batch_size: 4}\n");
    assert_true(config.train.lr == 0.125);
    assert_int_equal(config.train.epochs, 8);
    assert_int_equal(config.train.batch_size, 4);
    assert_int_equal(config.model.vittt.width, 384);
    assert_string_equal(config.run.name, "x");
    run_config_free(&config);
}

static void keys_describe_themselves(void **state)
{
    (void)state;
    struct run_config_key key;
    int n = 0;
    for (; run_config_key(n, &key); n++) {
        assert_true(*key.path && *key.help && *key.allowed && key.fallback);
        assert_true(strlen(key.allowed) < sizeof key.allowed - 1);
        assert_null(strchr(key.help, '\n'));
    }
    assert_true(n > 60);
    assert_false(run_config_key(-1, &key));
    assert_true(run_config_key(0, &key));
    assert_string_equal(key.path, "task");
    assert_string_equal(key.allowed, "one of classify, views");
}

static void shipped_configs_load(void **state)
{
    (void)state;
    static const char *const patterns[] = {TEST_SOURCE "/configs/*.yaml", TEST_SOURCE "/configs/*/*.yaml"};
    int n = 0;
    for (int p = 0; p < 2; p++) {
        glob_t found;
        assert_int_equal(glob(patterns[p], 0, NULL, &found), 0);
        for (size_t i = 0; i < found.gl_pathc; i++, n++) {
            struct run_config config = load_config(found.gl_pathv[i]);
            assert_config_round_trip(&config, true);
            run_config_free(&config);
        }
        globfree(&found);
    }
    assert_true(n >= 7);
}

static void shipped_configs_say_what_they_are_for(void **state)
{
    (void)state;
    struct run_config config = load_config(TEST_SOURCE "/configs/vittt_base.yaml");
    assert_int_equal(config.model.vittt.width, 768);
    assert_true(config.model.vittt.drop_path == 0.4f);
    assert_int_equal(config.train.batch_size * config.train.accumulate, 512);
    assert_string_equal(config.run.name, "vittt_base");
    run_config_free(&config);

    config = load_config(TEST_SOURCE "/configs/imagenette.yaml");
    assert_int_equal(config.model.vittt.width, 96);
    assert_int_equal(config.model.vittt.depth, 4);
    assert_int_equal(config.train.epochs, 20);
    assert_true(config.train.lr == 1e-3 && config.train.warmup_fraction == 0.1);
    assert_int_equal(config.train.schedule, SCHEDULE_COSINE_TO_ZERO);
    run_config_free(&config);

    config = load_config(TEST_SOURCE "/configs/imagenette_wide.yaml");
    assert_int_equal(config.model.vittt.width, 128);
    assert_int_equal(config.model.vittt.heads, 4);
    assert_int_equal(config.train.epochs, 40);
    assert_int_equal(config.data.eval_crop, EVAL_CROP_NONE);
    run_config_free(&config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(defaults_are_the_published_recipe),
        IN_FOLDER(every_type_is_read),
        IN_FOLDER(names_give_way_to_keys_in_any_order),
        IN_FOLDER(a_written_config_reads_back_to_the_bit),
        IN_FOLDER(overrides_come_last_and_the_last_holds),
        IN_FOLDER(a_record_holds_in_any_folder),
        IN_FOLDER(files_inherit),
        IN_FOLDER(keys_describe_themselves),
        IN_FOLDER(shipped_configs_load),
        IN_FOLDER(shipped_configs_say_what_they_are_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
