/* Opening the device of a config. */
#include "train/config/device.h"

ttt_status config_device_open(const struct config_device *config, ttt_device **device)
{
    TRY(ttt_device_open(config->name, config->threads, device));
    if (config->dtype != TTT_BF16 || ttt_device_kind_of(*device) == TTT_CUDA)
        return TTT_OK;
    ttt_device_close(*device);
    *device = NULL;
    return ttt_fail(TTT_UNSUPPORTED, "device.dtype bf16: %s computes in f32 only; a device 'cuda' has both",
                    config->name);
}

ttt_plan_options config_plan_options(const struct config_device *config)
{
    const char *rows = config->implementations;
    return (ttt_plan_options){.implementations = rows && *rows ? rows : NULL,
                              .memory_limit = config->memory_limit};
}
