/* One interface for the machines that tensors live on: memory, copies, limits.
 *
 * A device is opened once and shared by stores and plans, which must be destroyed before it.
 */
#ifndef TTT_DEVICE_DEVICE_H
#define TTT_DEVICE_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "ttt/base/status.h"

typedef enum ttt_device_kind {
    TTT_CPU,
    TTT_CUDA,
} ttt_device_kind;

typedef struct ttt_device ttt_device;

/* Opens "cpu", with `threads` compute threads (0: one per core available to the process).
 * Fails with TTT_ARGUMENT for a device that is not there; the text names those that are.
 * Opening the CPU sets a threaded BLAS to one thread for the process: operators split the work themselves. */
ttt_status ttt_device_open(const char *name, int threads, ttt_device **device);
void ttt_device_close(ttt_device *device);

ttt_device_kind ttt_device_kind_of(const ttt_device *device);
const char *ttt_device_name(const ttt_device *device);        /* "cpu" */
const char *ttt_device_description(const ttt_device *device); /* "AMD EPYC, 2 threads, BLAS: ..." */
int ttt_device_threads(const ttt_device *device);

/* Bytes that can still be taken without swapping, and bytes there are in all. */
int64_t ttt_device_memory_free(const ttt_device *device);
int64_t ttt_device_memory_total(const ttt_device *device);

/* Memory aligned to 64 bytes; its contents are undefined.  Fails with TTT_MEMORY and both numbers. */
ttt_status ttt_device_allocate(ttt_device *device, size_t bytes, void **memory);
void ttt_device_release(ttt_device *device, void *memory);

/* Copies between host and device memory; they return when the host may touch its side again. */
ttt_status ttt_device_upload(ttt_device *device, void *to, const void *from_host, size_t bytes);
ttt_status ttt_device_download(ttt_device *device, void *to_host, const void *from, size_t bytes);

/* What the machine reaches, measured now (about a second): multiply-adds of an f32 matrix product, as
 * FLOP/s, and a large copy, as bytes read plus bytes written per second. */
typedef struct ttt_device_rates {
    double matmul_flops;
    double copy_bytes;
} ttt_device_rates;
ttt_status ttt_device_measure(ttt_device *device, ttt_device_rates *rates);

#endif
