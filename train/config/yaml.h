/* The events of one YAML file, strictly: one document, no anchors, aliases or tags. */
#ifndef TRAIN_CONFIG_YAML_H
#define TRAIN_CONFIG_YAML_H

#include <stddef.h>
#include <stdio.h>
#include <yaml.h>

#include "ttt/base/status.h"

struct config_yaml {
    const char *path; /* borrowed; for error lines */
    char *bytes;
    size_t size;
    yaml_parser_t parser;
    yaml_event_t event; /* the latest */
};

/* Reads the whole of an open file.  Fails with TTT_IO, TTT_MEMORY or TTT_FORMAT when it is larger than a
 * config may be. */
ttt_status config_yaml_open(struct config_yaml *yaml, const char *path, FILE *file);

void config_yaml_close(struct config_yaml *yaml);

/* Moves to the next event.  Fails with TTT_FORMAT and "FILE:LINE: " for what is not YAML or not allowed. */
ttt_status config_yaml_next(struct config_yaml *yaml);

/* The line of the latest event, from 1. */
int config_yaml_line(const struct config_yaml *yaml);

/* An error at a line of the file: "FILE:LINE: ...". */
ttt_status config_yaml_at(const struct config_yaml *yaml, int line, ttt_status status);

#endif
