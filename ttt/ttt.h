/* libttt: static graphs with gradients, and test-time training layers. */
#ifndef TTT_TTT_H
#define TTT_TTT_H

#include "ttt/base/dtype.h"
#include "ttt/base/random.h"
#include "ttt/base/status.h"
#include "ttt/device/device.h"
#include "ttt/fast/variant.h"
#include "ttt/fast/vittt.h"
#include "ttt/graph/graph.h"
#include "ttt/graph/plan.h"
#include "ttt/graph/store.h"
#include "ttt/ops/attention/attention.h"
#include "ttt/ops/concat/concat.h"
#include "ttt/ops/conv3x3/conv3x3.h"
#include "ttt/ops/copy/copy.h"
#include "ttt/ops/cross_entropy/cross_entropy.h"
#include "ttt/ops/drop_path/drop_path.h"
#include "ttt/ops/fill/fill.h"
#include "ttt/ops/layernorm/layernorm.h"
#include "ttt/ops/linear/linear.h"
#include "ttt/ops/matmul/matmul.h"
#include "ttt/ops/mse/mse.h"
#include "ttt/ops/optimiser/optimiser.h"
#include "ttt/ops/patches/patches.h"
#include "ttt/ops/pointwise/pointwise.h"
#include "ttt/ops/rays/rays.h"
#include "ttt/ops/reduce/reduce.h"
#include "ttt/ops/rmsnorm/rmsnorm.h"

#endif
