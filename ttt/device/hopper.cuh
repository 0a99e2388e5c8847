/* What kernels for Hopper (sm_90a) share: barriers in shared memory, tensor copies (TMA), products of
 * warpgroups, clusters of two blocks.
 *
 * A warpgroup is 4 neighbouring warps.  Tiles lie in shared memory as TMA swizzles them by 128 bytes: rows of
 * 64 bf16, in each group of 8 rows the 16-byte chunk c of row r at place c ^ r; tiles start at multiples of
 * 1024 bytes.  PTX for sm_80 and later stands in kernel.cuh.
 */
#ifndef TTT_DEVICE_HOPPER_CUH
#define TTT_DEVICE_HOPPER_CUH

#include <cuda.h>

#include "ttt/device/kernel.cuh"

/* Whether this compilation of a kernel is the one that may use the functions below. */
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define TTT_HOPPER 1
#else
#define TTT_HOPPER 0
#endif

enum { WARPGROUP = 128, TILE_ROW = 64 /* bf16 of a tile's row */, TILE_ALIGNMENT = 1024 };

#if TTT_HOPPER

__device__ inline uint32_t shared_address(const void *p)
{
    return (uint32_t)__cvta_generic_to_shared(p);
}

/* ---- barriers: a phase ends when `arrivals` threads have arrived and all expected bytes are there ---- */

__device__ inline void barrier_init(uint64_t *barrier, int arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals));
}
/* Makes initialised barriers known to copies and to the other block. */
__device__ inline void barriers_are_ready()
{
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}
/* Arrives, and adds to the bytes that the phase waits for. */
__device__ inline void barrier_expect(uint64_t *barrier, uint32_t bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
                 "r"(bytes)
                 : "memory");
}
/* Arrives at the barrier in the same place of block `rank` of the cluster. */
__device__ inline void barrier_arrive_at(uint64_t *barrier, int rank)
{
    asm volatile("{\n.reg .b32 there;\n"
                 "mapa.shared::cluster.u32 there, %0, %1;\n"
                 "mbarrier.arrive.shared::cluster.b64 _, [there];\n}" ::"r"(shared_address(barrier)),
                 "r"(rank)
                 : "memory");
}
/* Waits for the end of a phase of this parity; of a fresh barrier, that of parity 1 has ended. */
__device__ inline void barrier_wait(uint64_t *barrier, uint32_t parity)
{
    asm volatile("{\n.reg .pred ended;\n"
                 "again:\nmbarrier.try_wait.parity.shared::cta.b64 ended, [%0], %1;\n"
                 "@!ended bra again;\n}" ::"r"(shared_address(barrier)),
                 "r"(parity)
                 : "memory");
}

/* Waits for all threads of a warpgroup; `id` 1 to 15, another for each. */
__device__ inline void warpgroup_sync(int id)
{
    asm volatile("bar.sync %0, 128;" ::"r"(id) : "memory");
}

/* ---- clusters ---- */

__device__ inline int cluster_rank()
{
    uint32_t rank;
    asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return (int)rank;
}
__device__ inline void cluster_sync()
{
    asm volatile("barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;" ::: "memory");
}

/* ---- copies of boxes of a tensor map (columns, rows, matrices): begun by one thread ---- */

/* To shared memory; the box's bytes count at `barrier`. */
__device__ inline void load_box(void *shared, const CUtensorMap *map, uint64_t *barrier, int column, int row,
                                int matrix)
{
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, "
        "%4, %5}], [%2];" ::"r"(shared_address(shared)),
        "l"(map), "r"(shared_address(barrier)), "r"(column), "r"(row), "r"(matrix)
        : "memory");
}
/* The same, to the same place in every block of the cluster that `blocks` has a bit for. */
__device__ inline void load_box_for(uint16_t blocks, void *shared, const CUtensorMap *map, uint64_t *barrier,
                                    int column, int row, int matrix)
{
    asm volatile(
        "cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
        "[%0], [%1, {%4, %5, %6}], [%2], %3;" ::"r"(shared_address(shared)),
        "l"(map), "r"(shared_address(barrier)), "h"(blocks), "r"(column), "r"(row), "r"(matrix)
        : "memory");
}
/* From shared memory, after shared_is_written by all who wrote; what is out of bounds is left out. */
__device__ inline void store_box(const CUtensorMap *map, const void *shared, int column, int row, int matrix)
{
    asm volatile("cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [%0, {%2, %3, %4}], [%1];" ::"l"(map),
                 "r"(shared_address(shared)), "r"(column), "r"(row), "r"(matrix)
                 : "memory");
}
__device__ inline void shared_is_written()
{
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
__device__ inline void stores_commit()
{
    asm volatile("cp.async.bulk.commit_group;" ::: "memory");
}
/* Waits until all but the last N groups of this thread's stores have read shared memory. */
template <int N> __device__ inline void stores_have_read()
{
    asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(N) : "memory");
}

