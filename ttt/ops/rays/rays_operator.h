/* The operator "rays": inputs fxfycxcy (B, V, 4) and c2w (B, V, 4, 4), contiguous; output (B, V, 9, h, w). */
#ifndef TTT_OPS_RAYS_RAYS_OPERATOR_H
#define TTT_OPS_RAYS_RAYS_OPERATOR_H

#include "ttt/graph/operator.h"

enum { TTT_RAY_CHANNELS = 9 };

extern const ttt_operator ttt_op_rays;
extern const ttt_implementation ttt_rays_cpu;
extern const ttt_implementation ttt_rays_cuda;

#endif
