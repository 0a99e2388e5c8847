/* Independent jobs on several threads, for what handles one picture at a time. */
#ifndef DATA_WORKERS_H
#define DATA_WORKERS_H

#include <stddef.h>

#include "ttt/base/status.h"

enum { WORKERS_MAX = 256 };

/* One job: `worker` is 0 .. workers - 1, `index` which job. */
typedef ttt_status (*worker_job)(void *context, int worker, size_t index);

/* The number of processors this process may use, at most WORKERS_MAX. */
int workers_available(void);

/* Runs job(context, worker, index) for every index in 0 .. count - 1, on `workers` threads (0: as many as
 * there are processors), of which the caller's is one.  After an error no further job starts; of the errors
 * that were met, the one with the smallest index is returned.  TTT_ARGUMENT when workers is out of range. */
ttt_status workers_run(int workers, size_t count, worker_job job, void *context)
    __attribute__((warn_unused_result));

#endif
