/* Asynchronous copies, ldmatrix and mma.m16n8k16, lane for lane as the hardware spreads them. */
#include "tests/cuda/tensor_cores.hpp"

#include <cstring>

#include "tests/cuda/emulator.hpp"

namespace
{
constexpr size_t copy_bytes = 16;

void check_aligned(const void *p, const char *what)
{
    if (reinterpret_cast<uintptr_t>(p) % 16)
        emulated_fault("%s: %p is not aligned to 16 bytes", what, p);
}

void check_whole_warp(unsigned lanes, const char *what)
{
    if (lanes != 0xffffffffu)
        emulated_fault("%s needs all 32 lanes, it has %08x", what, lanes);
}

void deliver(const emulated_copy &copy)
{
    if (copy.from)
        std::memcpy(copy.to, copy.from, copy_bytes);
    else
        std::memset(copy.to, 0, copy_bytes);
}

struct matrices_argument {
    const __nv_bfloat16 *row;
    uint32_t r[4];
};

/* Element (i, k) of matrix m: lane 8 m + i brought the address of the row. */
uint32_t element(void *const *arguments, unsigned m, unsigned i, unsigned k)
{
    return static_cast<const matrices_argument *>(arguments[8 * m + i])->row[k].bits;
}

template <bool transposed> void finish_matrices(void *const *arguments, unsigned lanes)
{
    check_whole_warp(lanes, "ldmatrix");
    for (unsigned lane = 0; lane < 32; lane++)
        for (unsigned m = 0; m < 4; m++) {
            const unsigned i = lane / 4, k = 2 * (lane % 4);
            const uint32_t low = transposed ? element(arguments, m, k, i) : element(arguments, m, i, k),
                           high =
                               transposed ? element(arguments, m, k + 1, i) : element(arguments, m, i, k + 1);
            static_cast<matrices_argument *>(arguments[lane])->r[m] = low | high << 16;
        }
}

struct product_argument {
    float *c;
    const uint32_t *a;
    uint32_t b[2];
};

float half_of(uint32_t pair, int which)
{
    return __bfloat162float({static_cast<uint16_t>(which ? pair >> 16 : pair)});
}

void gather(void *const *arguments, float (&a)[16][16], float (&b)[16][8])
{
    for (unsigned lane = 0; lane < 32; lane++) {
        const auto *mine = static_cast<const product_argument *>(arguments[lane]);
        const unsigned g = lane / 4, t = lane % 4;
        for (int which = 0; which < 2; which++) {
            for (unsigned i = 0; i < 4; i++)
                a[g + 8 * (i % 2)][2 * t + 8 * (i / 2) + which] = half_of(mine->a[i], which);
            for (unsigned i = 0; i < 2; i++)
                b[2 * t + 8 * i + which][g] = half_of(mine->b[i], which);
        }
    }
}

/* Of arrays of our own, which no sanitizer needs to watch. */
__attribute__((no_sanitize("address", "undefined"))) void multiply(const float (&a)[16][16],
                                                                   const float (&b)[16][8], float (&y)[16][8])
{
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++)
            for (int j = 0; j < 8; j++)
                y[i][j] += a[i][k] * b[k][j];
}

void finish_product(void *const *arguments, unsigned lanes)
{
    check_whole_warp(lanes, "mma");
    float a[16][16], b[16][8], product[16][8] = {};
    gather(arguments, a, b);
    multiply(a, b, product);
    for (unsigned lane = 0; lane < 32; lane++)
        for (unsigned i = 0; i < 4; i++)
            static_cast<const product_argument *>(arguments[lane])->c[i] +=
                product[lane / 4 + 8 * (i / 2)][2 * (lane % 4) + i % 2];
}

const emulated_collective matrices = {"ldmatrix", finish_matrices<false>},
                          transposed_matrices = {"ldmatrix.trans", finish_matrices<true>},
                          product = {"mma", finish_product};

void load(const emulated_collective &collective, uint32_t (&r)[4], const __nv_bfloat16 *row)
{
    check_aligned(row, "ldmatrix");
    matrices_argument argument = {row, {}};
    emulated_meet(collective, 0xffffffffu, &argument);
    std::memcpy(r, argument.r, sizeof r);
}
} // namespace

void copy_async(void *shared, const void *global, bool valid)
{
    check_aligned(shared, "copy_async");
    if (valid)
        check_aligned(global, "copy_async");
    std::memset(shared, 0xff, copy_bytes);
    emulated_thread_copies().queue.push_back({shared, valid ? global : nullptr});
}

void copy_commit()
{
    emulated_copies &copies = emulated_thread_copies();
    copies.ends.push_back(copies.queue.size());
}

void emulated_copy_wait(size_t groups)
{
    emulated_copies &copies = emulated_thread_copies();
    if (copies.ends.size() <= groups)
        return;
    const size_t done = copies.ends.size() - groups, count = copies.ends[done - 1];
    for (size_t i = 0; i < count; i++)
        deliver(copies.queue[i]);
    copies.queue.erase(copies.queue.begin(), copies.queue.begin() + static_cast<ptrdiff_t>(count));
    copies.ends.erase(copies.ends.begin(), copies.ends.begin() + static_cast<ptrdiff_t>(done));
    for (size_t &end : copies.ends)
        end -= count;
}

void load_matrices(uint32_t (&r)[4], const __nv_bfloat16 *row)
{
    load(matrices, r, row);
}

void load_matrices_transposed(uint32_t (&r)[4], const __nv_bfloat16 *row)
{
    load(transposed_matrices, r, row);
}

void multiply_add(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
    product_argument argument = {c, a, {b0, b1}};
    emulated_meet(product, 0xffffffffu, &argument);
}
