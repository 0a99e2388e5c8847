/* Sizes, names and conversions of element types. */
#include "ttt/base/dtype.h"

#include <string.h>

static const struct {
    const char *name;
    size_t size;
} types[] = {
    [TTT_F32] = {"f32", 4}, [TTT_BF16] = {"bf16", 2}, [TTT_F64] = {"f64", 8},
    [TTT_I32] = {"i32", 4}, [TTT_U8] = {"u8", 1},
};

size_t ttt_dtype_size(ttt_dtype dtype)
{
    return types[dtype].size;
}

const char *ttt_dtype_name(ttt_dtype dtype)
{
    return types[dtype].name;
}

uint16_t ttt_bf16_from_f32(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float ttt_f32_from_bf16(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