/* Four 8 x 8 matrices of bf16 to shared memory, the reverse of load_matrices. */
__device__ inline void store_matrices(bf16 *row, const uint32_t (&r)[4])
{
    asm volatile(
        "stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(row)),
        "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
        : "memory");
}
__device__ inline void store_matrices_transposed(bf16 *row, const uint32_t (&r)[4])
{
    asm volatile(
        "stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(row)),
        "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3])
        : "memory");
}

/* ---- registers ---- */

template <int N> __device__ inline void take_registers()
{
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N));
}
template <int N> __device__ inline void leave_registers()
{
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N));
}

/* ---- products of a warpgroup ---- */

/* How the tensor cores find an operand in tiles: 8 rows are 1024 bytes, and it is `across` bytes from one
 * tile of 64 columns to the next, which is read where rows are the dimension summed over. */
__device__ inline uint64_t tile_operand(const void *tile, int across = 16)
{
    const uint64_t swizzle_128 = 1;
    return (uint64_t)(shared_address(tile) >> 4 & 0x3FFF) | (uint64_t)(across >> 4) << 16 |
           (uint64_t)(1024 >> 4) << 32 | swizzle_128 << 62;
}

__device__ inline void products_begin()
{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ inline void products_commit()
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/* Waits until at most N committed groups are under way. */
template <int N> __device__ inline void products_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}

#define ACCUMULATORS_8(c, i)                                                                                 \
    "+f"(c[i]), "+f"(c[i + 1]), "+f"(c[i + 2]), "+f"(c[i + 3]), "+f"(c[i + 4]), "+f"(c[i + 5]),              \
        "+f"(c[i + 6]), "+f"(c[i + 7])
#define ACCUMULATORS_64(c, i)                                                                                \
    ACCUMULATORS_8(c, i), ACCUMULATORS_8(c, i + 8), ACCUMULATORS_8(c, i + 16), ACCUMULATORS_8(c, i + 24),    \
        ACCUMULATORS_8(c, i + 32), ACCUMULATORS_8(c, i + 40), ACCUMULATORS_8(c, i + 48),                     \
        ACCUMULATORS_8(c, i + 56)
#define REGISTERS_0_63                                                                                       \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, "                  \
    "%19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "                  \
    "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, "                  \
    "%53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define REGISTERS_64_127                                                                                     \
    "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, "                  \
    "%81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, %96, %97, "                  \
    "%98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "                     \
    "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, "                   \
    "%126, %127"
#define PRODUCT(columns, registers, a_operand, b_operand, adds_operand, transposed_operand, ...)             \
    asm volatile("{\n.reg .pred adds;\nsetp.ne.b32 adds, " adds_operand ", 0;\n"                             \
                 "wgmma.mma_async.sync.aligned.m64n" columns "k16.f32.bf16.bf16 {" registers "}, " a_operand \
                 ", " b_operand ", adds, 1, 1, 0, " transposed_operand ";\n}"                                \
                 : __VA_ARGS__                                                                               \
                 : "l"(a), "l"(b), "r"((int)adds), "n"(B_TRANSPOSED))

/* c (64 x N, f32) = a (64 x 16) b (16 x N), added to c if `adds`; N is 128 or 256.  The rows of a are rows of
 * its tile, and so are the columns of b, unless B_TRANSPOSED: then its rows are.  Warp w of the group has
 * rows 16 w to 16 w + 15, and of every 8 columns c[0] to c[3] as in multiply_add. */
template <int N, bool B_TRANSPOSED>
__device__ inline void multiply_tiles(float (&c)[128], uint64_t a, uint64_t b, bool adds)
{
    static_assert(N == 128 || N == 256);
    if constexpr (N == 128)
        PRODUCT("128", REGISTERS_0_63, "%64", "%65", "%66", "%67", ACCUMULATORS_64(c, 0));
    else
        PRODUCT("256", REGISTERS_0_63 ", " REGISTERS_64_127, "%128", "%129", "%130", "%131",
                ACCUMULATORS_64(c, 0), ACCUMULATORS_64(c, 64));
}

#undef PRODUCT
#undef ACCUMULATORS_8
#undef ACCUMULATORS_64
#undef REGISTERS_0_63
#undef REGISTERS_64_127

#endif
#endif
