/* One value of the configuration: from text, into and out of struct run_config, and back to text. */
#ifndef TRAIN_CONFIG_VALUE_H
#define TRAIN_CONFIG_VALUE_H

#include "train/config/config.h"
#include "train/config/key.h"

/* A value as it was written, before its key's type is looked at. */
struct config_written {
    bool is_list;
    bool is_quoted; /* a scalar in quotes or a block, which can only be text */
    int count;      /* scalars; may be more than are kept */
    const char *scalars[CONFIG_LIST_MAX];
};

/* A value of the type that its key has. */
struct config_value {
    int64_t whole[2];                /* KEY_INT, KEY_LONG, KEY_BYTES, KEY_BOOL, KEY_ENUM, KEY_SIZE */
    double numbers[CONFIG_LIST_MAX]; /* KEY_FLOAT, KEY_DOUBLE, KEY_DOUBLES */
    char *text;                      /* KEY_STRING; owned */
};

/* Reads a value and checks it against its key; fails with TTT_ARGUMENT, saying what is allowed. */
ttt_status config_value_read(const struct config_key *key, const struct config_written *written,
                             struct config_value *value);

/* Reads a value from one text, where "[1, 2]" is a list: as it stands on the command line or in the table. */
ttt_status config_value_read_text(const struct config_key *key, const char *text, struct config_value *value);

void config_value_free(struct config_value *value);

/* Copies a value into the config, whose former string is freed. */
ttt_status config_value_store(const struct config_key *key, const struct config_value *value,
                              struct run_config *config);

/* Writes the value that the config has for a key as YAML. */
void config_value_print(const struct config_key *key, const struct run_config *config, FILE *file);

#endif
