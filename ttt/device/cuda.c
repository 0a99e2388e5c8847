/* NVIDIA GPUs: one stream for all work, memory, pinned host memory, recordings as CUDA graphs. */
#include "ttt/device/cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ttt/device/cuda_internal.h"

static struct cuda *cuda_of(const ttt_device *device)
{
    return (struct cuda *)device;
}

ttt_status ttt_cuda_check(cudaError_t error, const char *what)
{
    if (error == cudaSuccess)
        return TTT_OK;
    (void)cudaGetLastError(); /* a failed launch must not be reported again by the next */
    return ttt_fail(error == cudaErrorMemoryAllocation ? TTT_MEMORY : TTT_DEVICE,
                    "CUDA failed at %s: %s (%s)", what, cudaGetErrorString(error), cudaGetErrorName(error));
}

cudaStream_t ttt_cuda_stream(const ttt_device *device)
{
    return cuda_of(device)->stream;
}

int ttt_cuda_multiprocessors(const ttt_device *device)
{
    return cuda_of(device)->multiprocessors;
}

int ttt_cuda_capability(const ttt_device *device)
{
    return cuda_of(device)->capability;
}

/* CUDA numbers its versions 1000 * major + 10 * minor.  A driver serves all of its major version, but that
 * only from 12.1 on a kernel takes parameters of 32 KiB (ops/optimiser/pieces.cuh). */
enum { OLDEST_DRIVER = 12010 };

static ttt_status old_driver(int driver)
{
    int needed = 0;
    TRY(ttt_cuda_check(cudaRuntimeGetVersion(&needed), "asking CUDA's version"));
    return ttt_fail(
        TTT_DEVICE,
        "the driver serves CUDA up to %d.%d, and this program needs %d.%d: install a newer driver",
        driver / 1000, driver % 1000 / 10, needed / 1000, needed % 1000 / 10);
}

/* A driver that is too old counts no devices itself; where there is none, its version is 0. */
ttt_status ttt_cuda_count(int *count)
{
    const cudaError_t error = cudaGetDeviceCount(count);
    int driver = 0;
    if (error)
        *count = 0;
    TRY(ttt_cuda_check(cudaDriverGetVersion(&driver), "asking the driver's version"));
    if (!driver || error == cudaErrorNoDevice)
        return TTT_OK;
    if (error == cudaErrorInsufficientDriver || (!error && driver < OLDEST_DRIVER))
        return old_driver(driver);
    return ttt_cuda_check(error, "counting devices");
}

static int64_t cuda_memory_free(const ttt_device *device)
{
    size_t available = 0, total = 0;
    (void)device;
    return cudaMemGetInfo(&available, &total) == cudaSuccess ? (int64_t)available : 0;
}

static int64_t cuda_memory_total(const ttt_device *device)
{
    return cuda_of(device)->memory;
}

static void *cuda_allocate(ttt_device *device, size_t bytes)
{
    void *memory = NULL;
    (void)device;
    if (cudaMalloc(&memory, bytes ? bytes : 1) == cudaSuccess)
        return memory;
    (void)cudaGetLastError();
    return NULL;
}

static void cuda_release(ttt_device *device, void *memory)
{
    cudaStreamSynchronize(cuda_of(device)->uploads);
    cudaStreamSynchronize(cuda_of(device)->stream);
    cudaFree(memory);
}

static ttt_status cuda_allocate_host(ttt_device *device, size_t bytes, void **memory)
{
    (void)device;
    return ttt_cuda_check(cudaMallocHost(memory, bytes ? bytes : 1), "taking pinned host memory");
}

static void cuda_release_host(ttt_device *device, void *memory)
{
    cudaStreamSynchronize(cuda_of(device)->uploads);
    cudaStreamSynchronize(cuda_of(device)->stream);
    cudaFreeHost(memory);
}

static ttt_status cuda_upload_later(ttt_device *device, void *to, const void *from_host, size_t bytes)
{
    return ttt_cuda_check(
        cudaMemcpyAsync(to, from_host, bytes, cudaMemcpyHostToDevice, cuda_of(device)->stream),
        "copying to the device");
}

static ttt_status cuda_download_later(ttt_device *device, void *to_host, const void *from, size_t bytes)
{
    return ttt_cuda_check(
        cudaMemcpyAsync(to_host, from, bytes, cudaMemcpyDeviceToHost, cuda_of(device)->stream),
        "copying from the device");
}

