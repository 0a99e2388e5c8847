/* Writing the CUDA C of a pointwise program.
 *
 * A thread reads its groups of all operands, as vectors where they are consecutive, then computes and writes
 * them one by one; the program is straight-line code over one element, which the compiler unrolls over the
 * group.  Offsets are computed once a group, with sizes and strides as literals.
 */
#include "ttt/ops/pointwise/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ttt/ops/pointwise/walk.h"

#define POINTWISE_TEXT(...) static const char formulas[] = #__VA_ARGS__;
#define POINTWISE_INLINE
#include "ttt/ops/pointwise/formulas.h"

/* Groups of elements as they lie in memory: f32, or bf16 in pairs, the first in the lower half. */
static const char elements[] =
    "struct bf16 { unsigned short bits; };\n"
    "template <class T, int N> struct group;\n"
    "template <int N> struct __align__(N < 4 ? 4 * N : 16) group<float, N> {\n"
    "    float x[N];\n"
    "    __device__ float get(int i) const { return x[i]; }\n"
    "    __device__ void set(const float (&y)[N]) {\n"
    "        #pragma unroll\n"
    "        for (int i = 0; i < N; i++) x[i] = y[i];\n"
    "    }\n"
    "};\n"
    "template <int N> struct __align__(2 * N) group<bf16, N> {\n"
    "    unsigned x[N / 2];\n"
    "    __device__ float get(int i) const {\n"
    "        return __uint_as_float(i % 2 ? x[i / 2] & 0xffff0000u : x[i / 2] << 16);\n"
    "    }\n"
    "    __device__ void set(const float (&y)[N]) {\n"
    "        #pragma unroll\n"
    "        for (int i = 0; i < N; i += 2)\n"
    "            asm(\"cvt.rn.bf16x2.f32 %0, %1, %2;\" : \"=r\"(x[i / 2]) : \"f\"(y[i + 1]), \"f\"(y[i]));\n"
    "    }\n"
    "};\n"
    "template <> struct group<bf16, 1> {\n"
    "    unsigned short x;\n"
    "    __device__ float get(int) const { return __uint_as_float((unsigned)x << 16); }\n"
    "    __device__ void set(const float (&y)[1]) {\n"
    "        asm(\"cvt.rn.bf16.f32 %0, %1;\" : \"=h\"(x) : \"f\"(y[0]));\n"
    "    }\n"
    "};\n";

static const char machine[] = "#define POINTWISE_INLINE static __device__ __forceinline__\n"
                              "POINTWISE_INLINE float ttt_fast_exp(float x) { return __expf(x); }\n"
                              "POINTWISE_INLINE float ttt_exp(float x) { return expf(x); }\n"
                              "POINTWISE_INLINE float ttt_quotient(float x, float y) {\n"
                              "    return __fdividef(x, y);\n"
                              "}\n";

/* Reads of all groups stand before the first write: an output may lie over an operand. */
static const char kernel_text[] =
    "extern \"C\" __global__ void __launch_bounds__(THREADS) pointwise(const operands o,\n"
    "                                                                unsigned long long groups) {\n"
    "    const offset first = (offset)blockIdx.x * (THREADS * UNROLL) + threadIdx.x;\n"
    "    inputs in[UNROLL];\n"
    "    #pragma unroll\n"
    "    for (int u = 0; u < UNROLL; u++)\n"
    "        if (first + u * THREADS < groups) in[u] = read(o, (first + u * THREADS) * WIDTH);\n"
    "    #pragma unroll\n"
    "    for (int u = 0; u < UNROLL; u++)\n"
    "        if (first + u * THREADS < groups) write(o, in[u], (first + u * THREADS) * WIDTH);\n"
    "}\n";

#define FUNCTION_TEXT(function, expression) [function] = #expression,
static const char *const expressions[] = {POINTWISE_FUNCTIONS(FUNCTION_TEXT)};

static const char *type_name(ttt_dtype dtype)
{
    return dtype == TTT_BF16 ? "bf16" : "float";
}

