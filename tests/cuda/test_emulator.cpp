/* Threads, barriers, warps and shared memory of the emulated device. */
#include "tests/cuda/test_support.hpp"

static __global__ void write_index(int *y)
{
    const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x,
                   thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x,
                   threads = blockDim.x * blockDim.y * blockDim.z;
    y[block * threads + thread] = static_cast<int>(block * threads + thread);
}

static void test_every_thread_of_every_block_runs(void **)
{
    std::vector<int> y(2 * 3 * 4 * 5 * 6 * 7, -1);
    launch(write_index, dim3(2, 3, 4), dim3(5, 6, 7), 0, y.data());
    for (size_t i = 0; i < y.size(); i++)
        assert_int_equal(y[i], i);
}

/* Each round, every thread takes what its right neighbour had. */
static __global__ void rotate(int *y, int rounds)
{
    DYNAMIC_SHARED(int, values);
    const unsigned i = threadIdx.x, next = (i + 1) % blockDim.x;
    values[i] = static_cast<int>(i);
    for (int round = 0; round < rounds; round++) {
        __syncthreads();
        const int value = values[next];
        __syncthreads();
        values[i] = value;
    }
    y[blockIdx.x * blockDim.x + i] = values[i];
}

static void test_barrier_of_1024_threads(void **)
{
    const int threads = 1024, blocks = 3, rounds = 50;
    std::vector<int> y(threads * blocks);
    launch(rotate, blocks, threads, threads * sizeof(int), y.data(), rounds);
    for (int i = 0; i < threads * blocks; i++)
        assert_int_equal(y[i], (i + rounds) % threads);
}

static __global__ void leave_early(int *y)
{
    if (threadIdx.x % 3 == 0)
        return;
    __syncthreads();
    y[threadIdx.x] = 1;
}

static void test_barrier_does_not_wait_for_ended_threads(void **)
{
    std::vector<int> y(100);
    for (int round = 0; round < 2; round++) {
        launch(leave_early, 1, 100, 0, y.data());
        for (int i = 0; i < 100; i++)
            assert_int_equal(y[i], i % 3 != 0);
    }
}

struct shuffled {
    float xor_5;
    int down_3, up_2, from_7, from_group;
    unsigned odd, half;
    long long wide;
    int any, all;
};

static __global__ void shuffle(shuffled *y)
{
    const int lane = static_cast<int>(threadIdx.x) % WARP;
    const unsigned full = 0xffffffffu, half = lane < 16 ? 0xffffu : 0xffff0000u;
    shuffled r;
    r.xor_5 = __shfl_xor_sync(full, static_cast<float>(lane), 5);
    r.down_3 = __shfl_down_sync(full, lane, 3);
    r.up_2 = __shfl_up_sync(full, lane, 2);
    r.from_7 = __shfl_sync(full, lane, 7);
    r.from_group = __shfl_sync(full, lane, 1, 4);
    r.odd = __ballot_sync(full, lane % 2);
    r.half = lane < 16 ? __ballot_sync(half, 1) : __ballot_sync(half, lane < 20);
    r.wide = __shfl_xor_sync(full, 1ll << (lane + 20), 1);
    r.any = __any_sync(full, lane == 31);
    r.all = __all_sync(full, lane < 31);
    __syncwarp();
    y[threadIdx.x] = r;
}

static void test_shuffles_and_votes(void **)
{
    std::vector<shuffled> y(64);
    launch(shuffle, 1, 64, 0, y.data());
    for (int i = 0; i < 64; i++) {
        const int lane = i % WARP;
        assert_true(y[i].xor_5 == static_cast<float>(lane ^ 5));
        assert_int_equal(y[i].down_3, lane + 3 < WARP ? lane + 3 : lane);
        assert_int_equal(y[i].up_2, lane >= 2 ? lane - 2 : lane);
        assert_int_equal(y[i].from_7, 7);
        assert_int_equal(y[i].from_group, lane / 4 * 4 + 1);
        assert_int_equal(y[i].odd, 0xaaaaaaaau);
        assert_int_equal(y[i].half, lane < 16 ? 0xffffu : 0xf0000u);
        assert_int_equal(y[i].wide, 1ll << ((lane ^ 1) + 20));
        assert_int_equal(y[i].any, 1);
        assert_int_equal(y[i].all, 0);
    }
}

static __global__ void sum_rows(const float *x, float *y, int width)
{
    float sum = 0;
    for (int i = static_cast<int>(threadIdx.x); i < width; i += static_cast<int>(blockDim.x))
        sum += x[blockIdx.x * static_cast<unsigned>(width) + i];
    const float of_warp = warp_sum(sum), largest = warp_max(sum), of_block = block_sum(sum);
    if (threadIdx.x == 0) {
        y[3 * blockIdx.x] = of_block;
        y[3 * blockIdx.x + 1] = of_warp;
        y[3 * blockIdx.x + 2] = largest;
    }
}