static ttt_status cuda_copy_later(ttt_device *device, void *to, const void *from, size_t bytes)
{
    return ttt_cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, cuda_of(device)->stream),
                          "copying on the device");
}

static ttt_status cuda_upload_beside(ttt_device *device, void *to, const void *from_host, size_t bytes)
{
    return ttt_cuda_check(
        cudaMemcpyAsync(to, from_host, bytes, cudaMemcpyHostToDevice, cuda_of(device)->uploads),
        "copying to the device");
}

/* `later` waits for what `earlier` has been given so far. */
static ttt_status wait_for(cudaStream_t later, cudaStream_t earlier, cudaEvent_t event)
{
    TRY(ttt_cuda_check(cudaEventRecord(event, earlier), "recording an event"));
    return ttt_cuda_check(cudaStreamWaitEvent(later, event, 0), "waiting for an event");
}

static ttt_status cuda_launches_wait(ttt_device *device)
{
    const struct cuda *cuda = cuda_of(device);
    return wait_for(cuda->stream, cuda->uploads, cuda->uploaded);
}

static ttt_status cuda_uploads_wait(ttt_device *device)
{
    const struct cuda *cuda = cuda_of(device);
    return wait_for(cuda->uploads, cuda->stream, cuda->launched);
}

static ttt_status cuda_uploads_done(ttt_device *device)
{
    return ttt_cuda_check(cudaStreamSynchronize(cuda_of(device)->uploads), "waiting for uploads");
}

static ttt_status cuda_synchronize(ttt_device *device)
{
    return ttt_cuda_check(cudaStreamSynchronize(cuda_of(device)->stream), "waiting for the device");
}

static ttt_status cuda_upload(ttt_device *device, void *to, const void *from_host, size_t bytes)
{
    TRY(cuda_upload_later(device, to, from_host, bytes));
    return cuda_synchronize(device);
}

static ttt_status cuda_download(ttt_device *device, void *to_host, const void *from, size_t bytes)
{
    TRY(cuda_download_later(device, to_host, from, bytes));
    return cuda_synchronize(device);
}

static ttt_status cuda_record_begin(ttt_device *device)
{
    return ttt_cuda_check(cudaStreamBeginCapture(cuda_of(device)->stream, cudaStreamCaptureModeThreadLocal),
                          "recording launches");
}

static ttt_status cuda_record_end(ttt_device *device, ttt_recording **recording)
{
    cudaGraph_t graph = NULL;
    cudaGraphExec_t executable = NULL;
    *recording = NULL;
    TRY(ttt_cuda_check(cudaStreamEndCapture(cuda_of(device)->stream, &graph), "recording launches"));
    cudaError_t error = cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
    *recording = (ttt_recording *)executable;
    return ttt_cuda_check(error, "making a CUDA graph");
}

static ttt_status cuda_replay(ttt_device *device, const ttt_recording *recording)
{
    return ttt_cuda_check(cudaGraphLaunch((cudaGraphExec_t)recording, cuda_of(device)->stream),
                          "launching a CUDA graph");
}

static void cuda_forget(ttt_device *device, ttt_recording *recording)
{
    cudaStreamSynchronize(cuda_of(device)->stream);
    cudaGraphExecDestroy((cudaGraphExec_t)recording);
}

static ttt_status cuda_mark(ttt_device *device, int i)
{
    struct cuda *cuda = cuda_of(device);
    if (!cuda->marks[i])
        TRY(ttt_cuda_check(cudaEventCreate(&cuda->marks[i]), "making an event"));
    return ttt_cuda_check(cudaEventRecord(cuda->marks[i], cuda->stream), "recording an event");
}

static ttt_status cuda_elapsed(ttt_device *device, int from, int to, double *seconds)
{
    struct cuda *cuda = cuda_of(device);
    float milliseconds = 0;
    TRY(ttt_cuda_check(cudaEventSynchronize(cuda->marks[to]), "waiting for the device"));
    TRY(ttt_cuda_check(cudaEventElapsedTime(&milliseconds, cuda->marks[from], cuda->marks[to]),
                       "timing the device"));
    *seconds = milliseconds * 1e-3;
    return TTT_OK;
}

static ttt_status cuda_reach(ttt_device *device, int i)
{
    return ttt_cuda_check(cudaEventSynchronize(cuda_of(device)->marks[i]), "waiting for the device");
}

