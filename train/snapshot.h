/* A store's variables as the tensors of a checkpoint. */
#ifndef TRAIN_SNAPSHOT_H
#define TRAIN_SNAPSHOT_H

#include "train/checkpoint.h"
#include "ttt/graph/store.h"
#include "vision/vittt.h"

struct snapshot {
    ttt_store *store;
    checkpoint_tensor *model, *state; /* their data: the variables themselves, or host copies of them */
    size_t model_count, state_count;
    bool copied; /* the store's memory is not the host's */
};

/* Describes a store: the parameters become the model, every other variable the state, but for those of a
 * step under way (named "sum.").  The store must have all its variables, and outlive the snapshot. */
ttt_status snapshot_create(ttt_store *store, const struct parameter *parameters, int count,
                           struct snapshot *snapshot);
void snapshot_destroy(struct snapshot *snapshot);

/* Brings the host's side up to date before a save; brings the store up to date after a load. */
ttt_status snapshot_from_store(struct snapshot *snapshot);
ttt_status snapshot_to_store(const struct snapshot *snapshot);

#endif
