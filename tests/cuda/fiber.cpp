/* Fibers: a switch of stacks in assembly on x86-64, ucontext elsewhere; AddressSanitizer is kept informed. */
#include "tests/cuda/fiber.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif
#ifndef __x86_64__
#include <ucontext.h>
#endif

struct fiber {
#ifdef __x86_64__
    void *stack_pointer;
#else
    ucontext_t context;
#endif
    void (*entry)();
    const void *stack;
    size_t stack_size;
    void *fake_stack;
};

namespace
{
#ifdef __SANITIZE_ADDRESS__
constexpr size_t stack_bytes = 256 * 1024; /* redzones swell frames */
#else
constexpr size_t stack_bytes = 64 * 1024;
#endif
constexpr size_t page = 4096;

/* Not thread_local: a fiber may rest on one OS thread and go on on another, and launches take turns. */
fiber callers;
fiber *running = &callers, *previous = nullptr;

void before_switch([[maybe_unused]] fiber *from, [[maybe_unused]] const fiber *to)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_size);
#endif
}

void after_switch()
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(running->fake_stack, &previous->stack, &previous->stack_size);
#endif
}

void begin()
{
    after_switch();
    running->entry();
    std::abort();
}

/* How far below the end of its memory a stack starts.  All ends lie at one place within a page, and so in the
 * same few sets of the cache: what all threads of a block keep on their stacks would not stay there. */
size_t next_color()
{
    constexpr size_t step = 5 * 64; /* odd, in lines of the cache */
    static size_t color = 0;
    color = (color + step) % (2 * page);
    return color;
}

/* A page that faults lies below each stack. */
void *allocate_stack()
{
    void *memory = mmap(nullptr, stack_bytes + page, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, page, PROT_NONE)) {
        std::perror("emulated CUDA: a stack");
        std::abort();
    }
    return static_cast<char *>(memory) + page;
}
} // namespace

#ifdef __x86_64__
/* Saves what the ABI lets a callee keep, and returns on the other stack. */
extern "C" void emulated_switch_stacks(void **save, void *load);
asm(R"(
    .text
    .type emulated_switch_stacks, @function
emulated_switch_stacks:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size emulated_switch_stacks, . - emulated_switch_stacks
)");

static void prepare(fiber *f)
{
    constexpr int registers = 6;
    const uintptr_t top = reinterpret_cast<uintptr_t>(f->stack) + f->stack_size - next_color();
    void **words = reinterpret_cast<void **>(top) - 1; /* 8 bytes off, as after a call */
    *words = nullptr;                                  /* the end of the chain of frames */
    *--words = reinterpret_cast<void *>(begin);
    for (int i = 0; i < registers; i++)
        *--words = nullptr;
    f->stack_pointer = words;
}

static void jump(fiber *from, fiber *to)
{
    emulated_switch_stacks(&from->stack_pointer, to->stack_pointer);
}
#else
static void prepare(fiber *f)
{
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = const_cast<void *>(f->stack);
    f->context.uc_stack.ss_size = f->stack_size;
    f->context.uc_link = nullptr;
    makecontext(&f->context, begin, 0);
}

static void jump(fiber *from, fiber *to)
{
    swapcontext(&from->context, &to->context);
}
#endif

fiber *fiber_create(void (*entry)())
{
    fiber *f = new fiber();
    f->entry = entry;
    f->stack = allocate_stack();
    f->stack_size = stack_bytes;
    prepare(f);
    return f;
}

fiber *fiber_current()
{
    return running;
}

void fiber_switch(fiber *to)
{
    fiber *from = running;
    before_switch(from, to);
    previous = from;
    running = to;
    jump(from, to);
    after_switch();
}