static void test_sums(void **)
{
    const int rows = 5, width = 300, threads = 256;
    std::vector<float> x(rows * width), y(3 * rows);
    for (int i = 0; i < rows * width; i++)
        x[i] = static_cast<float>(i % 17 - 8);
    launch(sum_rows, rows, threads, 0, x.data(), y.data(), width);
    for (int row = 0; row < rows; row++) {
        float total = 0, first = 0, largest = -INFINITY;
        for (int i = 0; i < width; i++)
            total += x[row * width + i];
        for (int lane = 0; lane < WARP; lane++) {
            const float mine = x[row * width + lane] + x[row * width + threads + lane];
            first += mine;
            largest = fmaxf(largest, lane + threads < width ? mine : x[row * width + lane]);
        }
        assert_true(y[3 * row] == total);
        assert_true(y[3 * row + 1] == first);
        assert_true(y[3 * row + 2] == largest);
    }
}

template <int N> static __global__ void look_at_fresh_memory(int *fresh, int *blocks_fresh)
{
    __shared__ float values[N];
    DYNAMIC_SHARED(float, more);
    if (threadIdx.x == 0) {
        bool nan = true;
        for (int i = 0; i < N; i++)
            nan = nan && isnan(values[i]) && isnan(more[i]);
        *blocks_fresh += nan;
    }
    __syncthreads();
    values[threadIdx.x % N] = more[threadIdx.x % N] = 1;
    __syncthreads();
    *fresh += isnan(values[(threadIdx.x + 1) % N]) || isnan(more[(threadIdx.x + 1) % N]);
}

static void test_shared_memory_starts_as_nan(void **)
{
    int fresh = 0, blocks_fresh = 0;
    launch(look_at_fresh_memory<8>, 3, 64, 8 * sizeof(float), &fresh, &blocks_fresh);
    assert_int_equal(blocks_fresh, 3);
    assert_int_equal(fresh, 0);
}

/* Right only when thread 0 runs first. */
static __global__ void forget_barrier(float *y)
{
    __shared__ float value;
    if (threadIdx.x == 0)
        value = 1;
    y[blockIdx.x * blockDim.x + threadIdx.x] = value;
}

static void test_missing_barrier_shows(void **)
{
    std::vector<float> y(2 * 40);
    launch(forget_barrier, 2, 40, 0, y.data());
    int wrong = 0;
    for (float value : y)
        wrong += isnan(value);
    assert_int_equal(wrong, 39);
}

static __global__ void diverge(int kind)
{
    if (kind == 0 && threadIdx.x != 5)
        __syncthreads();
    else if (kind == 0)
        __shfl_sync(0xffffffffu, 1, 0);
    else if (kind == 1)
        __syncwarp(2u << threadIdx.x % WARP);
    else if (threadIdx.x % 2)
        __ballot_sync(0xffffffffu, 1);
    else
        __syncwarp();
}

static void test_divergence_is_reported(void **)
{
    const std::string barrier = message_of_fault([] { launch(diverge, 1, 64, 0, 0); }),
                      mask = message_of_fault([] { launch(diverge, 1, 31, 0, 1); }),
                      mixed = message_of_fault([] { launch(diverge, 1, 32, 0, 2); });
    assert_contains(barrier, "block (0, 0, 0) thread (");
    assert_contains(barrier, "thread (5, 0, 0) and those like it wait in a shuffle, lanes ffffffff");
    assert_contains(barrier, "divergence");
    assert_contains(mask, "leaves out its own lane");
    assert_contains(mixed, "while lane");
}

static void test_launches_that_cannot_be(void **)
{
    const auto nothing = [] {};
    assert_int_equal(emulate_launch(0, 32, 0, nothing), cudaErrorInvalidConfiguration);
    assert_int_equal(emulate_launch(1, 1025, 0, nothing), cudaErrorInvalidConfiguration);
    assert_int_equal(emulate_launch(1, dim3(32, 33), 0, nothing), cudaErrorInvalidConfiguration);
    assert_int_equal(emulate_launch(1, 32, 228 * 1024, nothing), cudaErrorInvalidConfiguration);
    assert_int_equal(emulate_launch(dim3(1, 65536), 32, 0, nothing), cudaErrorInvalidConfiguration);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_thread_of_every_block_runs),
        cmocka_unit_test(test_barrier_of_1024_threads),
        cmocka_unit_test(test_barrier_does_not_wait_for_ended_threads),
        cmocka_unit_test(test_shuffles_and_votes),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_shared_memory_starts_as_nan),
        cmocka_unit_test(test_missing_barrier_shows),
        cmocka_unit_test(test_divergence_is_reported),
        cmocka_unit_test(test_launches_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
