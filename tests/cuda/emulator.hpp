/* Runs kernels on the CPU: blocks one after another, the threads of a block as fibers.
 *
 * A fiber gives way only at a barrier or a collective.  Every other block runs its threads in descending
 * order, and every other launch its blocks and the threads of each the other way round, so that results which
 * depend on the order differ. What would hang or be undefined on a GPU ends the program, with the block and
 * the thread in the message.
 */
#ifndef TESTS_CUDA_EMULATOR_HPP
#define TESTS_CUDA_EMULATOR_HPP

#include <cstddef>
#include <functional>
#include <vector>

#include "cuda_runtime_api.h"
#include "tests/cuda/language.hpp"

/* Runs, or records while a stream captures.  Fails as a launch on a GPU does: too many threads, too much
 * shared memory, nothing to run. */
cudaError_t emulate_launch(dim3 grid, dim3 block, size_t shared_bytes, std::function<void()> kernel);

/* The dynamic shared memory of the block, exactly as large as asked for; NaN bytes at its start. */
void *emulated_shared_memory();

/* Ends the program with "emulated CUDA: block (..) thread (..): " and the message. */
[[noreturn]] void emulated_fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- what device functions are made of ---- */

/* Waits for all threads of the block that have not ended. */
void emulated_barrier();

/* Something that the lanes of a warp do together. */
struct emulated_collective {
    const char *name;
    /* Called once, when all lanes are there.  arguments[lane] is what the lane brought, for each bit of
     * `lanes`; results are written there. */
    void (*finish)(void *const *arguments, unsigned lanes);
};

/* Waits until the lanes of `mask` that have not ended are there with the same collective and mask. */
void emulated_meet(const emulated_collective &collective, unsigned mask, void *argument);

unsigned emulated_lane();

/* Copies of this thread that were started and not waited for. */
struct emulated_copy {
    void *to;
    const void *from; /* nullptr: zeros */
};
struct emulated_copies {
    std::vector<emulated_copy> queue;
    std::vector<size_t> ends; /* of committed groups, as lengths of the queue */
};
emulated_copies &emulated_thread_copies();

/* ---- between the parts of the emulator ---- */

/* The work of emulate_launch, at once. */
void emulated_run(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &kernel);

/* Records work when a stream captures, or keeps it for later; false when it is to be done now. */
bool emulated_record(const std::function<void()> &work);

/* Does all work that was kept for later. */
void emulated_wait_for_all(void);

/* Whether memory came from cudaMallocHost. */
bool emulated_is_pinned(const void *memory);

/* A number from the environment, 0 where it is not set: faults for tests (README.md). */
long emulated_switch(const char *name);

/* Bytes of shared memory that a block may have. */
size_t emulated_shared_limit();

/* Counts a kernel; what one that failed has left behind: every wait reports it from then on. */
void emulated_count_launch(void);
cudaError_t emulated_failure(void);

/* Counts a call; what a device that was lost answers, to this one and to every one after it.  What it was
 * given before is not done any more. */
cudaError_t emulated_call(void);
bool emulated_is_lost(void);

/* Fills all __shared__ variables of the program with NaN bytes. */
void emulated_poison_shared();

#endif
