/* Pointwise programs on the CPU.
 *
 * The output is cut into blocks of which a few fit the first-level cache.  For each block every operand is
 * brought into order (a pointer where it lies so already, else a gathered copy), and each instruction runs
 * over the whole block at vector speed.  Nothing but operands and output touches memory beyond the cache.
 */
#include <string.h>

#include "ttt/ops/pointwise/formulas.h"
#include "ttt/ops/pointwise/walk.h"

enum {
    BLOCK = 1024,        /* long enough for memory to guess what comes next */
    PARALLEL_BLOCKS = 4, /* fewer are done faster than threads are woken */
    MOST_VALUES = POINTWISE_MOST_INPUTS + POINTWISE_MOST_INSTRUCTIONS,
};

static void copy_run(float *restrict to, const float *restrict from, int64_t stride, int64_t count)
{
    if (stride == 0) {
        float value = *from;
        for (int64_t i = 0; i < count; i++)
            to[i] = value;
    } else if (stride == 1) {
        for (int64_t i = 0; i < count; i++)
            to[i] = from[i];
    } else {
        for (int64_t i = 0; i < count; i++)
            to[i] = from[i * stride];
    }
}

/* Where a block starts: its first element's index in each dimension. */
struct place {
    int64_t start;
    int count;
    int64_t index[TTT_MAX_RANK];
};

static struct place place_of(const struct pointwise_walk *walk, int64_t start, int count)
{
    struct place place = {.start = start, .count = count};
    for (int d = walk->rank - 1; d > 0; d--) {
        place.index[d] = start % walk->size[d];
        start /= walk->size[d];
    }
    place.index[0] = start;
    return place;
}

/* A block of input i in the output's order: a pointer where it lies so already, else gathered into scratch.
 */
static const float *gather(const struct pointwise_walk *walk, const ttt_launch *launch, int i,
                           const struct place *place, float *scratch)
{
    const float *data = launch->in[i].data;
    const int64_t *stride = walk->stride[i];
    const int last = walk->rank - 1;
    if (walk->in_order[i])
        return data + place->start;
    int64_t index[TTT_MAX_RANK], at = 0;
    for (int d = 0; d <= last; d++) {
        index[d] = place->index[d];
        at += index[d] * stride[d];
    }
    if (stride[last] == 1 && index[last] + place->count <= walk->size[last])
        return data + at;
    for (int done = 0; done < place->count;) {
        int64_t run = walk->size[last] - index[last];
        run = run < place->count - done ? run : place->count - done;
        copy_run(scratch + done, data + at, stride[last], run);
        done += (int)run;
        index[last] += run;
        at += run * stride[last];
        for (int d = last; d > 0 && index[d] == walk->size[d]; d--) {
            at += stride[d - 1] - index[d] * stride[d];
            index[d] = 0;
            index[d - 1]++;
        }
    }
    return scratch;
}

/* One loop per function; the compiler vectorises each.  The result may lie where an operand does, each
 * element over its own. */
#define LOOP(function, expression)                                                                           \
    static void run_##function(float *y, const float *at_a, const float *at_b, float c, int count)           \
    {                                                                                                        \
        (void)at_b, (void)c;                                                                                 \
        _Pragma("GCC ivdep") for (int i = 0; i < count; i++)                                                 \
        {                                                                                                    \
            const float a = at_a[i], b = at_b[i];                                                            \
            (void)b;                                                                                         \
            y[i] = (expression);                                                                             \
        }                                                                                                    \
    }
POINTWISE_FUNCTIONS(LOOP)

static void execute(const struct pointwise_instruction *instruction, float *y, const float *a, const float *b,
                    int count)
{
#define ENTRY(function, expression) [function] = run_##function,
    static void (*const run[])(float *, const float *, const float *, float,
                               int) = {POINTWISE_FUNCTIONS(ENTRY)};
    run[instruction->function](y, a, b, instruction->constant, count);
}

/* An output may lie over an operand, each element over the same one: an instruction may write it where it
 * belongs once all others that read the operand have run.  The rest is copied at the end of the block. */
struct destinations {
    float *of_instruction[POINTWISE_MOST_INSTRUCTIONS]; /* NULL: into scratch memory */
    bool copied[POINTWISE_MOST_OUTPUTS];
};

static bool read_after(const ttt_launch *launch, const float *data, int instruction)
{
    const struct pointwise_program *program = launch->attributes;
    for (int k = instruction + 1; k < program->n_instructions; k++)
        for (int i = 0; i < program->n_inputs; i++)
            if (launch->in[i].data == data &&
                (program->instructions[k].a == i || program->instructions[k].b == i))
                return true;
    return false;
}

static struct destinations destinations_of(const ttt_launch *launch)
{
    const struct pointwise_program *program = launch->attributes;
    struct destinations to = {0};
    for (int i = 0; i < program->n_outputs; i++) {
        float *data = launch->out[i].data;
        int instruction = program->outputs[i] - program->n_inputs;
        if (data && !to.of_instruction[instruction] && !read_after(launch, data, instruction))
            to.of_instruction[instruction] = data;
        else
            to.copied[i] = data != NULL;
    }
    return to;
}

static void run_block(const struct pointwise_walk *walk, const struct destinations *to,
                      const ttt_launch *launch, int64_t start, int count)
{
    const struct pointwise_program *program = launch->attributes;
    _Alignas(64) float scratch[MOST_VALUES][BLOCK];
    const float *value[MOST_VALUES];
    const struct place place = place_of(walk, start, count);
    for (int i = 0; i < program->n_inputs; i++)
        value[i] = gather(walk, launch, i, &place, scratch[i]);
    for (int k = 0; k < program->n_instructions; k++) {
        const struct pointwise_instruction *instruction = &program->instructions[k];
        float *result =
            to->of_instruction[k] ? to->of_instruction[k] + start : scratch[program->n_inputs + k];
        execute(instruction, result, value[instruction->a], value[instruction->b], count);
        value[program->n_inputs + k] = result;
    }
    for (int i = 0; i < program->n_outputs; i++)
        if (to->copied[i])
            memcpy((float *)launch->out[i].data + start, value[program->outputs[i]],
                   (size_t)count * sizeof(float));
}

static ttt_status pointwise_run(const ttt_launch *launch)
{
    const struct pointwise_walk walk = pointwise_walk_of(launch);
    const struct destinations to = destinations_of(launch);
    const int64_t elements = ttt_operand_elements(&launch->out[0]);
    const int64_t blocks = (elements + BLOCK - 1) / BLOCK;
    const int threads = blocks < PARALLEL_BLOCKS ? 1 : launch->threads;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t block = 0; block < blocks; block++) {
        int64_t start = block * BLOCK;
        run_block(&walk, &to, launch, start, (int)(elements - start < BLOCK ? elements - start : BLOCK));
    }
    return TTT_OK;
}

const ttt_implementation ttt_pointwise_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .run = pointwise_run,
};