/* The widest group: 16 bytes of bf16 where there is any, else of f32. */
static int widest(const ttt_launch *launch, const struct pointwise_walk *walk)
{
    bool any_bf16 = false;
    for (int i = 0; i < launch->n_out; i++)
        any_bf16 |= launch->out[i].dtype == TTT_BF16;
    for (int i = 0; i < launch->n_in; i++)
        any_bf16 |= launch->in[i].dtype == TTT_BF16 && walk->in_order[i];
    return any_bf16 ? 8 : 4;
}

/* The widest group that no operand is cut within: it must divide the innermost dimension, and the strides
 * around it of what is consecutive inside.  Other strides than 0 and 1 inside are read best by neighbouring
 * threads. */
static int width_of(const ttt_launch *launch, const struct pointwise_walk *walk)
{
    const int last = walk->rank - 1;
    int width = widest(launch, walk);
    while (walk->size[last] % width)
        width /= 2;
    for (int i = 0; i < launch->n_in; i++) {
        if (walk->in_order[i] || walk->stride[i][last] == 0)
            continue;
        if (walk->stride[i][last] != 1)
            return 1;
        for (int d = 0; d < last; d++)
            while (walk->stride[i][d] % width)
                width /= 2;
    }
    return width;
}

/* One past the largest offset of any operand. */
static int64_t reach_of(const ttt_launch *launch, const struct pointwise_walk *walk)
{
    int64_t most = ttt_operand_elements(&launch->out[0]);
    for (int i = 0; i < launch->n_in; i++) {
        int64_t reach = 1;
        for (int d = 0; d < walk->rank; d++)
            reach += (walk->size[d] - 1) * walk->stride[i][d];
        most = reach > most ? reach : most;
    }
    return most;
}

struct pointwise_kernel pointwise_kernel_of(const ttt_launch *launch)
{
    const struct pointwise_walk walk = pointwise_walk_of(launch);
    struct pointwise_kernel kernel = {
        .width = width_of(launch, &walk), .wide = reach_of(launch, &walk) > INT32_MAX, .approximate = true};
    int64_t bytes = 0;
    for (int i = 0; i < launch->n_in; i++) {
        kernel.vector[i] = kernel.width > 1 && (walk.in_order[i] || walk.stride[i][walk.rank - 1] == 1);
        bytes += (int64_t)ttt_dtype_size(launch->in[i].dtype) * (kernel.vector[i] ? kernel.width : 1);
    }
    for (int i = 0; i < launch->n_out; i++)
        kernel.approximate &= launch->out[i].dtype == TTT_BF16;
    kernel.unroll = bytes <= 8 ? 4 : bytes <= 32 ? 2 : 1;
    kernel.groups = ttt_operand_elements(&launch->out[0]) / kernel.width;
    return kernel;
}

static void write_types(FILE *to, const ttt_launch *launch, const struct pointwise_kernel *kernel)
{
    fprintf(to, "enum { WIDTH = %d, UNROLL = %d, THREADS = %d };\n", kernel->width, kernel->unroll,
            POINTWISE_THREADS);
    fprintf(to, "typedef unsigned %soffset;\n", kernel->wide ? "long long " : "");
    fprintf(to, "struct operands { const void *in[%d]; void *out[%d]; };\nstruct inputs {\n",
            POINTWISE_MOST_INPUTS, POINTWISE_MOST_OUTPUTS);
    for (int i = 0; i < launch->n_in; i++)
        fprintf(to, "    group<%s, %d> x%d;\n", type_name(launch->in[i].dtype),
                kernel->vector[i] ? kernel->width : 1, i);
    fprintf(to, "};\n");
}

static void write_functions(FILE *to)
{
    fprintf(to, "%s%s\n", machine, formulas);
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++)
        fprintf(to, "POINTWISE_INLINE float function_%zu(float a, float b, float c) { return %s; }\n", i,
                expressions[i]);
}

