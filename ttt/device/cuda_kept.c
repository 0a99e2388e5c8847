/* What is kept with a GPU, for nodes alike to share: a list, for there are few. */
#include <stdlib.h>
#include <string.h>

#include "ttt/device/cuda_internal.h"

struct cuda_kept {
    struct cuda_kept *next;
    void *thing;
    void (*release)(void *thing);
    size_t key_bytes;
    unsigned char key[];
};

void *ttt_cuda_find(const ttt_device *device, const void *key, size_t key_bytes)
{
    const struct cuda_kept *kept = ((const struct cuda *)device)->kept;
    while (kept && (kept->key_bytes != key_bytes || memcmp(kept->key, key, key_bytes)))
        kept = kept->next;
    return kept ? kept->thing : NULL;
}

ttt_status ttt_cuda_keep(ttt_device *device, const void *key, size_t key_bytes, void *thing,
                         void (*release)(void *thing))
{
    struct cuda *cuda = (struct cuda *)device;
    struct cuda_kept *kept = malloc(sizeof *kept + key_bytes);
    if (!kept) {
        release(thing);
        return ttt_fail(TTT_MEMORY, "no memory to keep what a library made");
    }
    *kept = (struct cuda_kept){cuda->kept, thing, release, key_bytes};
    memcpy(kept->key, key, key_bytes);
    cuda->kept = kept;
    return TTT_OK;
}

void ttt_cuda_release_kept(struct cuda *cuda)
{
    while (cuda->kept) {
        struct cuda_kept *kept = cuda->kept;
        cuda->kept = kept->next;
        kept->release(kept->thing);
        free(kept);
    }
}
