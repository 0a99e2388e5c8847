/* Keys that were given explicitly, each with its value and where it was given. */
#ifndef TRAIN_CONFIG_SETTINGS_H
#define TRAIN_CONFIG_SETTINGS_H

#include "train/config/value.h"

struct config_setting {
    char *where; /* "FILE:LINE" or "command line"; NULL: not given; owned */
    int rank;    /* of two settings the one with the higher rank was given later */
    struct config_value value;
};

/* Starts zeroed. */
struct config_settings {
    struct config_setting of[CONFIG_KEYS_MAX]; /* by index of the key */
};

/* Moves a value in, in place of a former one, whatever the ranks. */
void config_settings_put(struct config_settings *settings, int key, struct config_setting *setting);

/* Moves every given key of `over` into `settings`. */
void config_settings_overlay(struct config_settings *settings, struct config_settings *over);

void config_settings_free(struct config_settings *settings);

/* The key that was given last among those whose paths are listed up to a NULL; -1 when none was given. */
int config_settings_latest(const struct config_settings *settings, const char *const *paths);

/* Fails with TTT_ARGUMENT for a path that is no key: says the nearest name, and the names there are. */
ttt_status config_unknown_key(const char *path);

/* Reads a file and all that it inherits. */
ttt_status config_read_file(const char *path, struct config_settings *settings);

/* Reads one "key=value". */
ttt_status config_read_override(const char *text, int index, struct config_settings *settings);

enum {
    CONFIG_DEPTH_MAX = 8,      /* files in a chain of base */
    CONFIG_FILE_MAX = 1 << 20, /* bytes, so that a line number fits below a rank's level */
    CONFIG_RANK_LEVEL = CONFIG_FILE_MAX + 1,
};

#endif
