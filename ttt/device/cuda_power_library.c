/* What a GPU draws, from the driver's library of such things (NVML).  It comes with the driver alone, so it
 * is loaded when first asked for; the prototypes are those of nvml.h, which the toolkit has in a package
 * apart. */
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <stdlib.h>

#include "ttt/device/cuda_internal.h"

enum { SUCCESS = 0, SM_CLOCK = 1, BUS_ID = 32 };

typedef struct nvmlDevice_st *nvml_device;

struct cuda_power {
    void *library;
    nvml_device gpu;
    int (*shutdown)(void);
    int (*energy)(nvml_device gpu, unsigned long long *millijoules);
    int (*limit)(nvml_device gpu, unsigned *milliwatts);
    int (*clock)(nvml_device gpu, int type, unsigned *megahertz);
    int (*most_clock)(nvml_device gpu, int type, unsigned *megahertz);
};

/* Puts the library's function into *function, a pointer to a function of its type. */
static bool find(const struct cuda_power *power, const char *name, void *function)
{
    *(void **)function = dlsym(power->library, name);
    return *(void **)function != NULL;
}

static bool find_all(struct cuda_power *power)
{
    return find(power, "nvmlShutdown", &power->shutdown) &&
           find(power, "nvmlDeviceGetTotalEnergyConsumption", &power->energy) &&
           find(power, "nvmlDeviceGetEnforcedPowerLimit", &power->limit) &&
           find(power, "nvmlDeviceGetClockInfo", &power->clock) &&
           find(power, "nvmlDeviceGetMaxClockInfo", &power->most_clock);
}

static bool start(struct cuda_power *power, int index)
{
    int (*begin)(void), (*handle)(const char *bus_id, nvml_device *gpu);
    char bus_id[BUS_ID];
    if (!find_all(power) || !find(power, "nvmlInit_v2", &begin) ||
        !find(power, "nvmlDeviceGetHandleByPciBusId_v2", &handle) ||
        cudaDeviceGetPCIBusId(bus_id, sizeof bus_id, index) != cudaSuccess || begin() != SUCCESS)
        return false;
    if (handle(bus_id, &power->gpu) == SUCCESS)
        return true;
    power->shutdown();
    return false;
}

/* The current device's, or NULL. */
static struct cuda_power *open_power(void)
{
    int index;
    struct cuda_power *power = calloc(1, sizeof *power);
    if (!power || cudaGetDevice(&index) != cudaSuccess)
        goto failed;
    power->library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (power->library && start(power, index))
        return power;
    if (power->library)
        dlclose(power->library);
failed:
    free(power);
    return NULL;
}

void ttt_cuda_power_close(struct cuda *cuda)
{
    if (!cuda->power)
        return;
    cuda->power->shutdown();
    dlclose(cuda->power->library);
    free(cuda->power);
    cuda->power = NULL;
}

bool ttt_cuda_power(ttt_device *device, ttt_device_power *power)
{
    struct cuda *cuda = (struct cuda *)device;
    unsigned long long millijoules;
    unsigned milliwatts, megahertz, most;
    if (!cuda->power)
        cuda->power = open_power();
    const struct cuda_power *from = cuda->power;
    if (!from || from->energy(from->gpu, &millijoules) != SUCCESS ||
        from->limit(from->gpu, &milliwatts) != SUCCESS ||
        from->clock(from->gpu, SM_CLOCK, &megahertz) != SUCCESS ||
        from->most_clock(from->gpu, SM_CLOCK, &most) != SUCCESS)
        return false;
    *power = (ttt_device_power){.joules = (double)millijoules * 1e-3,
                                .limit_watts = milliwatts * 1e-3,
                                .clock = megahertz * 1e6,
                                .most_clock = most * 1e6};
    return true;
}
