/* One interface for the machines that tensors live on: memory, copies, limits.
 *
 * A device is opened once and shared by stores and plans, which must be destroyed before it.
 */
#ifndef TTT_DEVICE_DEVICE_H
#define TTT_DEVICE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ttt/base/status.h"

typedef enum ttt_device_kind {
    TTT_CPU,
    TTT_CUDA,
} ttt_device_kind;

typedef struct ttt_device ttt_device;

/* Opens "cpu", with `threads` compute threads (0: one per core available to the process), or "cuda:1", or
 * "cuda" for the first one.
 * Fails with TTT_ARGUMENT for a device that is not there; the text names those that are.  Fails with
 * TTT_DEVICE for a driver older than the CUDA this build needs, with both versions, or in CUDA's words where
 * it cannot say what is there.
 * Opening the CPU sets a threaded BLAS to one thread for the process: operators split the work themselves. */
ttt_status ttt_device_open(const char *name, int threads, ttt_device **device);
void ttt_device_close(ttt_device *device);

/* The i-th device of this machine, "cpu" first; false past the last.  Where there are GPUs that cannot be
 * counted, as under an old driver, "cuda" is the last: opening it says why. */
enum { TTT_DEVICE_NAME = 16 };
bool ttt_device_at(int i, char name[TTT_DEVICE_NAME]);

/* An error with TTT_DEVICE as the calls below return it: the device's name in front and, while recordings may
 * be under way, how to learn which launch failed, for then none can tell.  For errors of those who call the
 * device's own libraries.  Others, and TTT_OK, stay as they are.  Takes ownership of `status`. */
ttt_status ttt_device_within(const ttt_device *device, ttt_status status) __attribute__((warn_unused_result));

ttt_device_kind ttt_device_kind_of(const ttt_device *device);
const char *ttt_device_name(const ttt_device *device);        /* "cpu" */
const char *ttt_device_description(const ttt_device *device); /* "AMD EPYC, 2 threads, BLAS: ..." */
int ttt_device_threads(const ttt_device *device);

/* Bytes that the threads of one block of a kernel may share; 0 on the CPU. */
size_t ttt_device_shared_memory(const ttt_device *device);

/* Bytes that can still be taken without swapping, and bytes there are in all. */
int64_t ttt_device_memory_free(const ttt_device *device);
int64_t ttt_device_memory_total(const ttt_device *device);

/* Memory aligned to 64 bytes; its contents are undefined.  Fails with TTT_MEMORY and both numbers, or with
 * TTT_DEVICE where the device has failed. */
ttt_status ttt_device_allocate(ttt_device *device, size_t bytes, void **memory);
void ttt_device_release(ttt_device *device, void *memory);

/* Copies between host and device memory; they return when the host may touch its side again. */
ttt_status ttt_device_upload(ttt_device *device, void *to, const void *from_host, size_t bytes);
ttt_status ttt_device_download(ttt_device *device, void *to_host, const void *from, size_t bytes);

/* Host memory that copies to and from the device pass through fastest. */
ttt_status ttt_device_allocate_host(ttt_device *device, size_t bytes, void **memory);
void ttt_device_release_host(ttt_device *device, void *memory);

/* As upload and download, but they may return before the copy is done: in order with all that is launched
 * before and after, and done at the next ttt_device_synchronize.  Memory that ttt_device_allocate_host did
 * not give makes them wait. */
ttt_status ttt_device_upload_later(ttt_device *device, void *to, const void *from_host, size_t bytes);
ttt_status ttt_device_download_later(ttt_device *device, void *to_host, const void *from, size_t bytes);

/* A copy within the device, in order with what is launched. */
ttt_status ttt_device_copy_later(ttt_device *device, void *to, const void *from, size_t bytes);

/* Uploads beside what is launched, as of the next batch while a step runs: in order among themselves alone.
 * What follows a call to launches_wait comes after all uploads before it; uploads that follow a call to
 * uploads_wait come after all launches before it; uploads_done returns when the host memory of all of them
 * may change.  A device that gains nothing from it cannot, and must not be asked to. */
bool ttt_device_can_upload_beside(const ttt_device *device);
ttt_status ttt_device_upload_beside(ttt_device *device, void *to, const void *from_host, size_t bytes);
ttt_status ttt_device_launches_wait(ttt_device *device);
ttt_status ttt_device_uploads_wait(ttt_device *device);
ttt_status ttt_device_uploads_done(ttt_device *device);

/* Waits until all that was launched is done; reports what failed of it, with TTT_DEVICE. */
ttt_status ttt_device_synchronize(ttt_device *device);

/* Launches between begin and end are written down rather than done, and done in order by each replay: one
 * call in place of many.  Devices that gain nothing from it cannot record, and must not be asked to. */
typedef struct ttt_recording ttt_recording;
bool ttt_device_can_record(const ttt_device *device);
ttt_status ttt_device_record_begin(ttt_device *device);
ttt_status ttt_device_record_end(ttt_device *device, ttt_recording **recording); /* NULL on failure */
ttt_status ttt_device_replay(ttt_device *device, const ttt_recording *recording);
void ttt_device_forget(ttt_device *device, ttt_recording *recording);

/* Times on the device's own clock: mark i, of 0 ... TTT_DEVICE_MARKS - 1, stands between the launches before
 * and after it; elapsed waits for both marks, and reach for one. */
enum { TTT_DEVICE_MARKS = 1024 };
ttt_status ttt_device_mark(ttt_device *device, int i);
ttt_status ttt_device_elapsed(ttt_device *device, int from, int to, double *seconds);
ttt_status ttt_device_reach(ttt_device *device, int i);

/* What the machine reaches, measured now (about a second): multiply-adds of a large matrix product, as
 * FLOP/s, in f32 and, where the device has it, in bf16; and a large copy, as bytes read plus written per
 * second. */
typedef struct ttt_device_rates {
    double matmul_flops;
    double bf16_matmul_flops; /* 0: not computed with */
    double copy_bytes;
} ttt_device_rates;
ttt_status ttt_device_measure(ttt_device *device, ttt_device_rates *rates);

/* The rate of one such product in f32, for machines whose rate comes and goes with what else they do (a tenth
 * of a second); 0 on a device that is ours alone. */
ttt_status ttt_device_measure_product(ttt_device *device, double *flops);

/* What the device has drawn since its driver was loaded, what it may draw, its clock now, and the highest
 * that it has, in Hz: where it has reached the one, it falls behind the other.  False where it cannot say, as
 * on the CPU. */
typedef struct ttt_device_power {
    double joules, limit_watts, clock, most_clock;
} ttt_device_power;
bool ttt_device_power_of(ttt_device *device, ttt_device_power *power);

#endif
