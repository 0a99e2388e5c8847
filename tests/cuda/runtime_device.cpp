/* One device of Hopper's capability with the host's memory, its errors, and its memory. */
#include <cuda_runtime.h>

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>

namespace
{
constexpr size_t memory_alignment = 256;
constexpr size_t always_there = 1 << 20; /* bytes that are given without a look at what is left */

/* Odd, so that nothing divides by it. */
constexpr int multiprocessors = 3;
constexpr int shared_per_block = 48 * 1024, cache_bytes = 1 << 20;

struct {
    cudaError_t error;
    const char *name, *text;
} const errors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver", "CUDA driver version is insufficient"},
    {cudaErrorDevicesUnavailable, "cudaErrorDevicesUnavailable",
     "CUDA-capable device(s) is/are busy or unavailable"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
};

/* Bytes of a line of /proc/meminfo. */
size_t memory_line(const char *name)
{
    char line[128];
    size_t kilobytes = 0;
    const size_t length = std::strlen(name);
    std::FILE *file = std::fopen("/proc/meminfo", "r");
    if (!file)
        return 0;
    while (!kilobytes && std::fgets(line, sizeof line, file))
        if (!std::strncmp(line, name, length))
            kilobytes = std::strtoull(line + length, nullptr, 10);
    std::fclose(file);
    return kilobytes * 1024;
}

std::map<const char *, size_t> pinned, on_device; /* what is allocated, by address */
long launches;
std::atomic<long> calls; /* that fail on a device that was lost */

size_t memory_total()
{
    const long limit = emulated_switch("EMULATED_MEMORY");
    return limit ? (size_t)limit : memory_line("MemTotal:");
}

size_t memory_free()
{
    const size_t available = memory_line("MemAvailable:"), total = memory_total();
    size_t used = 0;
    for (const auto &block : on_device)
        used += block.second;
    const size_t left = total > used ? total - used : 0;
    return emulated_switch("EMULATED_MEMORY") && left < available ? left : available;
}

/* Pinned memory is the machine's: the device's limit does not hold for it. */
bool is_left(size_t bytes, const std::map<const char *, size_t> &blocks)
{
    const bool limited = &blocks == &on_device && emulated_switch("EMULATED_MEMORY");
    return limited ? bytes <= memory_free() : bytes <= always_there || bytes <= memory_line("MemAvailable:");
}

cudaError_t allocate(void **memory, size_t bytes, std::map<const char *, size_t> &blocks)
{
    *memory = nullptr;
    if (const cudaError_t lost = emulated_call())
        return lost;
    if (!bytes)
        return cudaSuccess;
    if (!is_left(bytes, blocks) || posix_memalign(memory, memory_alignment, bytes))
        return cudaErrorMemoryAllocation;
    std::memset(*memory, 0xff, bytes);
    blocks[static_cast<const char *>(*memory)] = bytes;
    return cudaSuccess;
}

cudaError_t release(void *memory, std::map<const char *, size_t> &blocks)
{
    emulated_wait_for_all();
    blocks.erase(static_cast<const char *>(memory));
    std::free(memory);
    return cudaSuccess;
}
} // namespace

long emulated_switch(const char *name)
{
    const char *text = std::getenv(name);
    return text ? std::strtol(text, nullptr, 10) : 0;
}

size_t emulated_shared_limit()
{
    const long limit = emulated_switch("EMULATED_SHARED");
    return limit ? (size_t)limit : 227 * 1024;
}

bool emulated_is_pinned(const void *memory)
{
    const char *at = static_cast<const char *>(memory);
    auto next = pinned.upper_bound(at);
    return next != pinned.begin() && (--next, at < next->first + next->second);
}

void emulated_count_launch(void)
{
    launches++;
}

cudaError_t emulated_failure(void)
{
    const long failing = emulated_switch("EMULATED_FAILURE");
    return failing && launches >= failing ? cudaErrorIllegalAddress : cudaSuccess;
}

bool emulated_is_lost(void)
{
    const long lost = emulated_switch("EMULATED_LOST");
    return lost && calls >= lost;
}

