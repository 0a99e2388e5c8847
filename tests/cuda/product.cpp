/* In place of cuBLASLt: matrix products as plain loops, refused where the library is known to refuse. */
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "tests/cuda/emulator.hpp"

extern "C" {
#include "ttt/device/cuda_product.h"
}

struct ttt_cuda_prepared {
    ttt_cuda_product product;
};

namespace
{
bool has_bias(const ttt_cuda_product &p)
{
    return p.epilogue == TTT_CUDA_BIAS || p.epilogue == TTT_CUDA_BIAS_GELU;
}

bool has_gelu(const ttt_cuda_product &p)
{
    return p.epilogue == TTT_CUDA_GELU || p.epilogue == TTT_CUDA_BIAS_GELU;
}

bool has_before(const ttt_cuda_product &p)
{
    return p.epilogue == TTT_CUDA_GELU_GRAD || (has_gelu(p) && p.before_type);
}

float load(const void *x, ttt_dtype type, int64_t i)
{
    return type == TTT_BF16 ? ttt_f32_from_bf16(static_cast<const uint16_t *>(x)[i])
                            : static_cast<const float *>(x)[i];
}

void store(void *x, ttt_dtype type, int64_t i, float value)
{
    if (type == TTT_BF16)
        static_cast<uint16_t *>(x)[i] = ttt_bf16_from_f32(value);
    else
        static_cast<float *>(x)[i] = value;
}

const float root = 0.79788456f, cubic = 0.044715f; /* sqrt(2 / pi) */

float gelu(float x)
{
    return 0.5f * x * (1 + std::tanh(root * (x + cubic * x * x * x)));
}

float gelu_grad(float x)
{
    const float t = std::tanh(root * (x + cubic * x * x * x));
    return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * root * (1 + 3 * cubic * x * x);
}

/* A batch's matrix (rows x columns) in f32. */
std::vector<float> gather(const void *x, ttt_dtype type, bool transposed, int64_t leading, int64_t first,
                          int64_t rows, int64_t columns)
{
    std::vector<float> values;
    values.reserve(static_cast<size_t>(rows * columns));
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            values.push_back(load(x, type, first + (transposed ? j * leading + i : i * leading + j)));
    return values;
}

/* y (m x n) += a (m x k) b (k x n), in memory of our own, which no sanitizer needs to watch. */
__attribute__((no_sanitize("address", "undefined"))) void
add_product(float *__restrict y, const float *a, const float *b, int64_t m, int64_t n, int64_t k)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t l = 0; l < k; l++)
            for (int64_t j = 0; j < n; j++)
                y[i * n + j] += a[i * k + l] * b[l * n + j];
}

/* From the sum of products to y. */
void finish_element(const ttt_cuda_product &p, const ttt_cuda_operands &o, int64_t at, int64_t j, float sum)
{
    float y = p.alpha * sum + (p.beta != 0 ? p.beta * load(o.c, p.c_type, at) : 0);
    if (has_bias(p))
        y += load(o.bias, p.y_type, j);
    if (has_gelu(p)) {
        if (p.before_type)
            store(o.before, p.before_type, at, y);
        y = gelu(y);
    }
    if (p.epilogue == TTT_CUDA_GELU_GRAD)
        y *= gelu_grad(load(o.before, p.before_type, at));
    store(o.y, p.y_type, at, y);
}

void multiply_batch(const ttt_cuda_product &p, const ttt_cuda_operands &o, int64_t batch)
{
    const std::vector<float> a = gather(o.a, p.type, p.a_transposed, p.a_leading, batch * p.a_batch, p.m,
                                        p.k),
                             b = gather(o.b, p.type, p.b_transposed, p.b_leading, batch * p.b_batch, p.k,
                                        p.n);
    std::vector<float> y(static_cast<size_t>(p.m * p.n));
    add_product(y.data(), a.data(), b.data(), p.m, p.n, p.k);
    for (int64_t i = 0; i < p.m * p.n; i++)
        finish_element(p, o, batch * p.y_batch + i, i % p.n, y[static_cast<size_t>(i)]);
    for (int64_t i = 0; p.epilogue == TTT_CUDA_COLUMN_SUMS && i < p.m; i++) {
        const auto row = a.begin() + i * p.k;
        static_cast<float *>(o.sums)[i] = std::accumulate(row, row + p.k, 0.0f);
    }
}

void multiply(const ttt_cuda_product &p, const ttt_cuda_operands &o)
{
    for (int64_t batch = 0; batch < p.batches; batch++)
        multiply_batch(p, o, batch);
    auto *workspace = static_cast<unsigned char *>(o.workspace); /* all of it is the library's */
    workspace[0] = workspace[TTT_CUDA_PRODUCT_WORKSPACE - 1] = 0xFF;
}

bool is_served(const ttt_cuda_product &p)
{
    return (p.beta == 0 || p.c_type == p.y_type) && (p.type == TTT_BF16 || p.y_type == TTT_F32) &&
           (!has_before(p) || (p.before_type == p.y_type && p.n % 8 == 0)) &&
           (p.epilogue != TTT_CUDA_COLUMN_SUMS || (p.y_type == TTT_F32 && p.m % 16 == 0));
}
} // namespace

ttt_status ttt_cuda_product_prepare(ttt_device *, const ttt_cuda_product *product,
                                    ttt_cuda_prepared **prepared)
{
    *prepared = nullptr;
    if (!is_served(*product))
        return ttt_fail(TTT_UNSUPPORTED, "cuBLASLt has no algorithm for this product");
    *prepared = new ttt_cuda_prepared{*product};
    if (!product->y_batch)
        (*prepared)->product.y_batch = product->m * product->n;
    return TTT_OK;
}

ttt_status ttt_cuda_product_run(ttt_device *, const ttt_cuda_prepared *prepared,
                                const ttt_cuda_operands *operands)
{
    const auto all = reinterpret_cast<uintptr_t>(operands->a) | reinterpret_cast<uintptr_t>(operands->b);
    if (has_before(prepared->product) && all % 16)
        return ttt_fail(TTT_UNSUPPORTED, "cuBLASLt has no algorithm for operands at odd addresses");
    const auto work = [product = prepared->product, o = *operands] { multiply(product, o); };
    if (!emulated_record(work))
        work();
    return TTT_OK;
}

void ttt_cuda_product_release(ttt_cuda_prepared *prepared)
{
    delete prepared;
}

double ttt_cuda_product_waves(const ttt_cuda_prepared *)
{
    return 1;
}
