/* Streams, events and graphs: work is done at once, or recorded while a stream captures.
 *
 * With EMULATED_LATE=1 in the environment it is done as late as CUDA may: when somebody waits for it.  Memory
 * that is reused too early, and a wait that is missing between streams, then show.
 */
#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <deque>

struct CUstream_st {
    unsigned flags;
    std::deque<std::function<void()>> later;
};
struct CUevent_st {
    bool recorded;
    std::chrono::steady_clock::time_point time;
    cudaStream_t stream;
    long wanted, reached; /* how often it was recorded, and how often that was done */
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

std::vector<cudaStream_t> streams; /* oldest first */

void do_next(cudaStream_t stream)
{
    const std::function<void()> work = stream->later.front();
    stream->later.pop_front();
    work();
}
void drain(cudaStream_t stream)
{
    if (emulated_is_lost())
        stream->later.clear();
    while (!stream->later.empty())
        do_next(stream);
}
void drain_all()
{
    for (const cudaStream_t stream : streams)
        drain(stream);
}
void drain_until(const CUevent_st *event, long reached)
{
    while (event->reached < reached)
        do_next(event->stream);
}

/* Waiting for work that is only being recorded is an error, and spoils the recording. */
cudaError_t wait()
{
    if (const cudaError_t lost = emulated_call())
        return lost;
    if (!capture.graph)
        return emulated_failure();
    capture.broken = true;
    return cudaErrorStreamCaptureUnsupported;
}

cudaError_t wait_for(cudaStream_t stream)
{
    if (const cudaError_t error = wait())
        return error;
    if (stream)
        drain(stream);
    else
        drain_all();
    return emulated_failure();
}

/* Does work, or keeps it for later. */
cudaError_t perform(cudaStream_t stream, const std::function<void()> &work)
{
    if (const cudaError_t lost = emulated_call())
        return lost;
    if (capture.graph)
        capture.graph->work.push_back(work);
    else if (stream && emulated_switch("EMULATED_LATE"))
        stream->later.push_back(work);
    else
        work();
    return cudaSuccess;
}
} // namespace

/* Kernels do not say their stream: it is the first, that of all launches. */
bool emulated_record(const std::function<void()> &work)
{
    const bool late = emulated_switch("EMULATED_LATE") && !streams.empty();
    if (capture.graph || late)
        (void)perform(late ? streams.front() : nullptr, work);
    return capture.graph || late;
}

void emulated_wait_for_all(void)
{
    drain_all();
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    *stream = new CUstream_st{flags, {}};
    streams.push_back(*stream);
    return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t *stream)
{
    return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    drain(stream);
    streams.erase(std::remove(streams.begin(), streams.end(), stream), streams.end());
    delete stream;
    return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    return wait_for(stream);
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned)
{
    return perform(stream, [event, wanted = event->wanted] { drain_until(event, wanted); });
}
cudaError_t cudaDeviceSynchronize(void)
{
    return wait_for(nullptr);
}

/* Host memory that is not pinned makes the copy wait, as it does in truth. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    const void *host = kind == cudaMemcpyHostToDevice ? from : kind == cudaMemcpyDeviceToHost ? to : nullptr;
    const cudaError_t error = perform(stream, [=] {
        if (bytes)
            std::memmove(to, from, bytes);
    });
    const bool waits = host && stream && !capture.graph && !emulated_is_pinned(host);
    return error || !waits ? error : wait_for(stream);
}
cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind kind)
{
    const cudaError_t error = wait_for(nullptr);
    return error ? error : cudaMemcpyAsync(to, from, bytes, kind, nullptr);
}
cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream)
{
    return perform(stream, [=] {
        if (bytes)
            std::memset(memory, value, bytes);
    });
}
cudaError_t cudaMemset(void *memory, int value, size_t bytes)
{
    const cudaError_t error = wait_for(nullptr);
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
    drain_all(); /* a wait that failed may have left work that knows it */
    delete event;
    return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    if (capture.graph)
        return cudaSuccess;
    const cudaError_t error = perform(stream, [event, reached = event->wanted + 1] {
        event->reached = reached;
        event->time = std::chrono::steady_clock::now();
    });
    if (error)
        return error;
    event->recorded = true;
    event->stream = stream;
    event->wanted++;
    return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    if (const cudaError_t error = wait())
        return error;
    drain_until(event, event->wanted);
    return emulated_failure();
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
    if (const cudaError_t lost = emulated_call())
        return lost;
    capture = {stream, new CUgraph_st{}, false};
    return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    *graph = nullptr;
    if (!capture.graph || capture.stream != stream)
        return cudaErrorInvalidValue;
    const cudaError_t error = capture.broken ? cudaErrorStreamCaptureInvalidated : emulated_call();
    if (error)
        delete capture.graph;
    else
        *graph = capture.graph;
    capture = {};
    return error;
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
    *executable = nullptr;
    if (const cudaError_t lost = emulated_call())
        return lost;
    *executable = new CUgraphExec_st{graph->work};
    return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream)
{
    if (capture.graph)
        return wait();
    return perform(stream, [executable] {
        for (const std::function<void()> &work : executable->work)
            work();
    });
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable)
{
    drain_all();
    delete executable;
    return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}
