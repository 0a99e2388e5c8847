/* The PTX wrappers of ttt/device/kernel.cuh, which documents them, for the emulator. */
#ifndef TESTS_CUDA_TENSOR_CORES_HPP
#define TESTS_CUDA_TENSOR_CORES_HPP

#include <cuda_bf16.h>

#include <cstdint>

/* The 16 bytes arrive when copy_wait says so, and are NaN bytes until then. */
void copy_async(void *shared, const void *global, bool valid = true);
void copy_commit();
void emulated_copy_wait(size_t groups);
template <int N> void copy_wait()
{
    emulated_copy_wait(N);
}

void load_matrices(uint32_t (&r)[4], const __nv_bfloat16 *row);
void load_matrices_transposed(uint32_t (&r)[4], const __nv_bfloat16 *row);
void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1);

#endif
