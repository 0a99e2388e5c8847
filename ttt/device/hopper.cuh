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

__device__ inline int lane_of_warp()
{
    return (int)threadIdx.x % WARP;
}
__device__ inline int warp_of_group()
{
    return (int)threadIdx.x % WARPGROUP / WARP;
}

__device__ inline uint32_t shared_address(const void *p)
{
    return (uint32_t)__cvta_generic_to_shared(p);
}

/* The floats of a bf16_pair. */
__device__ inline float2 floats_of_pair(uint32_t pair)
{
    return {__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u)};
}

/* 2^x, to 2 units in the last place; results below 2^-126 are 0. */
__device__ inline float exp2_approximate(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
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
__device__ inline void barrier_arrive(uint64_t *barrier)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
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
/* The same among two warpgroups, and for the one of them that need not wait. */
__device__ inline void warpgroups_sync(int id)
{
    asm volatile("bar.sync %0, 256;" ::"r"(id) : "memory");
}
__device__ inline void warpgroups_arrive(int id)
{
    asm volatile("bar.arrive %0, 256;" ::"r"(id) : "memory");
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
/* Of a map of four dimensions. */
__device__ inline void load_box(void *shared, const CUtensorMap *map, uint64_t *barrier, int column, int row,
                                int matrix, int group)
{
    asm volatile(
        "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, "
        "%4, %5, %6}], [%2];" ::"r"(shared_address(shared)),
        "l"(map), "r"(shared_address(barrier)), "r"(column), "r"(row), "r"(matrix), "r"(group)
        : "memory");
}
/* That of load_box, to the same place in every block of the cluster that `blocks` has a bit for. */
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
__device__ inline void store_box(const CUtensorMap *map, const void *shared, int column, int row, int matrix,
                                 int group)
{
    asm volatile(
        "cp.async.bulk.tensor.4d.global.shared::cta.bulk_group [%0, {%2, %3, %4, %5}], [%1];" ::"l"(map),
        "r"(shared_address(shared)), "r"(column), "r"(row), "r"(matrix), "r"(group)
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

/* x, of which the compiler now knows nothing: it computes what follows from it where that is needed, and
 * keeps none of it in registers across a loop. */
__device__ inline int opaque(int x)
{
    asm volatile("" : "+r"(x));
    return x;
}

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
/* What leads from an operand to that 16 columns, or 16 rows, further. */
enum { NEXT_16_COLUMNS = 32 >> 4, NEXT_16_ROWS = 2048 >> 4 };

#define ACCUMULATORS_8(access, c, i)                                                                         \
    access(c[i]), access(c[i + 1]), access(c[i + 2]), access(c[i + 3]), access(c[i + 4]), access(c[i + 5]),  \
        access(c[i + 6]), access(c[i + 7])
#define ACCUMULATORS_32(access, c, i)                                                                        \
    ACCUMULATORS_8(access, c, i), ACCUMULATORS_8(access, c, i + 8), ACCUMULATORS_8(access, c, i + 16),       \
        ACCUMULATORS_8(access, c, i + 24)
#define ACCUMULATORS_64(access, c, i) ACCUMULATORS_32(access, c, i), ACCUMULATORS_32(access, c, i + 32)
#define ACCUMULATORS_128(access, c, i) ACCUMULATORS_64(access, c, i), ACCUMULATORS_64(access, c, i + 64)
#define REGISTERS_0_31                                                                                       \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, "                  \
    "%19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define REGISTERS_0_63                                                                                       \
    REGISTERS_0_31 ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "      \
                   "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define REGISTERS_64_127                                                                                     \
    "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, "                  \
    "%81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, %96, %97, "                  \
    "%98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, "                     \
    "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, "                   \
    "%126, %127"
#define PRODUCT(columns, registers, a_operand, b_operand, adds_operand, transposed, accumulators, ...)       \
    asm volatile("{\n.reg .pred adds;\nsetp.ne.b32 adds, " adds_operand ", 0;\n"                             \
                 "wgmma.mma_async.sync.aligned.m64n" columns "k16.f32.bf16.bf16 {" registers "}, " a_operand \
                 ", " b_operand ", adds, 1, 1, " transposed ";\n}"                                           \
                 : accumulators                                                                              \
                 : __VA_ARGS__)

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
/* The same, and c is read after that. */
template <int N> __device__ inline void products_wait(float (&c)[32])
{
    asm volatile("wgmma.wait_group.sync.aligned %32;" : ACCUMULATORS_32("+f", c, 0) : "n"(N) : "memory");
}
template <int N> __device__ inline void products_wait(float (&c)[64])
{
    asm volatile("wgmma.wait_group.sync.aligned %64;" : ACCUMULATORS_64("+f", c, 0) : "n"(N) : "memory");
}
/* For left operands in registers: they are computed before products begin. */
template <int N> __device__ inline void set_before_products(uint32_t (&a)[N][4])
{
#pragma unroll
    for (int i = 0; i < N; i++)
        asm volatile("" : "+r"(a[i][0]), "+r"(a[i][1]), "+r"(a[i][2]), "+r"(a[i][3])::"memory");
}
/* Left operands in registers that products have read by now: none is written to before. */
template <int N> __device__ inline void products_have_read(const uint32_t (&a)[N][4])
{
#pragma unroll
    for (int i = 0; i < N; i++)
        asm volatile("" ::"r"(a[i][0]), "r"(a[i][1]), "r"(a[i][2]), "r"(a[i][3]) : "memory");
}

/* c (64 x N, f32) = a (64 x 16) b (16 x N), added to c if `adds`; N is 128 or 256, and c may be longer.  The
 * rows of a are rows of its tile, and so are the columns of b, unless B_TRANSPOSED: then its rows are.  Warp
 * w of the group has rows 16 w to 16 w + 15, and of every 8 columns c[0] to c[3] as in multiply_add. */
template <int N, bool B_TRANSPOSED, int LENGTH>
__device__ inline void multiply_tiles(float (&c)[LENGTH], uint64_t a, uint64_t b, bool adds)
{
    static_assert((N == 128 || N == 256) && LENGTH >= N / 2);
    if constexpr (N == 128)
        PRODUCT("128", REGISTERS_0_63, "%64", "%65", "%66", "0, %67", ACCUMULATORS_64("+f", c, 0), "l"(a),
                "l"(b), "r"((int)adds), "n"((int)B_TRANSPOSED));
    else
        PRODUCT("256", REGISTERS_0_63 ", " REGISTERS_64_127, "%128", "%129", "%130", "0, %131",
                ACCUMULATORS_128("+f", c, 0), "l"(a), "l"(b), "r"((int)adds), "n"((int)B_TRANSPOSED));
}

/* The same for N = 64; TRANSPOSED: the columns of a are rows of its tile, and so are the rows of b.  What c
 * was is not read unless ADDS, so that its registers may serve otherwise until then. */
template <bool TRANSPOSED, bool ADDS>
__device__ inline void multiply_tiles(float (&c)[32], uint64_t a, uint64_t b)
{
    if constexpr (ADDS)
        PRODUCT("64", REGISTERS_0_31, "%32", "%33", "%34", "%35, %35", ACCUMULATORS_32("+f", c, 0), "l"(a),
                "l"(b), "n"(1), "n"((int)TRANSPOSED));
    else
        PRODUCT("64", REGISTERS_0_31, "%32", "%33", "%34", "%35, %35", ACCUMULATORS_32("=f", c, 0), "l"(a),
                "l"(b), "n"(0), "n"((int)TRANSPOSED));
}

/* The same with a in registers, each warp's 16 rows as multiply_add takes them; the rows of b are rows of its
 * tile. */
__device__ inline void multiply_by_tile(float (&c)[32], const uint32_t (&a)[4], uint64_t b, bool adds)
{
    PRODUCT("64", REGISTERS_0_31, "{%32, %33, %34, %35}", "%36", "%37", "1", ACCUMULATORS_32("+f", c, 0),
            "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"((int)adds));
}

#undef PRODUCT
#undef ACCUMULATORS_8
#undef ACCUMULATORS_32
#undef ACCUMULATORS_64
#undef ACCUMULATORS_128
#undef REGISTERS_0_31
#undef REGISTERS_0_63
#undef REGISTERS_64_127

#endif
#endif
