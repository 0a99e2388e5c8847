/* Pointwise programs on CUDA, each compiled to a kernel of its own before the first run.
 *
 * Reads every operand once and writes every output once, 16 bytes a thread and access; what is repeated comes
 * from the caches.  At the rate of a copy but for programs of dozens of transcendental functions.
 */
#include <stdlib.h>

#include "ttt/device/cuda_compile.h"
#include "ttt/ops/pointwise/source.h"

struct prepared {
    struct pointwise_kernel shape;
    const void *kernel;
};

static ttt_status prepare(const ttt_launch *launch, void **state)
{
    struct prepared *prepared = malloc(sizeof *prepared);
    *state = prepared;
    if (!prepared)
        return ttt_fail(TTT_MEMORY, "no memory to compile a kernel");
    prepared->shape = pointwise_kernel_of(launch);
    char *source = pointwise_source(launch, &prepared->shape);
    if (!source)
        return ttt_fail(TTT_MEMORY, "no memory to write a kernel");
    ttt_status status =
        ttt_cuda_kernel(launch->device, source, "pointwise", prepared->shape.approximate, &prepared->kernel);
    free(source);
    return status;
}

static bool aligned(const ttt_operand *x, int width)
{
    const size_t group = (size_t)width * ttt_dtype_size(x->dtype);
    return (uintptr_t)x->data % (group < 16 ? group : 16) == 0;
}

/* Whether data lies as the strides let one hope. */
static bool all_aligned(const ttt_launch *launch, const struct pointwise_kernel *kernel)
{
    bool all = true;
    for (int i = 0; i < launch->n_in; i++)
        all &= !kernel->vector[i] || aligned(&launch->in[i], kernel->width);
    for (int i = 0; i < launch->n_out; i++)
        all &= aligned(&launch->out[i], kernel->width);
    return all;
}

static ttt_status run(const ttt_launch *launch)
{
    const struct prepared *prepared = launch->state;
    const struct pointwise_kernel *shape = &prepared->shape;
    if (!all_aligned(launch, shape))
        return ttt_pointwise_interpret(launch);
    const int64_t per_block = POINTWISE_THREADS * shape->unroll;
    uint64_t groups = (uint64_t)shape->groups;
    struct pointwise_operands operands = {0};
    for (int i = 0; i < launch->n_in; i++)
        operands.in[i] = launch->in[i].data;
    for (int i = 0; i < launch->n_out; i++)
        operands.out[i] = launch->out[i].data;
    void *arguments[] = {&operands, &groups};
    cudaLaunchConfig_t config = {
        .gridDim = {(unsigned)((shape->groups + per_block - 1) / per_block), 1, 1},
        .blockDim = {POINTWISE_THREADS, 1, 1},
        .stream = ttt_cuda_stream(launch->device),
    };
    return ttt_cuda_check(cudaLaunchKernelExC(&config, prepared->kernel, arguments),
                          "launching a compiled kernel");
}

const ttt_implementation ttt_pointwise_compiled = {
    .name = "compiled",
    .device = TTT_CUDA,
    .supports = ttt_all_f32_or_bf16,
    .prepare = prepare,
    .release = free,
    .run = run,
};