cudaError_t emulated_call(void)
{
    calls++;
    return emulated_is_lost() ? cudaErrorDevicesUnavailable : cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t error)
{
    for (const auto &entry : errors)
        if (entry.error == error)
            return entry.text;
    return "unrecognized error code";
}
const char *cudaGetErrorName(cudaError_t error)
{
    for (const auto &entry : errors)
        if (entry.error == error)
            return entry.name;
    return "cudaErrorUnknown";
}
/* Errors are returned by the call that causes them, and by no later one. */
cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}
cudaError_t cudaPeekAtLastError(void)
{
    return cudaSuccess;
}

/* As with a GPU, none is seen where CUDA_VISIBLE_DEVICES names none, or the driver is of a major version
 * before that of the program, or is not there. */
cudaError_t cudaGetDeviceCount(int *count)
{
    const char *visible = std::getenv("CUDA_VISIBLE_DEVICES");
    int driver;
    *count = 0;
    if (const cudaError_t lost = emulated_call())
        return lost;
    cudaDriverGetVersion(&driver);
    if (driver / 1000 < CUDART_VERSION / 1000)
        return cudaErrorInsufficientDriver;
    *count = visible && !*visible ? 0 : 1;
    return *count ? cudaSuccess : cudaErrorNoDevice;
}
cudaError_t cudaSetDevice(int device)
{
    return device ? cudaErrorInvalidDevice : cudaSuccess;
}
cudaError_t cudaGetDevice(int *device)
{
    *device = 0;
    return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int device)
{
    if (device)
        return cudaErrorInvalidDevice;
    *properties = {.name = "emulated",
                   .totalGlobalMem = memory_total(),
                   .sharedMemPerBlock = shared_per_block,
                   .sharedMemPerBlockOptin = emulated_shared_limit(),
                   .multiProcessorCount = multiprocessors,
                   .maxThreadsPerMultiProcessor = 2048,
                   .major = 9,
                   .minor = 0,
                   .l2CacheSize = cache_bytes,
                   .warpSize = warpSize};
    return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
    const struct {
        cudaDeviceAttr attribute;
        int value;
    } known[] = {
        {cudaDevAttrMaxThreadsPerBlock, 1024},
        {cudaDevAttrMaxSharedMemoryPerBlock, shared_per_block},
        {cudaDevAttrWarpSize, warpSize},
        {cudaDevAttrClockRate, 1000000},
        {cudaDevAttrMultiProcessorCount, multiprocessors},
        {cudaDevAttrMemoryClockRate, 1000000},
        {cudaDevAttrGlobalMemoryBusWidth, 64},
        {cudaDevAttrL2CacheSize, cache_bytes},
        {cudaDevAttrComputeCapabilityMajor, 9},
        {cudaDevAttrComputeCapabilityMinor, 0},
        {cudaDevAttrMaxSharedMemoryPerBlockOptin, (int)emulated_shared_limit()},
    };
    if (device)
        return cudaErrorInvalidDevice;
    for (const auto &entry : known)
        if (entry.attribute == attribute) {
            *value = entry.value;
            return cudaSuccess;
        }
    return cudaErrorInvalidValue;
}
cudaError_t cudaDriverGetVersion(int *version)
{
    const long driver = emulated_switch("EMULATED_DRIVER");
    *version = driver < 0 ? 0 : driver ? (int)driver : CUDART_VERSION;
    return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
    *available = memory_free();
    *total = memory_total();
    return emulated_call();
}
cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    return allocate(memory, bytes, on_device);
}
cudaError_t cudaFree(void *memory)
{
    return release(memory, on_device);
}
cudaError_t cudaMallocHost(void **memory, size_t bytes)
{
    return allocate(memory, bytes, pinned);
}
cudaError_t cudaHostAlloc(void **memory, size_t bytes, unsigned)
{
    return allocate(memory, bytes, pinned);
}
cudaError_t cudaFreeHost(void *memory)
{
    return release(memory, pinned);
}
