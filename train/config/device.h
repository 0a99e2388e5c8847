/* What the keys under `device` ask for. */
#ifndef TRAIN_CONFIG_DEVICE_H
#define TRAIN_CONFIG_DEVICE_H

#include "train/config/config.h"
#include "ttt/graph/plan.h"

/* Opens the device.  As ttt_device_open; TTT_UNSUPPORTED for a type that it does not compute in. */
ttt_status config_device_open(const struct config_device *config, ttt_device **device)
    __attribute__((warn_unused_result));

/* The limit and the forced rows of every plan; they point into the config. */
ttt_plan_options config_plan_options(const struct config_device *config);

#endif
