/* The blocks of a launch, and the threads of a block: which runs next, and who waits for whom. */
#include "tests/cuda/emulator.hpp"

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "tests/cuda/fiber.hpp"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace
{
constexpr unsigned max_threads = 1024, lanes_per_warp = 32, max_warps = max_threads / lanes_per_warp;
constexpr size_t shared_alignment = 128;

enum activity { NOT_STARTED, RUNNABLE, AT_BARRIER, IN_COLLECTIVE, ENDED };

struct thread_state {
    activity state;
    fiber *stack;
    const emulated_collective *collective;
    unsigned mask;
    void *argument;
    emulated_copies copies;
};

struct warp_state {
    unsigned alive, waiting; /* lanes that have not ended; lanes in a collective */
};

/* A place is a position in the order in which threads start. */
struct block_state {
    const std::function<void()> *kernel;
    void *shared;
    unsigned threads, started, alive, at_barrier, current;
    bool descending;
    thread_state thread[max_threads];
    uint3 index[max_threads]; /* threadIdx by thread */
    warp_state warp[max_warps];
    uint64_t runnable[max_threads / 64]; /* by place */
};

/* One launch at a time, so that there is one block. */
std::mutex launching;
block_state block;
std::vector<fiber *> &idle = *new std::vector<fiber *>; /* outlives the check for leaks at exit */
fiber *scheduler;

unsigned place_of(unsigned thread)
{
    return block.descending ? block.threads - 1 - thread : thread;
}

void index_threads()
{
    unsigned thread = 0;
    for (unsigned z = 0; z < blockDim.z; z++)
        for (unsigned y = 0; y < blockDim.y; y++)
            for (unsigned x = 0; x < blockDim.x; x++)
                block.index[thread++] = {x, y, z};
}

void set_runnable(unsigned thread)
{
    const unsigned place = place_of(thread);
    block.thread[thread].state = RUNNABLE;
    block.runnable[place / 64] |= uint64_t(1) << place % 64;
}

void continue_as(unsigned thread)
{
    block.current = thread;
    threadIdx = block.index[thread];
}

const char *waits_for(const thread_state &thread)
{
    return thread.state == AT_BARRIER ? "__syncthreads" : thread.collective->name;
}

[[noreturn]] void fault_deadlock()
{
    unsigned last = block.threads;
    for (unsigned i = 0; i < block.threads; i++) {
        const thread_state &thread = block.thread[i];
        const bool news = last == block.threads || thread.state != block.thread[last].state ||
                          thread.collective != block.thread[last].collective ||
                          thread.mask != block.thread[last].mask;
        if (thread.state == ENDED || !news)
            continue;
        const uint3 index = block.index[i];
        std::fprintf(stderr, "emulated CUDA: thread (%u, %u, %u) and those like it wait in %s, lanes %08x\n",
                     index.x, index.y, index.z, waits_for(thread), thread.mask);
        last = i;
    }
    continue_as(last);
    emulated_fault("waits in %s for threads that never come: divergence", waits_for(block.thread[last]));
}

/* The runnable thread next in order, taken off the list; `threads` when there is none. */
unsigned take_runnable()
{
    const unsigned words = (block.threads + 63) / 64, start = place_of(block.current);
    uint64_t later = ~uint64_t(0) << start % 64;
    for (unsigned i = 0; i <= words; i++, later = ~uint64_t(0)) {
        uint64_t &word = block.runnable[(start / 64 + i) % words];
        if (word & later) {
            const unsigned bit = static_cast<unsigned>(__builtin_ctzll(word & later));
            word &= ~(uint64_t(1) << bit);
            return place_of((start / 64 + i) % words * 64 + bit);
        }
    }
    return block.threads;
}

/* ---- barriers and collectives ---- */

void release_barrier()
{
    block.at_barrier = 0;
    for (unsigned i = 0; i < block.threads; i++)
        if (block.thread[i].state == AT_BARRIER)
            set_runnable(i);
}

/* Finishes the collective of this lane if all of its lanes are there. */
bool finish_collective(unsigned warp, unsigned lane)
{
    thread_state *thread = block.thread + warp * lanes_per_warp;
    const unsigned mask = thread[lane].mask, lanes = mask & block.warp[warp].alive;
    if ((block.warp[warp].waiting & lanes) != lanes)
        return false;
    void *arguments[lanes_per_warp];
    for (unsigned i = 0; i < lanes_per_warp; i++) {
        if (!(lanes >> i & 1))
            continue;
        if (thread[i].mask != mask)
            return false;
        if (thread[i].collective != thread[lane].collective)
            emulated_fault("is in %s while lane %u is in %s", thread[lane].collective->name, i,
                           thread[i].collective->name);
        arguments[i] = thread[i].argument;
    }
    thread[lane].collective->finish(arguments, lanes);
    block.warp[warp].waiting &= ~lanes;
    for (unsigned i = 0; i < lanes_per_warp; i++)
        if (lanes >> i & 1)
            set_runnable(warp * lanes_per_warp + i);
    return true;
}

/* What ended threads no longer hold up. */
void finish_what_waits(unsigned warp)
{
    if (block.at_barrier && block.at_barrier == block.alive)
        release_barrier();
    for (unsigned left = block.warp[warp].waiting; left; left &= left - 1) {
        const auto lane = static_cast<unsigned>(__builtin_ctz(left));
        if (block.warp[warp].waiting >> lane & 1)
            finish_collective(warp, lane);
    }
}

/* ---- fibers ---- */

void start_next()
{
    const unsigned thread = place_of(block.started++);
    block.thread[thread].stack = fiber_current();
    block.thread[thread].state = RUNNABLE;
    continue_as(thread);
}

void end_thread()
{
    const unsigned thread = block.current, warp = thread / lanes_per_warp;
    block.thread[thread].state = ENDED;
    block.alive--;
    block.warp[warp].alive &= ~(1u << thread % lanes_per_warp);
    finish_what_waits(warp);
}

/* Where to go when the running thread ended; nullptr: start the next thread right here. */
fiber *after_thread()
{
    const unsigned next = take_runnable();
    if (next < block.threads)
        return block.thread[next].stack;
    if (block.started < block.threads)
        return nullptr;
    if (block.alive)
        fault_deadlock();
    return scheduler;
}

/* Runs threads to their end, one after another; rests when another must go on first. */
void run_threads()
{
    for (;;) {
        start_next();
        (*block.kernel)();
        end_thread();
        if (fiber *next = after_thread()) {
            idle.push_back(fiber_current());
            fiber_switch(next);
        }
    }
}

fiber *take_idle()
{
    if (idle.empty())
        return fiber_create(run_threads);
    fiber *f = idle.back();
    idle.pop_back();
    return f;
}

/* Lets others run until this thread is runnable and its turn has come. */
void give_way()
{
    const unsigned self = block.current, next = take_runnable();
    if (next == self)
        return;
    if (next < block.threads)
        fiber_switch(block.thread[next].stack);
    else if (block.started < block.threads)
        fiber_switch(take_idle());
    else
        fault_deadlock();
    continue_as(self);
}

/* ---- blocks ---- */

void reset_block()
{
    block.started = block.at_barrier = block.current = 0;
    block.alive = block.threads;
    std::memset(block.runnable, 0, sizeof block.runnable);
    for (unsigned i = 0; i < block.threads; i++) {
        thread_state &thread = block.thread[i];
        thread.state = NOT_STARTED;
        thread.collective = nullptr;
        thread.mask = 0;
        thread.copies.queue.clear();
        thread.copies.ends.clear();
    }
    for (unsigned i = 0; i * lanes_per_warp < block.threads; i++) {
        const unsigned lanes = block.threads - i * lanes_per_warp;
        block.warp[i] = {lanes >= lanes_per_warp ? ~0u : (1u << lanes) - 1, 0};
    }
}

void run_block(uint64_t number, bool descending, size_t shared_bytes)
{
    blockIdx = {static_cast<unsigned>(number % gridDim.x),
                static_cast<unsigned>(number / gridDim.x % gridDim.y),
                static_cast<unsigned>(number / gridDim.x / gridDim.y)};
    block.descending = descending;
    reset_block();
    emulated_poison_shared();
    std::memset(block.shared, 0xff, shared_bytes);
    fiber_switch(take_idle());
}

bool can_launch(dim3 grid, dim3 threads, size_t shared_bytes)
{
    return grid.x && grid.y && grid.z && grid.x <= 0x7fffffffu && grid.y <= 65535 && grid.z <= 65535 &&
           threads.x && threads.y && threads.z && threads.z <= 64 &&
           uint64_t(threads.x) * threads.y * threads.z <= max_threads &&
           shared_bytes <= emulated_shared_limit();
}

void *allocate_shared(size_t bytes)
{
    void *memory = nullptr;
    if (posix_memalign(&memory, shared_alignment, bytes))
        std::abort();
    return memory;
}
} // namespace

