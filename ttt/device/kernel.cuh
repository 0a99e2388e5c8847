/* What kernels share: launching, 16-byte accesses, sums over warps and blocks, tensor cores.
 *
 * Arithmetic is in f32 whatever the type in memory; there are no float atomics, so results do not depend on
 * the order in which blocks run.  tests/cuda runs the same sources on the CPU: what it cannot compile (PTX)
 * stands here and nowhere else.
 */
#ifndef TTT_DEVICE_KERNEL_CUH
#define TTT_DEVICE_KERNEL_CUH

#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <stdint.h>

#include <type_traits>

extern "C" {
#include "ttt/device/cuda.h"
#include "ttt/graph/operator.h"
}

typedef __nv_bfloat16 bf16;

enum { WARP = 32 };

/* ---- host ---- */

#ifndef TTT_CUDA_EMULATED
/* As enqueue, in clusters of so many blocks, which divide the grid; 1: without. */
template <class... Parameters, class... Arguments>
ttt_status enqueue_in_clusters(const ttt_launch *launch, unsigned cluster, void (*kernel)(Parameters...),
                               dim3 grid, dim3 block, size_t shared_bytes, Arguments... arguments)
{
    if (shared_bytes > 0) /* the limit that has to be raised counts static shared memory too */
        TRY(ttt_cuda_check(
            cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared_bytes),
            "asking for shared memory"));
    cudaLaunchAttribute clusters = {};
    clusters.id = cudaLaunchAttributeClusterDimension;
    clusters.val.clusterDim = {cluster, 1, 1};
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared_bytes;
    config.stream = ttt_cuda_stream(launch->device);
    config.attrs = &clusters;
    config.numAttrs = cluster > 1;
    return ttt_cuda_check(cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...),
                          "launching a kernel");
}
#endif

/* Launches a kernel on the device's stream; grid and block of 0 threads are an error of ours. */
template <class... Parameters, class... Arguments>
ttt_status enqueue(const ttt_launch *launch, void (*kernel)(Parameters...), dim3 grid, dim3 block,
                   size_t shared_bytes, Arguments... arguments)
{
#ifdef TTT_CUDA_EMULATED
    (void)launch;
    return ttt_cuda_check(
        emulate_launch(grid, block, shared_bytes, [=] { kernel(static_cast<Parameters>(arguments)...); }),
        "launching a kernel");
#else
    return enqueue_in_clusters(launch, 1, kernel, grid, block, shared_bytes, arguments...);
#endif
}

/* Calls f with a value of the C++ type of an f32 or bf16 tensor: by_type(x.dtype, [&](auto t) {...}). */
template <class F> ttt_status by_type(ttt_dtype dtype, F f)
{
    return dtype == TTT_BF16 ? f(bf16()) : f(float());
}

/* The number of blocks of `size` that cover `count`. */
static inline unsigned blocks_for(int64_t count, int64_t size)
{
    return (unsigned)((count + size - 1) / size);
}

/* Blocks of `size` threads for a loop over `count` elements with the stride of the grid: no more than are
 * resident at a time. */
static inline dim3 grid_for(const ttt_launch *launch, int64_t count, int size)
{
    const int64_t resident = (int64_t)ttt_cuda_multiprocessors(launch->device) * (2048 / size);
    const int64_t all = (count + size - 1) / size;
    return dim3((unsigned)(all < resident ? all : resident));
}

/* A number to divide by without a division, exactly, what is below 2^31.
 * Granlund, Montgomery, "Division by invariant integers using multiplication", 1994. */
struct divisor {
    uint32_t d, multiplier, shift;
};

/* Of d >= 1. */
static inline divisor divisor_of(uint32_t d)
{
    divisor by = {d, 0, 0};
    while (d > 2ULL << by.shift)
        by.shift++;
    by.multiplier = (uint32_t)(((1ULL << (32 + by.shift)) + d - 1) / d);
    return by;
}

/* ---- device: elements ---- */

__device__ inline uint32_t divide(uint32_t n, divisor by)
{
    return by.d == 1 ? n : __umulhi(n, by.multiplier) >> by.shift;
}

__device__ inline float to_float(float x)
{
    return x;
}
__device__ inline float to_float(bf16 x)
{
    return __bfloat162float(x);
}
template <class T> __device__ inline T from_float(float x);
template <> __device__ inline float from_float<float>(float x)
{
    return x;
}
template <> __device__ inline bf16 from_float<bf16>(float x)
{
    return __float2bfloat16(x);
}

/* N consecutive elements as floats, N * sizeof(T) a multiple of 16 or one of 2, 4, 8; p is aligned to
 * min(16, that). */
template <int N, class T> __device__ inline void load(const T *p, float (&x)[N])
{
    constexpr int bytes = N * (int)sizeof(T), step = bytes < 16 ? bytes : 16, each = step / (int)sizeof(T);
    struct __align__(step) chunk
    {
        T value[each];
    };
#pragma unroll
    for (int i = 0; i < N / each; i++) {
        chunk c = reinterpret_cast<const chunk *>(p)[i];
#pragma unroll
        for (int k = 0; k < each; k++)
            x[i * each + k] = to_float(c.value[k]);
    }
}
/* 16 bytes to global memory, as one access: assigned, the compiler takes them apart, and stores pairs of
 * bf16. */
__device__ inline void store_word(uint4 *p, const uint4 &x)
{
#ifdef TTT_CUDA_EMULATED
    *p = x;
#else
    asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(p), "r"(x.x), "r"(x.y), "r"(x.z), "r"(x.w)
                 : "memory");
