/* Element types of tensors. */
#ifndef TTT_BASE_DTYPE_H
#define TTT_BASE_DTYPE_H

#include <stddef.h>
#include <stdint.h>

typedef enum ttt_dtype {
    TTT_F32 = 1,
    TTT_BF16,
    TTT_F64,
    TTT_I32,
    TTT_U8,
} ttt_dtype;

/* Bytes of one element. */
size_t ttt_dtype_size(ttt_dtype dtype);

/* "f32", "bf16", "f64", "i32" or "u8". */
const char *ttt_dtype_name(ttt_dtype dtype);

/* bfloat16 is the upper half of a float, rounded to nearest even; NaN stays NaN. */
uint16_t ttt_bf16_from_f32(float x);
float ttt_f32_from_bf16(uint16_t x);

#endif
