/* Memory, streams and graphs of the emulated device. */
#include "tests/cuda/test_support.hpp"

static __global__ void add(float *x, float value)
{
    x[threadIdx.x] += value;
}

static float *device_floats(size_t count)
{
    float *x = nullptr;
    assert_int_equal(cudaMalloc(&x, count * sizeof *x), cudaSuccess);
    return x;
}

static void test_fresh_memory_is_nan(void **)
{
    float *x = device_floats(10);
    assert_int_equal(reinterpret_cast<uintptr_t>(x) % 256, 0);
    for (int i = 0; i < 10; i++)
        assert_true(isnan(x[i]));
    assert_int_equal(cudaFree(x), cudaSuccess);
    void *much = &much;
    assert_int_equal(cudaMalloc(&much, SIZE_MAX / 2), cudaErrorMemoryAllocation);
    assert_null(much);
}

static void capture_steps(cudaStream_t stream, float *x, cudaGraph_t *graph)
{
    assert_int_equal(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), cudaSuccess);
    cudaMemsetAsync(x, 0, 4 * sizeof *x, stream);
    launch(add, 1, 4, 0, x, 2.0f);
    cudaMemcpyAsync(x + 4, x, 4 * sizeof *x, cudaMemcpyDeviceToDevice, stream);
    launch(add, 1, 4, 0, x, 1.0f);
    enum cudaStreamCaptureStatus status;
    assert_int_equal(cudaStreamIsCapturing(stream, &status), cudaSuccess);
    assert_int_equal(status, cudaStreamCaptureStatusActive);
    assert_int_equal(cudaStreamEndCapture(stream, graph), cudaSuccess);
}

static void test_graph_records_and_replays(void **)
{
    cudaStream_t stream;
    cudaGraph_t graph;
    cudaGraphExec_t executable;
    float *x = device_floats(8);
    assert_int_equal(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), cudaSuccess);
    capture_steps(stream, x, &graph);
    assert_true(isnan(x[0]) && isnan(x[4]));
    assert_int_equal(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
    assert_int_equal(cudaGraphDestroy(graph), cudaSuccess);
    for (int run = 0; run < 2; run++) {
        x[0] = x[4] = 7;
        assert_int_equal(cudaGraphLaunch(executable, stream), cudaSuccess);
        assert_true(x[0] == 3 && x[3] == 3 && x[4] == 2 && x[7] == 2);
    }
    cudaGraphExecDestroy(executable);
    cudaStreamDestroy(stream);
    cudaFree(x);
}

static void test_waiting_spoils_a_capture(void **)
{
    cudaStream_t stream;
    cudaGraph_t graph;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal);
    assert_int_equal(cudaStreamSynchronize(stream), cudaErrorStreamCaptureUnsupported);
    assert_int_equal(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    assert_null(graph);
    assert_int_equal(cudaStreamSynchronize(stream), cudaSuccess);
    cudaStreamDestroy(stream);
}

static void test_events(void **)
{
    cudaEvent_t start, end;
    float milliseconds = -1;
    cudaEventCreate(&start);
    cudaEventCreate(&end);
    assert_int_equal(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorInvalidResourceHandle);
    cudaEventRecord(start);
    cudaEventRecord(end);
    assert_int_equal(cudaEventSynchronize(end), cudaSuccess);
    assert_int_equal(cudaEventElapsedTime(&milliseconds, start, end), cudaSuccess);
    assert_true(milliseconds >= 0);
    cudaEventDestroy(start);
    cudaEventDestroy(end);
}

static void test_a_lost_device_fails_at_every_call(void **)
{
    cudaStream_t stream;
    cudaEvent_t event;
    float *x = device_floats(1), y = 0;
    int count = -1;
    cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    cudaEventCreate(&event);
    setenv("EMULATED_LOST", "1", 1);
    assert_int_equal(cudaGetDeviceCount(&count), cudaErrorDevicesUnavailable);
    assert_int_equal(count, 0);
    void *more = &more;
    assert_int_equal(cudaMalloc(&more, 1), cudaErrorDevicesUnavailable);
    assert_null(more);
    assert_int_equal(cudaMemcpyAsync(&y, x, sizeof y, cudaMemcpyDeviceToHost, stream),
                     cudaErrorDevicesUnavailable);
    assert_int_equal(emulate_launch(1, 1, 0, [] {}), cudaErrorDevicesUnavailable);
    assert_int_equal(cudaEventRecord(event, stream), cudaErrorDevicesUnavailable);
    assert_int_equal(cudaEventSynchronize(event), cudaErrorDevicesUnavailable);
    assert_int_equal(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal),
                     cudaErrorDevicesUnavailable);
    assert_int_equal(cudaStreamSynchronize(stream), cudaErrorDevicesUnavailable);
    unsetenv("EMULATED_LOST");
    assert_true(y == 0);
    cudaEventDestroy(event);
    cudaStreamDestroy(stream);
    cudaFree(x);
}

#ifdef __SANITIZE_ADDRESS__
static __global__ void overrun(int *x, int where)
{
    __shared__ int fixed[7];
    DYNAMIC_SHARED(int, dynamic);
    int *start = where == 0 ? x : where == 1 ? dynamic : fixed;
    start[threadIdx.x] = 1;
}

static void test_overruns_are_reported(void **)
{
    int *x = nullptr;
    assert_int_equal(cudaMalloc(&x, 7 * sizeof *x), cudaSuccess);
    launch(overrun, 1, 7, 7 * sizeof(int), x, 0);
    for (int where = 0; where < 3; where++) {
        launch(overrun, 1, 7, 7 * sizeof(int), x, where);
        const std::string text = message_of_fault([=] { launch(overrun, 1, 8, 7 * sizeof(int), x, where); });
        assert_contains(text, "AddressSanitizer");
        assert_contains(text, "overrun");
    }
    cudaFree(x);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fresh_memory_is_nan),
        cmocka_unit_test(test_graph_records_and_replays),
        cmocka_unit_test(test_waiting_spoils_a_capture),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_a_lost_device_fails_at_every_call),
#ifdef __SANITIZE_ADDRESS__
        cmocka_unit_test(test_overruns_are_reported),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