#endif
}
/* To global memory, likewise. */
template <int N, class T> __device__ inline void store(T *p, const float (&x)[N])
{
    constexpr int bytes = N * (int)sizeof(T);
    T value[N];
#pragma unroll
    for (int i = 0; i < N; i++)
        value[i] = from_float<T>(x[i]);
    if constexpr (bytes % 16 == 0) {
        uint4 words[bytes / 16];
        memcpy(words, value, sizeof value);
#pragma unroll
        for (int i = 0; i < bytes / 16; i++)
            store_word(reinterpret_cast<uint4 *>(p) + i, words[i]);
    } else {
        struct __align__(bytes) chunk
        {
            T value[N];
        }
        chunk;
        memcpy(chunk.value, value, sizeof value);
        *reinterpret_cast<struct chunk *>(p) = chunk;
    }
}

/* N consecutive elements as they lie in memory, zeros until they are loaded; by 16 bytes, aligned to that,
 * where N fills these, else one by one.  Loads under a condition are all on their way before the first is
 * converted, where `load` above waits for each. */
template <int N, class T> struct raw_elements {
    typedef std::conditional_t<N * sizeof(T) % 16 == 0, uint4, T> word;
    word words[N * sizeof(T) / sizeof(word)] = {};

    __device__ void load(const T *p)
    {
#pragma unroll
        for (int i = 0; i < (int)(sizeof words / sizeof *words); i++)
            words[i] = reinterpret_cast<const word *>(p)[i];
    }
    __device__ void convert(float (&x)[N]) const
    {
        T value[N];
        memcpy(value, words, sizeof value);
#pragma unroll
        for (int i = 0; i < N; i++)
            x[i] = to_float(value[i]);
    }
};

/* Element i of a tensor whose type is only known at run time. */
__device__ inline float load_any(const void *p, bool is_bf16, int64_t i)
{
    return is_bf16 ? to_float(static_cast<const bf16 *>(p)[i]) : static_cast<const float *>(p)[i];
}
__device__ inline void store_any(void *p, bool is_bf16, int64_t i, float x)
{
    if (is_bf16)
        static_cast<bf16 *>(p)[i] = from_float<bf16>(x);
    else
        static_cast<float *>(p)[i] = x;
}

/* ---- device: sums ---- */

/* The sum over the 32 lanes of a full warp, in every lane; T is float or double. */
template <class T> __device__ inline T warp_sum(T x)
{
#pragma unroll
    for (int lane = WARP / 2; lane > 0; lane /= 2)
        x += __shfl_xor_sync(0xffffffffu, x, lane);
    return x;
}
__device__ inline float warp_max(float x)
{
#pragma unroll
    for (int lane = WARP / 2; lane > 0; lane /= 2)
        x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, lane));
    return x;
}

/* The sum over all threads of a block of whole warps, in every thread; every thread must call it. */
template <class T> __device__ inline T block_sum(T x)
{
    __shared__ T sums[WARP];
    const int warps = (int)(blockDim.x * blockDim.y) / WARP,
              thread = (int)(threadIdx.y * blockDim.x + threadIdx.x);
    x = warp_sum(x);
    __syncthreads();
    if (thread % WARP == 0)
        sums[thread / WARP] = x;
    __syncthreads();
    T sum = 0;
    for (int i = 0; i < warps; i++)
        sum += sums[i];
    return sum;
}

/* ---- device: dynamic shared memory, asynchronous copies, tensor cores ---- */

#ifdef TTT_CUDA_EMULATED
#define DYNAMIC_SHARED(type, name) type *name = static_cast<type *>(emulated_shared_memory())
#else
#define DYNAMIC_SHARED(type, name)                                                                           \
    extern __shared__ __align__(128) unsigned char dynamic_shared_memory[];                                  \
    type *name = reinterpret_cast<type *>(dynamic_shared_memory)

/* 16 bytes from global to shared memory without passing through registers; `valid` false writes zeros. */
__device__ inline void copy_async(void *shared, const void *global, bool valid = true)
{
    asm volatile(
        "cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"((unsigned)__cvta_generic_to_shared(shared)),
        "l"(global), "r"(valid ? 16 : 0)
        : "memory");
}
__device__ inline void copy_commit()
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}
/* Waits until at most N committed groups are under way. */
template <int N> __device__ inline void copy_wait()
{
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

/* Four 8 x 8 matrices of bf16 from shared memory: lane l names row l % 8 of matrix l / 8 (16 aligned bytes);
 * r[i] is the lane's pair of matrix i: row lane / 4, columns 2 (lane % 4) and the next. */
__device__ inline void load_matrices(uint32_t (&r)[4], const bf16 *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"((unsigned)__cvta_generic_to_shared(row))
                 : "memory");
}
/* The same, each matrix transposed. */
__device__ inline void load_matrices_transposed(uint32_t (&r)[4], const bf16 *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"((unsigned)__cvta_generic_to_shared(row))
                 : "memory");
}

/* c (16 x 8, f32) += a (16 x 16, bf16, row-major) b (16 x 8, bf16, column-major), spread over a warp.
 * With g = lane / 4 and t = lane % 4, pairs of neighbouring columns (rows, for b):
 * a[0]: (g, 2t), a[1]: (g + 8, 2t), a[2]: (g, 2t + 8), a[3]: (g + 8, 2t + 8);  b[0]: (2t, g), b[1]: (2t + 8,
 * g); c[0], c[1]: (g, 2t), (g, 2t + 1);  c[2], c[3]: (g + 8, 2t), (g + 8, 2t + 1). */
__device__ inline void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, "
        "%9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif

/* Two floats as the bf16 pair that tensor cores take, the first in the lower half. */
__device__ inline uint32_t bf16_pair(float low, float high)
{
    bf16 pair[2] = {from_float<bf16>(low), from_float<bf16>(high)};
    uint32_t bits;
    memcpy(&bits, pair, sizeof bits);
    return bits;
}

#endif
