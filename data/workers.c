/* Independent jobs on several threads. */
#include "data/workers.h"

#include <pthread.h>
#include <sched.h>

struct team {
    pthread_mutex_t lock;
    size_t next, count;
    worker_job job;
    void *context;
    ttt_status status; /* of the job with the smallest index that failed */
    size_t failed_index;
};

struct member {
    struct team *team;
    int worker;
    pthread_t thread;
};

int workers_available(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
    return count < 1 ? 1 : count > WORKERS_MAX ? WORKERS_MAX : count;
}

static bool take(struct team *team, size_t *index)
{
    pthread_mutex_lock(&team->lock);
    bool more = !team->status && team->next < team->count;
    if (more)
        *index = team->next++;
    pthread_mutex_unlock(&team->lock);
    return more;
}

static void keep_first(struct team *team, size_t index, ttt_status status)
{
    pthread_mutex_lock(&team->lock);
    if (!team->status || index < team->failed_index) {
        ttt_status_free(team->status);
        team->status = status;
        team->failed_index = index;
    } else {
        ttt_status_free(status);
    }
    pthread_mutex_unlock(&team->lock);
}

static void *work(void *argument)
{
    struct member *member = argument;
    size_t index;
    while (take(member->team, &index)) {
        ttt_status status = member->team->job(member->team->context, member->worker, index);
        if (status)
            keep_first(member->team, index, status);
    }
    return NULL;
}

ttt_status workers_run(int workers, size_t count, worker_job job, void *context)
{
    if (workers < 0 || workers > WORKERS_MAX)
        return ttt_fail(TTT_ARGUMENT, "%d threads: must be 0 (one for each processor) to %d", workers,
                        WORKERS_MAX);
    if (workers == 0)
        workers = workers_available();
    struct team team = {.lock = PTHREAD_MUTEX_INITIALIZER, .count = count, .job = job, .context = context};
    struct member members[WORKERS_MAX];
    int started = 0;
    members[0] = (struct member){.team = &team};
    /* Where the system has no further thread, those that started share the work. */
    for (int i = 1; i < workers && (size_t)i < count; i++) {
        members[i] = (struct member){.team = &team, .worker = i};
        if (pthread_create(&members[i].thread, NULL, work, &members[i]))
            break;
        started = i;
    }
    work(&members[0]);
    for (int i = 1; i <= started; i++)
        pthread_join(members[i].thread, NULL);
    pthread_mutex_destroy(&team.lock);
    return team.status;
}
