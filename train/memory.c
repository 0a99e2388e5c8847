/* Weighing a step and an evaluation together. */
#include "train/memory.h"

#include <stdlib.h>

/* Bytes of the weights that are judged: the step has them too. */
static ttt_status count_shared(const struct train_task *task, int64_t *bytes)
{
    struct parameter *parameters;
    int count;
    TRY(task->parameters(task->context, &parameters, &count));
    *bytes = parameters_bytes(parameters, count);
    free(parameters);
    return TTT_OK;
}

/* Only what is too large can be helped: a device that is lost stays so. */
static ttt_status advise(ttt_status status, const char *advice)
{
    if (!status || ttt_status_code(status) != TTT_MEMORY)
        return status;
    ttt_status advised =
        ttt_fail(TTT_MEMORY, "evaluation beside training: %s; %s", ttt_status_text(status), advice);
    ttt_status_free(status);
    return advised;
}

ttt_status train_memory_weigh(const struct train_task *task, const struct run_config *config,
                              ttt_store *store, const struct train_step *step, const char *prefix,
                              struct train_memory *memory)
{
    ttt_plan_memory judge, both = train_step_memory(step);
    int64_t shared;
    TRY(count_shared(task, &shared));
    TRY(task->plan_evaluation(task->context, store, prefix, &judge));
    *memory = (struct train_memory){.step = both, .evaluation = judge.total - shared};
    both.variables += judge.variables - shared;
    both.arena += judge.arena;
    memory->total = both.total = both.variables + both.arena;
    return advise(ttt_plan_memory_check(both, store, config->device.memory_limit), task->evaluation_advice);
}