/* Where element e of the output lies in an input, in terms of its index i0, i1, ... */
static void write_offset(FILE *to, const struct pointwise_walk *walk, int input)
{
    const char *plus = "";
    if (walk->in_order[input]) {
        fprintf(to, "e");
        return;
    }
    for (int d = 0; d < walk->rank; d++)
        if (walk->stride[input][d]) {
            fprintf(to, "%si%d * (offset)%" PRId64 "u", plus, d, walk->stride[input][d]);
            plus = " + ";
        }
    if (!*plus)
        fprintf(to, "0");
}

static void write_read(FILE *to, const ttt_launch *launch, const struct pointwise_kernel *kernel)
{
    const struct pointwise_walk walk = pointwise_walk_of(launch);
    fprintf(to, "POINTWISE_INLINE inputs read(const operands &o, offset e) {\n    inputs in;\n"
                "    offset rest = e;\n");
    for (int d = walk.rank - 1; d > 0; d--)
        fprintf(to, "    const offset i%d = rest %% %" PRId64 "u;\n    rest /= %" PRId64 "u;\n", d,
                walk.size[d], walk.size[d]);
    fprintf(to, "    const offset i0 = rest;\n");
    for (int i = 0; i < launch->n_in; i++) {
        const char *type = type_name(launch->in[i].dtype);
        fprintf(to, "    in.x%d = *(const group<%s, %d> *)((const %s *)o.in[%d] + (", i, type,
                kernel->vector[i] ? kernel->width : 1, type, i);
        write_offset(to, &walk, i);
        fprintf(to, "));\n");
    }
    fprintf(to, "    return in;\n}\n");
}

static void write_instruction(FILE *to, const struct pointwise_instruction *instruction, int result)
{
    uint32_t bits;
    memcpy(&bits, &instruction->constant, sizeof bits);
    fprintf(to, "        const float v%d = function_%d(v%d, v%d, __uint_as_float(0x%08" PRIx32 "));\n",
            result, instruction->function, instruction->a, instruction->b, bits);
}

static void write_write(FILE *to, const ttt_launch *launch, const struct pointwise_kernel *kernel)
{
    const struct pointwise_program *program = launch->attributes;
    fprintf(to, "POINTWISE_INLINE void write(const operands &o, const inputs &in, offset e) {\n");
    for (int i = 0; i < program->n_outputs; i++)
        fprintf(to, "    float y%d[WIDTH];\n", i);
    fprintf(to, "    #pragma unroll\n    for (int k = 0; k < WIDTH; k++) {\n");
    for (int i = 0; i < program->n_inputs; i++)
        fprintf(to, "        const float v%d = in.x%d.get(%s);\n", i, i, kernel->vector[i] ? "k" : "0");
    for (int i = 0; i < program->n_instructions; i++)
        write_instruction(to, &program->instructions[i], program->n_inputs + i);
    for (int i = 0; i < program->n_outputs; i++)
        fprintf(to, "        y%d[k] = v%d;\n", i, program->outputs[i]);
    fprintf(to, "    }\n");
    for (int i = 0; i < program->n_outputs; i++) {
        const char *type = type_name(launch->out[i].dtype);
        fprintf(to,
                "    if (o.out[%d]) {\n        group<%s, WIDTH> g;\n        g.set(y%d);\n"
                "        *(group<%s, WIDTH> *)((%s *)o.out[%d] + e) = g;\n    }\n",
                i, type, i, type, type, i);
    }
    fprintf(to, "}\n");
}

char *pointwise_source(const ttt_launch *launch, const struct pointwise_kernel *kernel)
{
    char *source = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&source, &bytes);
    if (!to)
        return NULL;
    fputs(elements, to);
    write_types(to, launch, kernel);
    write_functions(to);
    write_read(to, launch, kernel);
    write_write(to, launch, kernel);
    fputs(kernel_text, to);
    const bool failed = ferror(to);
    if (fclose(to) == 0 && !failed)
        return source;
    free(source);
    return NULL;
}
