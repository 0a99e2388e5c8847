/* Streams, events and graphs: work is done at once, or recorded while a stream captures. */
#include <cuda_runtime.h>

#include <chrono>

struct CUstream_st {
    unsigned flags;
};
struct CUevent_st {
    bool recorded;
    std::chrono::steady_clock::time_point time;
};
struct CUgraph_st {
    std::vector<std::function<void()>> work;
};
struct CUgraphExec_st {
    std::vector<std::function<void()>> work;
};

namespace
{
struct {
    cudaStream_t stream;
    CUgraph_st *graph; /* nullptr: nothing captures */
    bool broken;
} capture;

/* Waiting for work that is only being recorded is an error, and spoils the recording. */
cudaError_t wait()
{
    if (!capture.graph)
        return cudaSuccess;
    capture.broken = true;
    return cudaErrorStreamCaptureUnsupported;
}
} // namespace

bool emulated_record(const std::function<void()> &work)
{
    if (capture.graph)
        capture.graph->work.push_back(work);
    return capture.graph != nullptr;
}

static cudaError_t perform(const std::function<void()> &work)
{
    if (!emulated_record(work))
        work();
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    *stream = new CUstream_st{flags};
    return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t *stream)
{
    return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    delete stream;
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t)
{
    return wait();
}
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned)
{
    return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize(void)
{
    return wait();
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind, cudaStream_t)
{
    return perform([=] {
        if (bytes)
            std::memmove(to, from, bytes);
    });
}
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    const cudaError_t error = wait();
    return error ? error : cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}
cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t)
{
    return perform([=] {
        if (bytes)
            std::memset(memory, value, bytes);
    });
}
cudaError_t cudaMemset(void *memory, int value, size_t bytes)
{
    const cudaError_t error = wait();
    return error ? error : cudaMemsetAsync(memory, value, bytes, nullptr);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
    *event = new CUevent_st{};
    return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t *event)
{
    return cudaEventCreateWithFlags(event, cudaEventDefault);
}
cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t)
{
    if (!capture.graph)
        *event = {true, std::chrono::steady_clock::now()};
    return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t)
{
    return wait();
}
cudaError_t cudaEventQuery(cudaEvent_t)
{
    return wait();
}
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end)
{
    if (!start->recorded || !end->recorded)
        return cudaErrorInvalidResourceHandle;
    *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    if (!stream || capture.graph)
        return cudaErrorStreamCaptureUnsupported;
    capture = {stream, new CUgraph_st{}, false};
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    *graph = nullptr;
    if (!capture.graph || capture.stream != stream)
        return cudaErrorInvalidValue;
    const bool broken = capture.broken;
    if (broken)
        delete capture.graph;
    else
        *graph = capture.graph;
    capture = {};
    return broken ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus *status)
{
    const bool active = capture.graph && capture.stream == stream;
    *status = !active          ? cudaStreamCaptureStatusNone
              : capture.broken ? cudaStreamCaptureStatusInvalidated
                               : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *executable, cudaGraph_t graph, unsigned long long)
{
    *executable = new CUgraphExec_st{graph->work};
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t)
{
    if (capture.graph)
        return wait();
    for (const std::function<void()> &work : executable->work)
        work();
    return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable)
{
    delete executable;
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}
