/* --device and --dtype. */
#include "tools/device_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/config/text.h"

static ttt_status append(const char *key, const char *value, char **own, char **arguments, int *rest)
{
    if (!value)
        return TTT_OK;
    if (asprintf(own, "%s=%s", key, value) < 0) {
        *own = NULL;
        return ttt_fail(TTT_MEMORY, "no memory for the arguments");
    }
    arguments[(*rest)++] = *own;
    return TTT_OK;
}

ttt_status device_options_append(struct device_options *given, char **arguments, int *rest)
{
    TRY(append("device.name", given->device, &given->keys[0], arguments, rest));
    return append("device.dtype", given->dtype, &given->keys[1], arguments, rest);
}

void device_options_free(struct device_options *given)
{
    free(given->keys[0]);
    free(given->keys[1]);
}

ttt_status device_options_read(const struct device_options *given, struct config_device *device)
{
    const bool bf16 = given->dtype && !strcmp(given->dtype, "bf16");
    *device = (struct config_device){.name = (char *)(given->device ? given->device : "cpu"),
                                     .dtype = bf16 ? TTT_BF16 : TTT_F32};
    if (!given->dtype || bf16 || !strcmp(given->dtype, "f32"))
        return TTT_OK;
    return ttt_fail(TTT_ARGUMENT, "--dtype '%s': should be f32 or bf16", config_quote(given->dtype).text);
}