void emulated_run(dim3 grid, dim3 threads, size_t shared_bytes, const std::function<void()> &kernel)
{
    static bool descending = true;
    const std::lock_guard<std::mutex> lock(launching);
    emulated_count_launch();
    const uint64_t blocks = uint64_t(grid.x) * grid.y * grid.z;
    gridDim = grid;
    blockDim = threads;
    scheduler = fiber_current();
    block.threads = threads.x * threads.y * threads.z;
    index_threads();
    block.kernel = &kernel;
    block.shared = allocate_shared(shared_bytes);
    const long order = emulated_switch("EMULATED_ORDER");
    descending = order ? order > 1 : !descending;
    for (uint64_t i = 0; i < blocks; i++) {
        const uint64_t number = descending ? blocks - 1 - i : i;
        run_block(number, descending == (number % 2 == 0), shared_bytes);
    }
    std::free(block.shared);
}

cudaError_t emulate_launch(dim3 grid, dim3 threads, size_t shared_bytes, std::function<void()> kernel)
{
    if (const cudaError_t lost = emulated_call())
        return lost;
    if (!can_launch(grid, threads, shared_bytes))
        return cudaErrorInvalidConfiguration;
    if (!emulated_record([=] { emulated_run(grid, threads, shared_bytes, kernel); }))
        emulated_run(grid, threads, shared_bytes, kernel);
    return cudaSuccess;
}

