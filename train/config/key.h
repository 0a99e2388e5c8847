/* How a key of the configuration is declared. */
#ifndef TRAIN_CONFIG_KEY_H
#define TRAIN_CONFIG_KEY_H

#include <stdbool.h>
#include <stddef.h>

enum config_type {
    KEY_INT,     /* int */
    KEY_LONG,    /* int64_t */
    KEY_BYTES,   /* int64_t, written with K, M, G or T if wished */
    KEY_FLOAT,   /* float */
    KEY_DOUBLE,  /* double */
    KEY_DOUBLES, /* double[count] */
    KEY_BOOL,    /* bool */
    KEY_STRING,  /* char *, one of `choices` if there are any */
    KEY_ENUM,    /* an enum, by its names in `choices` */
    KEY_SIZE,    /* int[2]: height and width, or one number for both */
};

/* Which tasks a key means something to. */
enum config_key_task { KEY_OF_ALL, KEY_OF_CLASSIFY, KEY_OF_VIEWS };

struct config_choice {
    const char *name; /* NULL ends the list */
    int value;
};

struct config_key {
    const char *path; /* "train.lr" */
    enum config_type type;
    size_t offset;             /* in struct run_config */
    const char *fallback;      /* the default, as it would stand in a file */
    const char *views;         /* the default of task: views where it is another one; else NULL */
    const char *preset;        /* what the default is when another key decides it; NULL: fallback */
    double min, max;           /* of a number or each of a list's; min of a string: its least length */
    bool above_min, below_max; /* the bound itself is not allowed */
    int count;                 /* of KEY_DOUBLES, at most CONFIG_LIST_MAX */
    const struct config_choice *choices;
    enum config_key_task task;
    const char *help;
};

enum {
    CONFIG_KEYS_MAX = 128,
    CONFIG_LIST_MAX = 3,
    CONFIG_STRING_MAX = 4096, /* bytes, that of a path */
};

extern const struct config_key config_keys[];
extern const int config_key_count;

/* Whether a config of `task` (enum config_task) has the key, and the key's default there. */
bool config_key_applies(const struct config_key *key, int task);
const char *config_key_fallback(const struct config_key *key, int task);

/* The index of the key with this path, or -1. */
int config_key_find(const char *path);

/* The index of the first key in the group `path` ("model.ttt"), or -1 when that is no group. */
int config_key_group(const char *path);

/* Writes what the key takes: "a whole number from 1 to 8", "one of all, last". */
void config_key_allowed(const struct config_key *key, char *text, size_t size);

/* Writes the names directly inside the group `path` ("" for the top level), separated by ", ". */
void config_key_names(const char *path, char *text, size_t size);

/* The path of the key or group that a mistyped `path` most resembles. */
const char *config_key_nearest(const char *path, char *text, size_t size);

#endif
