/* ttt info: the build, the devices, and a config's model. */
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <yaml.h>

#include "tools/command.h"
#include "tools/device_options.h"
#include "tools/info_model.h"
#include "tools/info_views.h"
#include "tools/options.h"
#include "tools/output.h"
#include "train/config/device.h"

static const char help[] =
    "usage: ttt info [CONFIG [key=value ...]] [--device NAME] [--dtype TYPE] [--json]\n\n"
    "Prints what this program was built with and the devices there are. With a config also its model: "
    "layers,\n"
    "output shapes, parameters, floating-point operations of a forward pass over one picture, and the "
    "memory\n"
    "that training and inference (task: views: reconstruction and rendering) will take at the config's "
    "batch sizes. Nothing is allocated or read but "
    "the\n"
    "list of the data's classes.\n\n"
    "  --device NAME  cpu, cuda or cuda:1: short for device.name=NAME\n"
    "  --dtype TYPE   f32 or bf16, of activations: short for device.dtype=TYPE\n"
    "  --json         as one object\n\n"
    "examples:\n"
    "  ttt info\n"
    "  ttt info configs/vittt_tiny.yaml\n"
    "  ttt info configs/vittt_base.yaml train.batch_size=32 model.recompute=true --json\n";

static const char *compiler(void)
{
#if defined __clang__
    return "clang " __clang_version__;
#elif defined __GNUC__
    return "gcc " __VERSION__;
#else
    return "unknown";
#endif
}

/* "2.1.5", from the headers that this was compiled with. */
static struct output_text jpeg_version(void)
{
    struct output_text version;
    const int number = LIBJPEG_TURBO_VERSION_NUMBER;
    snprintf(version.text, sizeof version.text, "%d.%d.%d", number / 1000000, number / 1000 % 1000,
             number % 1000);
    return version;
}

/* A device that cannot be opened, as under an old driver, says so in its place. */
static void print_device(const char *name)
{
    ttt_device *device;
    ttt_status status = ttt_device_open(name, 0, &device);
    if (status) {
        printf("  %-10s %s\n", name, ttt_status_text(status));
        ttt_status_free(status);
        return;
    }
    printf("  %-10s %s\n", name, ttt_device_description(device));
    printf("  %-10s %s free of %s\n", "", output_bytes(ttt_device_memory_free(device)).text,
           output_bytes(ttt_device_memory_total(device)).text);
    ttt_device_close(device);
}

static void print_build(void)
{
    printf("ttt %s\n", TTT_VERSION);
    printf("  compiler   %s, %s build, -march=%s\n", compiler(), TTT_BUILD_TYPE, TTT_ARCH);
    printf("  libraries  libjpeg-turbo %s, libyaml %s, jansson %s\n", jpeg_version().text,
           yaml_get_version_string(), JANSSON_VERSION);
    printf("\ndevices\n");
    char name[TTT_DEVICE_NAME];
    for (int i = 0; ttt_device_at(i, name); i++)
        print_device(name);
}

static json_t *device_json(const char *name)
{
    ttt_device *device;
    ttt_status status = ttt_device_open(name, 0, &device);
    if (status) {
        json_t *unusable = json_pack("{s:s, s:s}", "name", name, "error", ttt_status_text(status));
        ttt_status_free(status);
        return unusable;
    }
    json_t *usable = json_pack("{s:s, s:s, s:i, s:I, s:I}", "name", name, "description",
                               ttt_device_description(device), "threads", ttt_device_threads(device),
                               "memory_free_bytes", (json_int_t)ttt_device_memory_free(device),
                               "memory_total_bytes", (json_int_t)ttt_device_memory_total(device));
    ttt_device_close(device);
    return usable;
}

static json_t *build_json(void)
{
    json_t *devices = json_array();
    char name[TTT_DEVICE_NAME];
    for (int i = 0; ttt_device_at(i, name); i++)
        json_array_append_new(devices, device_json(name));
    return json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:s, s:s}, s:o}", "version", TTT_VERSION, "compiler",
                     compiler(), "build_type", TTT_BUILD_TYPE, "march", TTT_ARCH, "libraries",
                     "libjpeg-turbo", jpeg_version().text, "libyaml", yaml_get_version_string(), "jansson",
                     JANSSON_VERSION, "devices", devices);
}

/* config, model: NULL, or what is added to the build. */
static ttt_status print_json(const struct run_config *config, const struct info_model *model)
{
    json_t *all = build_json();
    ttt_status status = config ? output_json_set(all, "model", info_model_json(config, model)) : TTT_OK;
    if (!status)
        return output_json(all);
    json_decref(all);
    return status;
}

static ttt_status show_build(bool json)
{
    if (json)
        return print_json(NULL, NULL);
    print_build();
    return TTT_OK;
}

static ttt_status show_model(struct run_config *config, ttt_device *device, bool json)
{
    struct info_model model;
    TRY(config->task == TASK_VIEWS ? info_views_create(config, device, &model)
                                   : info_model_create(config, device, &model));
    ttt_status status = TTT_OK;
    if (json) {
        status = print_json(config, &model);
    } else {
        print_build();
        info_model_print(config, &model);
    }
    info_model_free(&model);
    return status;
}

static ttt_status show_config(const char *path, int n_overrides, char **overrides, bool json)
{
    struct run_config config;
    ttt_device *device = NULL;
    TRY(run_config_load(path, n_overrides, overrides, &config));
    ttt_status status = config_device_open(&config.device, &device);
    if (!status) {
        status = show_model(&config, device, json);
        ttt_device_close(device);
    }
    run_config_free(&config);
    return status;
}

static ttt_status run(int argc, char **argv)
{
    bool json = false;
    struct device_options device = {0};
    const struct option options[] = {{"--json", OPTION_FLAG, &json, 0, 0}, DEVICE_OPTIONS(&device)};
    int rest;
    TRY(options_read(argc, argv, options, sizeof options / sizeof *options, &rest));
    if (!rest && (device.device || device.dtype))
        return ttt_fail(TTT_ARGUMENT, "--device and --dtype go with a config");
    if (!rest)
        return show_build(json);
    ttt_status status = device_options_append(&device, argv, &rest);
    if (!status)
        status = show_config(argv[0], rest - 1, argv + 1, json);
    device_options_free(&device);
    return status;
}

const struct command command_info = {
    .name = "info",
    .summary = "what was built, the devices, and a config's model",
    .help = help,
    .run = run,
};
