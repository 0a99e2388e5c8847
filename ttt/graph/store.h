/* Named tensors that outlive runs: parameters, optimiser state, running averages.  They live on one device.
 */
#ifndef TTT_GRAPH_STORE_H
#define TTT_GRAPH_STORE_H

#include "ttt/device/device.h"
#include "ttt/graph/graph.h"

typedef struct ttt_store ttt_store;

typedef struct ttt_stored {
    const char *name;
    ttt_dtype dtype;
    ttt_shape shape;
    void *data;       /* device memory, contiguous */
    uint64_t version; /* grows with every change: by ttt_store_write, or by a plan that writes it */
} ttt_stored;

ttt_status ttt_store_create(ttt_device *device, ttt_store **store);
void ttt_store_destroy(ttt_store *store);
ttt_device *ttt_store_device(const ttt_store *store);

/* Adds a variable filled with zeros.  Fails with TTT_ARGUMENT when the name is taken, TTT_MEMORY. */
ttt_status ttt_store_add(ttt_store *store, const char *name, ttt_dtype dtype, ttt_shape shape);

/* Variables in the order they were added; NULL where there is none.  The pointer stays valid. */
int ttt_store_count(const ttt_store *store);
const ttt_stored *ttt_store_at(const ttt_store *store, int i);
const ttt_stored *ttt_store_find(const ttt_store *store, const char *name);

/* Copies a whole variable from or to host memory.  Fails with TTT_ARGUMENT for an unknown name. */
ttt_status ttt_store_write(ttt_store *store, const char *name, const void *host);
ttt_status ttt_store_read(const ttt_store *store, const char *name, void *host);

/* Says that a variable of this store, or each of them for NULL, was changed by other means than
 * ttt_store_write. */
void ttt_store_touch(ttt_store *store, const ttt_stored *variable);

/* Bytes of all variables. */
int64_t ttt_store_bytes(const ttt_store *store);

#endif
