/* What a GPU reaches: a large product in bf16 and in f32, and a large copy. */
#include <cuda_runtime_api.h>
#include <stdlib.h>

#include "ttt/base/random.h"
#include "ttt/device/cuda_internal.h"
#include "ttt/device/cuda_product.h"

enum {
    BF16_SIDE = 8192,
    F32_SIDE = 4096,
    WARM_UP = 5,
    RUNS = 15, /* the median counts */
    RANDOM_VALUES =
        1 << 20, /* made on the host, then repeated: zeros would draw less power, and run faster */
};

/* Bytes of one side of the copy, unless half of what is free is less. */
static const int64_t copied_bytes = (int64_t)2 << 30;

struct measurement {
    ttt_device *device;
    cudaStream_t stream;
    cudaEvent_t begin, end;
    char *memory;    /* two halves */
    int64_t half;    /* bytes */
    void *workspace; /* of a product */
};

static int compare(const void *x, const void *y)
{
    const float a = *(const float *)x, b = *(const float *)y;
    return (a > b) - (a < b);
}

/* Seconds of one call of `work`, the median of RUNS. */
static ttt_status time_median(struct measurement *m, ttt_status (*work)(struct measurement *m, void *context),
                              void *context, double *seconds)
{
    float milliseconds[RUNS];
    for (int i = 0; i < WARM_UP; i++)
        TRY(work(m, context));
    for (int i = 0; i < RUNS; i++) {
        TRY(ttt_cuda_check(cudaEventRecord(m->begin, m->stream), "recording an event"));
        TRY(work(m, context));
        TRY(ttt_cuda_check(cudaEventRecord(m->end, m->stream), "recording an event"));
        TRY(ttt_cuda_check(cudaEventSynchronize(m->end), "waiting for the device"));
        TRY(ttt_cuda_check(cudaEventElapsedTime(&milliseconds[i], m->begin, m->end), "timing the device"));
    }
    qsort(milliseconds, RUNS, sizeof *milliseconds, compare);
    *seconds = (double)milliseconds[RUNS / 2] * 1e-3;
    return TTT_OK;
}

static ttt_status copy_once(struct measurement *m, void *context)
{
    (void)context;
    return ttt_cuda_check(
        cudaMemcpyAsync(m->memory + m->half, m->memory, (size_t)m->half, cudaMemcpyDeviceToDevice, m->stream),
        "copying on the device");
}

/* Random numbers of a type from `to` on, for `bytes`. */
static ttt_status fill(struct measurement *m, char *to, int64_t bytes, ttt_dtype type)
{
    ttt_random random = ttt_random_start(1, TTT_RANDOM_TEST, 0, 0);
    const int64_t size = (int64_t)ttt_dtype_size(type);
    int64_t filled = RANDOM_VALUES * size;
    char *host = malloc((size_t)filled);
    if (!host)
        return ttt_fail(TTT_MEMORY, "no memory to measure the device");
    for (int64_t i = 0; i < RANDOM_VALUES; i++) {
        const float value = ttt_random_uniform_f32(&random) - 0.5f;
        if (type == TTT_BF16)
            ((uint16_t *)host)[i] = ttt_bf16_from_f32(value);
        else
            ((float *)host)[i] = value;
    }
    ttt_status status = ttt_device_upload(m->device, to, host, (size_t)filled);
    free(host);
    for (; !status && filled < bytes; filled *= 2) {
        const int64_t more = bytes - filled < filled ? bytes - filled : filled;
        status = ttt_cuda_check(
            cudaMemcpyAsync(to + filled, to, (size_t)more, cudaMemcpyDeviceToDevice, m->stream),
            "copying on the device");
    }
    return status;
}

struct product {
    const ttt_cuda_prepared *prepared;
    ttt_cuda_operands operands;
};

static ttt_status multiply_once(struct measurement *m, void *context)
{
    const struct product *product = context;
    return ttt_cuda_product_run(m->device, product->prepared, &product->operands);
}

/* FLOP/s of a square product. */
static ttt_status measure_product(struct measurement *m, ttt_dtype type, int64_t side, double *rate)
{
    const int64_t bytes = side * side * (int64_t)ttt_dtype_size(type);
    const ttt_cuda_product square = {.m = side,
                                     .n = side,
                                     .k = side,
                                     .batches = 1,
                                     .type = type,
                                     .y_type = type,
                                     .b_transposed = true,
                                     .a_leading = side,
                                     .b_leading = side,
                                     .alpha = 1};
    ttt_cuda_prepared *prepared;
    double seconds = 0;
    TRY(fill(m, m->memory, 2 * bytes, type));
    TRY(ttt_cuda_product_prepare(m->device, &square, &prepared));
    struct product product = {
        prepared,
        {.a = m->memory, .b = m->memory + bytes, .y = m->memory + 2 * bytes, .workspace = m->workspace}};
    ttt_status status = time_median(m, multiply_once, &product, &seconds);
    ttt_cuda_product_release(prepared);
    if (!status)
        *rate = 2.0 * (double)side * (double)side * (double)side / seconds;
    return status;
}

static ttt_status measure_all(struct measurement *m, ttt_device_rates *rates)
{
    double seconds;
    TRY(measure_product(m, TTT_BF16, BF16_SIDE, &rates->bf16_matmul_flops));
    TRY(measure_product(m, TTT_F32, F32_SIDE, &rates->matmul_flops));
    TRY(time_median(m, copy_once, NULL, &seconds));
    rates->copy_bytes = 2.0 * (double)m->half / seconds;
    return TTT_OK;
}

static ttt_status take_memory(struct measurement *m)
{
    const int64_t three_matrices = (int64_t)3 * BF16_SIDE * BF16_SIDE * 2;
    const int64_t most = ttt_device_memory_free(m->device) / 4;
    m->half = copied_bytes < most ? copied_bytes : most / 4096 * 4096;
    m->half = m->half * 2 < three_matrices ? three_matrices / 2 : m->half;
    void *memory;
    TRY(ttt_device_allocate(m->device, (size_t)(2 * m->half), &memory));
    m->memory = memory;
    TRY(ttt_device_allocate(m->device, TTT_CUDA_PRODUCT_WORKSPACE, &m->workspace));
    TRY(ttt_cuda_check(cudaEventCreate(&m->begin), "making an event"));
    return ttt_cuda_check(cudaEventCreate(&m->end), "making an event");
}

ttt_status ttt_cuda_measure(ttt_device *device, ttt_device_rates *rates)
{
    struct measurement m = {.device = device, .stream = ttt_cuda_stream(device)};
    ttt_status status = take_memory(&m);
    if (!status)
        status = measure_all(&m, rates);
    if (m.begin)
        cudaEventDestroy(m.begin);
    if (m.end)
        cudaEventDestroy(m.end);
    ttt_device_release(device, m.workspace);
    ttt_device_release(device, m.memory);
    return status;
}
