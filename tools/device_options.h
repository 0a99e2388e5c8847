/* --device and --dtype: short for device.name=... and device.dtype=... behind a config. */
#ifndef TOOLS_DEVICE_OPTIONS_H
#define TOOLS_DEVICE_OPTIONS_H

#include "tools/options.h"
#include "train/config/config.h"

/* What the options of a command store; NULL where one is not given. */
struct device_options {
    const char *device, *dtype;
    char *keys[2]; /* owned */
};

/* The entries for a command's list of options. */
#define DEVICE_OPTIONS(given)                                                                                \
    {.name = "--device", .type = OPTION_TEXT, .value = &(given)->device},                                    \
    {                                                                                                        \
        .name = "--dtype", .type = OPTION_TEXT, .value = &(given)->dtype                                     \
    }

/* Appends the keys that the options stand for to the `rest` arguments that options_read left, in whose array
 * the options themselves have left room.  The caller calls device_options_free in the end. */
ttt_status device_options_append(struct device_options *given, char **arguments, int *rest)
    __attribute__((warn_unused_result));
void device_options_free(struct device_options *given);

/* For a command without a config: what the options say, the CPU and f32 where they do not.  It lives as long
 * as the arguments.  TTT_ARGUMENT for another type. */
ttt_status device_options_read(const struct device_options *given, struct config_device *device)
    __attribute__((warn_unused_result));

#endif
