/* A file of golden vectors: its tensors, and its metadata, whose values are JSON texts.
 *
 * Nothing in it is trusted: whoever asks for a number states its range, for a tensor its shape.  Errors are
 * TTT_FORMAT and say which key or tensor; the caller adds the path.
 */
#ifndef TOOLS_VERIFY_FIXTURE_H
#define TOOLS_VERIFY_FIXTURE_H

#include <stdbool.h>

#include <jansson.h>

#include "data/safetensors.h"
#include "ttt/fast/variant.h"
#include "ttt/graph/graph.h"

struct fixture {
    safetensors_file *file;
    json_t *metadata; /* an object: each value as parsed */
};

/* Opens a file and parses its metadata.  On failure there is nothing to close. */
ttt_status fixture_open(const char *path, struct fixture *fixture) __attribute__((warn_unused_result));
void fixture_close(struct fixture *fixture);

/* The file's kind; the text lives as long as the fixture. */
ttt_status fixture_kind(const struct fixture *fixture, const char **kind) __attribute__((warn_unused_result));

/* The number at `group`.`key` of the metadata, or at `key` when group is NULL; min <= number <= max. */
ttt_status fixture_whole(const struct fixture *fixture, const char *group, const char *key, int min, int max,
                         int *value) __attribute__((warn_unused_result));
ttt_status fixture_number(const struct fixture *fixture, const char *key, double min, double max,
                          double *value) __attribute__((warn_unused_result));

/* As fixture_number where the metadata has the key; else *value stays. */
ttt_status fixture_number_or(const struct fixture *fixture, const char *key, double min, double max,
                             double *value) __attribute__((warn_unused_result));

/* The switches under "variant". */
ttt_status fixture_variant(const struct fixture *fixture, ttt_variant *variant)
    __attribute__((warn_unused_result));

/* The tensor called `prefix` followed by `name`, of this shape. */
ttt_status fixture_tensor(const struct fixture *fixture, const char *prefix, const char *name,
                          ttt_shape shape, const safetensors_tensor **tensor)
    __attribute__((warn_unused_result));

/* The same with any shape of `rank` dimensions, all of them at least 1. */
ttt_status fixture_tensor_of_rank(const struct fixture *fixture, const char *name, int rank,
                                  const safetensors_tensor **tensor) __attribute__((warn_unused_result));

/* A tensor's elements as f32, for the caller to free; NULL when memory has run out. */
float *fixture_values(const safetensors_tensor *tensor);

#endif
