/* Shapes and operands: counting, comparing, printing. */
#include <stdio.h>
#include <string.h>

#include "ttt/graph/operator.h"

int64_t ttt_shape_elements(ttt_shape shape)
{
    int64_t elements = 1;
    for (int i = 0; i < shape.rank; i++)
        elements *= shape.size[i];
    return elements;
}

bool ttt_shape_equal(ttt_shape a, ttt_shape b)
{
    return a.rank == b.rank && !memcmp(a.size, b.size, (size_t)a.rank * sizeof *a.size);
}

const char *ttt_shape_text(ttt_shape shape, char text[TTT_SHAPE_TEXT])
{
    int at = snprintf(text, TTT_SHAPE_TEXT, "(");
    for (int i = 0; i < shape.rank && at < TTT_SHAPE_TEXT; i++)
        at += snprintf(text + at, (size_t)(TTT_SHAPE_TEXT - at), i ? ", %lld" : "%lld",
                       (long long)shape.size[i]);
    if (at < TTT_SHAPE_TEXT)
        snprintf(text + at, (size_t)(TTT_SHAPE_TEXT - at), ")");
    return text;
}

bool ttt_operand_contiguous(const ttt_operand *x)
{
    int64_t expected = 1;
    for (int i = x->shape.rank - 1; i >= 0; i--) {
        if (x->shape.size[i] != 1 && x->stride[i] != expected)
            return false;
        expected *= x->shape.size[i];
    }
    return true;
}

int64_t ttt_operand_elements(const ttt_operand *x)
{
    return x->dtype ? ttt_shape_elements(x->shape) : 0;
}

int64_t ttt_operand_bytes(const ttt_operand *x)
{
    return x->dtype ? ttt_shape_elements(x->shape) * (int64_t)ttt_dtype_size(x->dtype) : 0;
}

static bool is_f32(const ttt_operand *operands, int count, bool contiguous, const char **why)
{
    for (int i = 0; i < count; i++) {
        if (operands[i].dtype && operands[i].dtype != TTT_F32) {
            *why = "an operand is not f32";
            return false;
        }
        if (contiguous && operands[i].dtype && !ttt_operand_contiguous(&operands[i])) {
            *why = "an operand is strided";
            return false;
        }
    }
    return true;
}

bool ttt_all_f32(const ttt_launch *launch, const char **why)
{
    return is_f32(launch->in, launch->n_in, false, why) && is_f32(launch->out, launch->n_out, false, why);
}

static bool all_floating(const ttt_operand *operands, int count, const char **why)
{
    for (int i = 0; i < count; i++)
        if (operands[i].dtype && operands[i].dtype != TTT_F32 && operands[i].dtype != TTT_BF16) {
            *why = "takes f32 and bf16";
            return false;
        }
    return true;
}

bool ttt_all_f32_or_bf16(const ttt_launch *launch, const char **why)
{
    return all_floating(launch->in, launch->n_in, why) && all_floating(launch->out, launch->n_out, why);
}

bool ttt_all_contiguous_f32(const ttt_launch *launch, const char **why)
{
    return is_f32(launch->in, launch->n_in, true, why) && is_f32(launch->out, launch->n_out, true, why);
}