static void cuda_close(ttt_device *device)
{
    struct cuda *cuda = cuda_of(device);
    if (cuda->uploads)
        cudaStreamSynchronize(cuda->uploads);
    if (cuda->stream)
        cudaStreamSynchronize(cuda->stream);
    ttt_cuda_release_kept(cuda);
    ttt_cuda_libraries_close(cuda);
    ttt_cuda_power_close(cuda);
    for (int i = 0; i < TTT_DEVICE_MARKS; i++)
        if (cuda->marks[i])
            cudaEventDestroy(cuda->marks[i]);
    if (cuda->uploaded)
        cudaEventDestroy(cuda->uploaded);
    if (cuda->launched)
        cudaEventDestroy(cuda->launched);
    if (cuda->uploads)
        cudaStreamDestroy(cuda->uploads);
    if (cuda->stream)
        cudaStreamDestroy(cuda->stream);
    free(cuda);
}

static const struct ttt_device_operations cuda_operations = {
    .kind = TTT_CUDA,
    .close = cuda_close,
    .memory_free = cuda_memory_free,
    .memory_total = cuda_memory_total,
    .allocate = cuda_allocate,
    .release = cuda_release,
    .upload = cuda_upload,
    .download = cuda_download,
    .measure = ttt_cuda_measure,
    .power_of = ttt_cuda_power,
    .mark = cuda_mark,
    .elapsed = cuda_elapsed,
    .allocate_host = cuda_allocate_host,
    .release_host = cuda_release_host,
    .upload_later = cuda_upload_later,
    .download_later = cuda_download_later,
    .copy_later = cuda_copy_later,
    .upload_beside = cuda_upload_beside,
    .launches_wait = cuda_launches_wait,
    .uploads_wait = cuda_uploads_wait,
    .uploads_done = cuda_uploads_done,
    .reach = cuda_reach,
    .synchronize = cuda_synchronize,
    .record_begin = cuda_record_begin,
    .record_end = cuda_record_end,
    .replay = cuda_replay,
    .forget = cuda_forget,
};

static void describe(struct cuda *cuda, const struct cudaDeviceProp *p)
{
    cuda->multiprocessors = p->multiProcessorCount;
    cuda->device.shared_memory = p->sharedMemPerBlockOptin;
    cuda->capability = 10 * p->major + p->minor;
    cuda->memory = (int64_t)p->totalGlobalMem;
    snprintf(cuda->device.description, sizeof cuda->device.description,
             "%.80s, compute capability %d.%d, %d multiprocessors, %.1f GiB", p->name, p->major, p->minor,
             p->multiProcessorCount, (double)p->totalGlobalMem / 0x1p30);
}

enum { OLDEST_CAPABILITY = 80 }; /* Ampere: the first with bf16 and asynchronous copies */

static ttt_status open_device(struct cuda *cuda, int index)
{
    struct cudaDeviceProp properties;
    TRY(ttt_cuda_check(cudaSetDevice(index), "choosing the device"));
    TRY(ttt_cuda_check(cudaGetDeviceProperties(&properties, index), "asking for the device's properties"));
    describe(cuda, &properties);
    if (cuda->capability < OLDEST_CAPABILITY)
        return ttt_fail(TTT_UNSUPPORTED, "%s has compute capability %d.%d, and 8.0 is the oldest served",
                        cuda->device.name, properties.major, properties.minor);
    TRY(ttt_cuda_check(cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking), "making a stream"));
    TRY(ttt_cuda_check(cudaStreamCreateWithFlags(&cuda->uploads, cudaStreamNonBlocking), "making a stream"));
    TRY(ttt_cuda_check(cudaEventCreateWithFlags(&cuda->uploaded, cudaEventDisableTiming), "making an event"));
    return ttt_cuda_check(cudaEventCreateWithFlags(&cuda->launched, cudaEventDisableTiming),
                          "making an event");
}

ttt_status ttt_cuda_open(int index, ttt_device **device)
{
    struct cuda *cuda = calloc(1, sizeof *cuda);
    if (!cuda)
        return ttt_fail(TTT_MEMORY, "no memory to open a device");
    cuda->device.operations = &cuda_operations;
    cuda->device.threads = 1;
    snprintf(cuda->device.name, sizeof cuda->device.name, "cuda:%d", index);
    ttt_status status = open_device(cuda, index);
    if (status) {
        status = ttt_device_within(&cuda->device, status);
        cuda_close(&cuda->device);
        return status;
    }
    *device = &cuda->device;
    return TTT_OK;
}
