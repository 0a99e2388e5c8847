/* CUDA C++ for a plain C++ compiler; empty of device code in C. */
#ifndef TESTS_CUDA_INCLUDE_CUDA_RUNTIME_H
#define TESTS_CUDA_INCLUDE_CUDA_RUNTIME_H

#include "cuda_runtime_api.h"

#ifdef __cplusplus
#include "tests/cuda/device_math.hpp"
#include "tests/cuda/emulator.hpp"
#include "tests/cuda/language.hpp"
#include "tests/cuda/tensor_cores.hpp"
#include "tests/cuda/warp.hpp"

template <class T> cudaError_t cudaMalloc(T **memory, size_t bytes)
{
    return cudaMalloc(reinterpret_cast<void **>(memory), bytes);
}
#endif

#endif
