/* bf16, wide accesses, asynchronous copies and matrix products of the emulated device. */
#include "tests/cuda/test_support.hpp"

static bf16 rounded(float x)
{
    return __float2bfloat16(x);
}

static void test_bf16_rounds_to_even(void **)
{
    assert_int_equal(rounded(1).bits, 0x3f80);
    assert_int_equal(rounded(1 + 0x1p-8f).bits, 0x3f80);
    assert_int_equal(rounded(1 + 3 * 0x1p-8f).bits, 0x3f82);
    assert_int_equal(rounded(1 + 0x1p-8f + 0x1p-20f).bits, 0x3f81);
    assert_int_equal(rounded(3.4e38f).bits, 0x7f80);
    assert_int_equal(rounded(-INFINITY).bits, 0xff80);
    assert_int_equal(rounded(__uint_as_float(0x7f800001u)).bits, 0x7fff);
    assert_true(__bfloat162float({0xc040}) == -3);
    const float2 pair = __bfloat1622float2(__floats2bfloat162_rn(2, -4));
    assert_true(pair.x == 2 && pair.y == -4);
}

template <int N, class T> static __global__ void twice(const T *x, T *y)
{
    float values[N];
    load<N>(x + threadIdx.x * N, values);
    for (int i = 0; i < N; i++)
        values[i] *= 2;
    store<N>(y + threadIdx.x * N, values);
}

template <int N, class T> static void check_twice()
{
    constexpr int threads = 40;
    alignas(16) T x[threads * N], y[threads * N];
    for (int i = 0; i < threads * N; i++)
        x[i] = from_float<T>(static_cast<float>(i % 100));
    launch(twice<N, T>, 1, threads, 0, x, y);
    for (int i = 0; i < threads * N; i++)
        assert_true(to_float(y[i]) == static_cast<float>(2 * (i % 100)));
}

static void test_wide_accesses(void **)
{
    check_twice<8, bf16>();
    check_twice<8, float>();
    check_twice<4, float>();
    check_twice<2, bf16>();
    check_twice<1, bf16>();
    check_twice<16, bf16>();
}

/* y = 3 x, 4 floats a thread, the copy of stage i + 1 under way while stage i is worked on.  `waits`: what
 * each stage waits for; past the end of x are zeros. */
static __global__ void pipeline(const float *x, float *y, int stages, int count, bool waits)
{
    DYNAMIC_SHARED(float4, buffer);
    const int threads = static_cast<int>(blockDim.x), thread = static_cast<int>(threadIdx.x);
    const auto start = [&](int stage) {
        const int i = stage * threads + thread;
        if (stage < stages)
            copy_async(buffer + stage % 2 * threads + thread, x + 4 * i, 4 * i < count);
        copy_commit();
    };
    start(0);
    for (int stage = 0; stage < stages; stage++) {
        start(stage + 1);
        if (waits)
            copy_wait<1>();
        __syncthreads();
        const int other = (thread + 1) % threads;
        const float4 v = buffer[stage % 2 * threads + other];
        const float tripled[4] = {3 * v.x, 3 * v.y, 3 * v.z, 3 * v.w};
        store<4>(y + 4 * (stage * threads + other), tripled);
        __syncthreads();
    }
}

static void test_asynchronous_copies(void **)
{
    const int stages = 5, threads = 64, values = stages * threads * 4, count = values - 40;
    alignas(16) static float x[values], y[values];
    for (int i = 0; i < count; i++)
        x[i] = static_cast<float>(i);
    launch(pipeline, 1, threads, 2 * threads * sizeof(float4), x, y, stages, count, true);
    for (int i = 0; i < values; i++)
        assert_true(y[i] == (i < count ? static_cast<float>(3 * i) : 0));
    launch(pipeline, 1, threads, 2 * threads * sizeof(float4), x, y, stages, count, false);
    for (int i = 0; i < values; i++)
        assert_true(isnan(y[i]));
}

/* c (16 x 16) = a (16 x 32, row-major) b, b (32 x 16) row-major or its transpose. */
template <bool transposed> static __global__ void multiply(const bf16 *a, const bf16 *b, float *c)
{
    __shared__ __align__(16) bf16 sa[16][32], sb[32 * 16];
    for (unsigned i = threadIdx.x; i < 16 * 32; i += WARP) {
        sa[i / 32][i % 32] = a[i];
        sb[i] = b[i];
    }
    __syncwarp();
    const unsigned lane = threadIdx.x, g = lane / 4, t = lane % 4, row = lane % 8, matrix = lane / 8;
    float left[4] = {}, right[4] = {};
    for (unsigned k = 0; k < 32; k += 16) {
        uint32_t ra[4], rb[4]; /* rb: rows k and k + 8 of columns 0 to 7, then of 8 to 15 */
        load_matrices(ra, &sa[row + 8 * (matrix % 2)][k + 8 * (matrix / 2)]);
        const unsigned bk = k + 8 * (matrix % 2), bj = 8 * (matrix / 2);
        if (transposed)
            load_matrices(rb, &sb[(bj + row) * 32 + bk]);
        else
            load_matrices_transposed(rb, &sb[(bk + row) * 16 + bj]);
        multiply_add(left, ra, rb[0], rb[1]);
        multiply_add(right, ra, rb[2], rb[3]);
    }
    for (unsigned i = 0; i < 4; i++) {
        c[(g + 8 * (i / 2)) * 16 + 2 * t + i % 2] = left[i];
        c[(g + 8 * (i / 2)) * 16 + 2 * t + i % 2 + 8] = right[i];
    }
}

static void test_matrix_products(void **)
{
    bf16 a[16 * 32], b[32 * 16], b_transposed[16 * 32];
    for (int i = 0; i < 16 * 32; i++)
        a[i] = rounded(static_cast<float>(i * 7 % 23 - 11));
    for (int k = 0; k < 32; k++)
        for (int j = 0; j < 16; j++)
            b[k * 16 + j] = b_transposed[j * 32 + k] = rounded(static_cast<float>((k * 5 + j * 3) % 19 - 9));
    float c[2][16 * 16];
    launch(multiply<false>, 1, WARP, 0, a, b, c[0]);
    launch(multiply<true>, 1, WARP, 0, a, b_transposed, c[1]);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) {
            float sum = 0;
            for (int k = 0; k < 32; k++)
                sum += to_float(a[i * 32 + k]) * to_float(b[k * 16 + j]);
            assert_true(c[0][i * 16 + j] == sum);
            assert_true(c[1][i * 16 + j] == sum);
        }
}

static void test_pairs(void **)
{
    assert_int_equal(bf16_pair(1, -2), 0xc0003f80u);
}

static __global__ void load_unaligned(const bf16 *x)
{
    uint32_t r[4];
    load_matrices(r, x + 1);
}

static void test_unaligned_rows_are_reported(void **)
{
    alignas(16) static bf16 x[32];
    assert_contains(message_of_fault([] { launch(load_unaligned, 1, 32, 0, x); }), "not aligned to 16 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bf16_rounds_to_even),
        cmocka_unit_test(test_wide_accesses),
        cmocka_unit_test(test_asynchronous_copies),
        cmocka_unit_test(test_matrix_products),
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_unaligned_rows_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
