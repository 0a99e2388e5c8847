/* Element types of safetensors files: names, sizes, their ttt_dtype, and conversion to float and double. */
#include "data/safetensors.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [SAFETENSORS_F64] = {"F64", 8},   [SAFETENSORS_F32] = {"F32", 4}, [SAFETENSORS_F16] = {"F16", 2},
    [SAFETENSORS_BF16] = {"BF16", 2}, [SAFETENSORS_I64] = {"I64", 8}, [SAFETENSORS_I32] = {"I32", 4},
    [SAFETENSORS_U8] = {"U8", 1},
};
size_t safetensors_dtype_size(safetensors_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *safetensors_dtype_name(safetensors_dtype dtype)
{
    return dtypes[dtype].name;
}

safetensors_dtype safetensors_from_dtype(ttt_dtype dtype)
{
    switch (dtype) {
    case TTT_F32:
        return SAFETENSORS_F32;
    case TTT_BF16:
        return SAFETENSORS_BF16;
    case TTT_F64:
        return SAFETENSORS_F64;
    case TTT_I32:
        return SAFETENSORS_I32;
    case TTT_U8:
        return SAFETENSORS_U8;
    }
    return 0;
}

ttt_dtype safetensors_to_dtype(safetensors_dtype dtype)
{
    switch (dtype) {
    case SAFETENSORS_F32:
        return TTT_F32;
    case SAFETENSORS_BF16:
        return TTT_BF16;
    case SAFETENSORS_F64:
        return TTT_F64;
    case SAFETENSORS_I32:
        return TTT_I32;
    case SAFETENSORS_U8:
        return TTT_U8;
    case SAFETENSORS_F16:
    case SAFETENSORS_I64:
        break;
    }
    return 0;
}

/* IEEE half: 1 sign, 5 exponent, 10 fraction bits. */
static double f64_from_f16(uint16_t x)
{
    int exponent = x >> 10 & 31, fraction = x & 1023;
    double value = exponent == 31  ? (fraction ? NAN : INFINITY)
                   : exponent == 0 ? ldexp(fraction, -24)
                                   : ldexp(fraction + 1024, exponent - 25);
    return x >> 15 ? -value : value;
}

void safetensors_to_f64(const safetensors_tensor *tensor, double *out)
{
    const void *data = tensor->data;
    const int64_t n = tensor->count;
    switch (tensor->dtype) {
    case SAFETENSORS_F64:
        if (n)
            memcpy(out, data, tensor->bytes);
        break;
    case SAFETENSORS_F32:
        for (int64_t i = 0; i < n; i++)
            out[i] = ((const float *)data)[i];
        break;
    case SAFETENSORS_F16:
        for (int64_t i = 0; i < n; i++)
            out[i] = f64_from_f16(((const uint16_t *)data)[i]);
        break;
    case SAFETENSORS_BF16:
        for (int64_t i = 0; i < n; i++)
            out[i] = ttt_f32_from_bf16(((const uint16_t *)data)[i]);
        break;
    case SAFETENSORS_I64:
        for (int64_t i = 0; i < n; i++)
            out[i] = (double)((const int64_t *)data)[i];
        break;
    case SAFETENSORS_I32:
        for (int64_t i = 0; i < n; i++)
            out[i] = ((const int32_t *)data)[i];
        break;
    case SAFETENSORS_U8:
        for (int64_t i = 0; i < n; i++)
            out[i] = ((const uint8_t *)data)[i];
        break;
    }
}

void safetensors_to_f32(const safetensors_tensor *tensor, float *out)
{
    /* Through a small buffer of doubles, which hold every type but a large I64 exactly. */
    double part[512];
    const size_t size = safetensors_dtype_size(tensor->dtype);
    if (tensor->dtype == SAFETENSORS_F32) {
        if (tensor->count)
            memcpy(out, tensor->data, tensor->bytes);
        return;
    }
    for (int64_t start = 0; start < tensor->count; start += 512) {
        safetensors_tensor slice = *tensor;
        slice.count = tensor->count - start < 512 ? tensor->count - start : 512;
        slice.bytes = (size_t)slice.count * size;
        slice.data = (const char *)tensor->data + (size_t)start * size;
        safetensors_to_f64(&slice, part);
        for (int64_t i = 0; i < slice.count; i++)
            out[start + i] = (float)part[i];
    }
}
