/* Where golden vectors are computed. */
#ifndef TOOLS_VERIFY_PLACE_H
#define TOOLS_VERIFY_PLACE_H

#include "ttt/graph/graph.h"

struct verify_place {
    ttt_device *device;
    ttt_dtype dtype; /* of activations: f32 or bf16 */
};

#endif
