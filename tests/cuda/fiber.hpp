/* Stacks that one OS thread switches between. */
#ifndef TESTS_CUDA_FIBER_HPP
#define TESTS_CUDA_FIBER_HPP

#include <cstddef>

struct fiber;

/* A fiber that will run `entry`, which must not return, when first switched to.  Never freed. */
fiber *fiber_create(void (*entry)());

/* The fiber that runs now; the caller's own stack counts as one. */
fiber *fiber_current();

void fiber_switch(fiber *to);

#endif
