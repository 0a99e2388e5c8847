/* In place of cuBLASLt: matrix products as plain loops, refused where the library is known to refuse. */
#include <cmath>
#include <cstdint>

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

float a_at(const ttt_cuda_product &p, const ttt_cuda_operands &o, int64_t batch, int64_t i, int64_t l)
{
    return load(o.a, p.type,
                batch * p.a_batch + (p.a_transposed ? l * p.a_leading + i : i * p.a_leading + l));
}

float b_at(const ttt_cuda_product &p, const ttt_cuda_operands &o, int64_t batch, int64_t l, int64_t j)
{
    return load(o.b, p.type,
                batch * p.b_batch + (p.b_transposed ? j * p.b_leading + l : l * p.b_leading + j));
}

void multiply_element(const ttt_cuda_product &p, const ttt_cuda_operands &o, int64_t batch, int64_t i,
                      int64_t j)
{
    const int64_t at = batch * p.y_batch + i * p.n + j;
    float sum = 0;
    for (int64_t l = 0; l < p.k; l++)
        sum += a_at(p, o, batch, i, l) * b_at(p, o, batch, l, j);
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

void multiply(const ttt_cuda_product &p, const ttt_cuda_operands &o)
{
    for (int64_t batch = 0; batch < p.batches; batch++)
        for (int64_t i = 0; i < p.m; i++)
            for (int64_t j = 0; j < p.n; j++)
                multiply_element(p, o, batch, i, j);
    for (int64_t i = 0; p.epilogue == TTT_CUDA_COLUMN_SUMS && i < p.m; i++) {
        float sum = 0;
        for (int64_t l = 0; l < p.k; l++)
            sum += a_at(p, o, 0, i, l);
        static_cast<float *>(o.sums)[i] = sum;
    }
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
