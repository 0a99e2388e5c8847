/* The kernels that pointwise programs become, compiled as on a GPU; none is needed for it. */
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "ttt/base/random.h"
#include "ttt/device/cuda_compile.h"
#include "ttt/ops/pointwise/source.h"

enum { PROGRAMS = 12, FUNCTIONS = POINTWISE_SILU_GRAD2_OF + 1, RANK = 3 };

/* A node of random operands and program, without data. */
struct drawn {
    ttt_launch launch;
    ttt_operand in[POINTWISE_MOST_INPUTS], out[POINTWISE_MOST_OUTPUTS];
    struct pointwise_program program;
};

static ttt_dtype draw_type(ttt_random *random)
{
    return ttt_random_below(random, 2) ? TTT_BF16 : TTT_F32;
}

static ttt_operand contiguous(ttt_shape shape, ttt_dtype dtype)
{
    ttt_operand x = {.dtype = dtype, .shape = shape};
    int64_t stride = 1;
    for (int d = shape.rank - 1; d >= 0; d--) {
        x.stride[d] = stride;
        stride *= shape.size[d];
    }
    return x;
}

/* As it lies, repeated along some dimensions, with gaps, or with two dimensions swapped in memory. */
static ttt_operand draw_operand(ttt_random *random, ttt_shape shape)
{
    ttt_operand x = contiguous(shape, draw_type(random));
    const uint32_t form = ttt_random_below(random, 4), at = ttt_random_below(random, RANK);
    if (form == 1) {
        shape.size[at] = 1;
        x = contiguous(shape, x.dtype);
    } else if (form == 2) {
        for (int d = 0; d < RANK - 1; d++)
            x.stride[d] *= 3;
    } else if (form == 3) {
        const int64_t inner = shape.size[RANK - 1];
        x.stride[0] = inner;
        x.stride[1] = shape.size[0] * inner;
    }
    return x;
}

static void draw_program(ttt_random *random, struct pointwise_program *program)
{
    program->n_inputs = 1 + (int)ttt_random_below(random, POINTWISE_MOST_INPUTS);
    program->n_instructions = 1 + (int)ttt_random_below(random, POINTWISE_MOST_INSTRUCTIONS);
    program->n_outputs = 1 + (int)ttt_random_below(random, POINTWISE_MOST_OUTPUTS);
    for (int i = 0; i < program->n_instructions; i++) {
        const uint32_t values = (uint32_t)(program->n_inputs + i);
        program->instructions[i] = (struct pointwise_instruction){
            (uint8_t)ttt_random_below(random, FUNCTIONS), (uint8_t)ttt_random_below(random, values),
            (uint8_t)ttt_random_below(random, values), ttt_random_uniform_f32(random) - 0.5F};
    }
    for (int i = 0; i < program->n_outputs; i++)
        program->outputs[i] =
            (uint8_t)(program->n_inputs + (int)ttt_random_below(random, (uint32_t)program->n_instructions));
}

static void draw(struct drawn *drawn, ttt_random *random)
{
    static const int64_t sizes[] = {1, 3, 8, 12, 64};
    ttt_shape shape = {.rank = RANK};
    for (int d = 0; d < RANK; d++)
        shape.size[d] = sizes[ttt_random_below(random, sizeof sizes / sizeof *sizes)];
    memset(drawn, 0, sizeof *drawn);
    draw_program(random, &drawn->program);
    for (int i = 0; i < drawn->program.n_inputs; i++)
        drawn->in[i] = draw_operand(random, shape);
    for (int i = 0; i < drawn->program.n_outputs; i++)
        drawn->out[i] = contiguous(shape, draw_type(random));
    drawn->launch = (ttt_launch){.in = drawn->in,
                                 .out = drawn->out,
                                 .n_in = drawn->program.n_inputs,
                                 .n_out = drawn->program.n_outputs,
                                 .attributes = &drawn->program};
}

static void compile(const ttt_launch *launch, int capability)
{
    const struct pointwise_kernel kernel = pointwise_kernel_of(launch);
    char *source = pointwise_source(launch, &kernel);
    void *code = NULL;
    assert_non_null(source);
    check_ok(ttt_cuda_compile(source, capability, kernel.approximate, &code));
    assert_memory_equal(code, "\177ELF", 4);
    free(code);
    free(source);
}

static void random_programs_compile(void **state)
{
    (void)state;
    for (int i = 0; i < PROGRAMS; i++) {
        ttt_random random = ttt_random_start(1, TTT_RANDOM_TEST, (uint64_t)i, 0);
        struct drawn drawn;
        draw(&drawn, &random);
        compile(&drawn.launch, i % 2 ? 80 : 90);
    }
}

/* More than 2^31 elements: offsets of 64 bits. */
static void large_tensors_compile(void **state)
{
    (void)state;
    ttt_random random = ttt_random_start(2, TTT_RANDOM_TEST, 0, 0);
    struct drawn drawn;
    draw(&drawn, &random);
    ttt_shape shape = ttt_dims(65536, 3, 16384);
    for (int i = 0; i < drawn.launch.n_in; i++)
        drawn.in[i] = draw_operand(&random, shape);
    for (int i = 0; i < drawn.launch.n_out; i++)
        drawn.out[i] = contiguous(shape, TTT_BF16);
    assert_true(pointwise_kernel_of(&drawn.launch).wide);
    compile(&drawn.launch, 90);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    void *code = NULL;
    check_error(ttt_cuda_compile("extern \"C\" __global__ void f() { g(); }", 90, false, &code), TTT_DEVICE,
                "\"g\" is undefined");
    assert_null(code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs_compile),
        cmocka_unit_test(large_tensors_compile),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
