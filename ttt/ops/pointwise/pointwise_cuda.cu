/* Pointwise programs on CUDA, instruction by instruction: any shape, slowly.  Where kernels can be compiled
 * while the program runs (pointwise_cuda_library.c), it takes what those do not.
 *
 * A thread brings its element of every operand into local memory, then follows the program;
 * outputs are written last, so that they may lie over operands.
 */
#include "ttt/device/kernel.cuh"
#include "ttt/ops/pointwise/formulas.cuh"

extern "C" {
#include "ttt/ops/pointwise/program.h"
#include "ttt/ops/pointwise/walk.h"
}

enum { THREADS = 256, MOST_VALUES = POINTWISE_MOST_INPUTS + POINTWISE_MOST_INSTRUCTIONS };

/* All that a thread must know, passed by value: 1.4 KiB. */
struct task {
    pointwise_program program;
    pointwise_walk walk;
    const void *in[POINTWISE_MOST_INPUTS];
    void *out[POINTWISE_MOST_OUTPUTS]; /* NULL: not wanted */
    bool in_bf16[POINTWISE_MOST_INPUTS], out_bf16[POINTWISE_MOST_OUTPUTS];
    int64_t elements;
};

static __device__ int64_t offset_of(const pointwise_walk &walk, int input, int64_t element)
{
    int64_t offset = 0;
    for (int d = walk.rank - 1; d > 0; d--) {
        offset += element % walk.size[d] * walk.stride[input][d];
        element /= walk.size[d];
    }
    return offset + element * walk.stride[input][0];
}

static __device__ float execute(const pointwise_instruction &instruction, float a, float b)
{
    const float c = instruction.constant;
    switch (instruction.function) {
#define CASE(function, expression)                                                                           \
    case function:                                                                                           \
        return expression;
        POINTWISE_FUNCTIONS(CASE)
    }
    return c;
}

static __global__ void interpret(const __grid_constant__ task task)
{
    const pointwise_program &program = task.program;
    float value[MOST_VALUES];
    for (int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x; i < task.elements;
         i += (int64_t)gridDim.x * THREADS) {
        for (int k = 0; k < program.n_inputs; k++)
            value[k] =
                load_any(task.in[k], task.in_bf16[k], task.walk.in_order[k] ? i : offset_of(task.walk, k, i));
        for (int k = 0; k < program.n_instructions; k++)
            value[program.n_inputs + k] = execute(program.instructions[k], value[program.instructions[k].a],
                                                  value[program.instructions[k].b]);
        for (int k = 0; k < program.n_outputs; k++)
            if (task.out[k])
                store_any(task.out[k], task.out_bf16[k], i, value[program.outputs[k]]);
    }
}

extern "C" ttt_status ttt_pointwise_interpret(const ttt_launch *launch)
{
    task task = {.program = *static_cast<const pointwise_program *>(launch->attributes),
                 .walk = pointwise_walk_of(launch),
                 .elements = ttt_operand_elements(&launch->out[0])};
    for (int i = 0; i < launch->n_in; i++) {
        task.in[i] = launch->in[i].data;
        task.in_bf16[i] = launch->in[i].dtype == TTT_BF16;
    }
    for (int i = 0; i < launch->n_out; i++) {
        task.out[i] = launch->out[i].data;
        task.out_bf16[i] = launch->out[i].dtype == TTT_BF16;
    }
    return enqueue(launch, interpret, grid_for(launch, task.elements, THREADS), THREADS, 0, task);
}

extern "C" const ttt_implementation ttt_pointwise_interpreted = {
    .name = "interpreted",
    .device = TTT_CUDA,
    .supports = ttt_all_f32_or_bf16,
    .run = ttt_pointwise_interpret,
};