void *emulated_shared_memory()
{
    return block.shared;
}

void emulated_fault(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    std::fprintf(stderr, "emulated CUDA: block (%u, %u, %u) thread (%u, %u, %u): ", blockIdx.x, blockIdx.y,
                 blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z);
    std::vfprintf(stderr, format, arguments);
    std::fputc('\n', stderr);
    va_end(arguments);
    std::abort();
}

void emulated_barrier()
{
    block.thread[block.current].state = AT_BARRIER;
    if (++block.at_barrier == block.alive)
        release_barrier();
    give_way();
}

void emulated_meet(const emulated_collective &collective, unsigned mask, void *argument)
{
    const unsigned warp = block.current / lanes_per_warp, lane = emulated_lane();
    thread_state &thread = block.thread[block.current];
    if (!(mask >> lane & 1))
        emulated_fault("%s with mask %08x, which leaves out its own lane %u", collective.name, mask, lane);
    thread.state = IN_COLLECTIVE;
    thread.collective = &collective;
    thread.mask = mask;
    thread.argument = argument;
    block.warp[warp].waiting |= 1u << lane;
    finish_collective(warp, lane);
    give_way();
}

unsigned emulated_lane()
{
    return block.current % lanes_per_warp;
}

emulated_copies &emulated_thread_copies()
{
    return block.thread[block.current].copies;
}
