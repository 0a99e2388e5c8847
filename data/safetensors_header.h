/* The JSON header of a safetensors file, parsed and checked; used by the reader alone. */
#ifndef DATA_SAFETENSORS_HEADER_H
#define DATA_SAFETENSORS_HEADER_H

#include <jansson.h>

#include "data/safetensors.h"

typedef struct safetensors_header {
    json_t *json;                /* owns every name and string below */
    safetensors_tensor *tensors; /* [count], in the order of their bytes; data is NULL */
    size_t count;
    safetensors_metadata *metadata; /* [metadata_count], sorted by key */
    size_t metadata_count;
} safetensors_header;

/* Parses text[length], which describes data_bytes bytes of tensors: the first tensor starts at 0, each
 * next one where the one before ends, and the last ends at data_bytes.
 * TTT_FORMAT or TTT_MEMORY; *header is to be freed in every case. */
ttt_status safetensors_header_parse(const char *text, size_t length, uint64_t data_bytes,
                                    safetensors_header *header) __attribute__((warn_unused_result));

void safetensors_header_free(safetensors_header *header);

/* Order of two safetensors_metadata by key, for qsort and bsearch. */
int safetensors_metadata_compare(const void *a, const void *b);

#endif
