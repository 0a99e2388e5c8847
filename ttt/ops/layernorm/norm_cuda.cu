/* What layernorm and rmsnorm need to know of their operands on CUDA. */
#include "ttt/ops/layernorm/norm.cuh"

norm_rows norm_rows_of(const ttt_operand *x)
{
    norm_rows rows = {x->data, x->dtype == TTT_BF16, 0, {}, {}};
    for (int i = x->shape.rank - 2; i >= 0; i--) {
        const int64_t size = x->shape.size[i];
        const int inner = rows.rank - 1;
        if (size == 1)
            continue;
        if (inner >= 0 && x->stride[i] == rows.stride[inner] * rows.size[inner].d) {
            rows.size[inner].d *= (uint32_t)size;
            continue;
        }
        rows.size[rows.rank].d = (uint32_t)size;
        rows.stride[rows.rank++] = x->stride[i];
    }
    rows.rank = rows.rank ? rows.rank : 1;
    for (int i = 0; i < rows.rank - 1; i++)
        rows.size[i] = divisor_of(rows.size[i].d);
    return rows;
}

static float *floats_of(const ttt_operand *x)
{
    return x ? static_cast<float *>(x->data) : NULL;
}

normalisation norm_of(const ttt_launch *launch, const norm_operands &operands)
{
    const ttt_operand *x = &launch->in[0], *y = &launch->out[0];
    const int64_t d = x->shape.size[x->shape.rank - 1];
    normalisation n = {};
    n.x = norm_rows_of(x);
    n.rows = (int)(ttt_operand_elements(x) / d);
    n.d = (int)d;
    n.inverse_d = 1 / (float)d;
    n.centred = operands.mean != NULL;
    n.eps = operands.eps;
    n.gain = floats_of(&launch->in[1]);
    n.bias = floats_of(operands.bias);
    n.mean = floats_of(operands.mean);
    n.rstd = floats_of(operands.rstd);
    n.y = norm_rows_of(y);
    n.dgain = floats_of(operands.dgain);
    n.dbias = floats_of(operands.dbias);
    if (operands.dy)
        n.dy = norm_rows_of(operands.dy);
    if (operands.added) {
        n.added = operands.added->data;
        n.added_is_bf16 = operands.added->dtype == TTT_BF16;
    }
    return n;
}

/* Parameters and statistics are smaller than x. */
static const char *refusal(const ttt_operand *in, int64_t elements)
{
    const int last = in->shape.rank - 1;
    if (in->dtype && in->shape.size[last] > 1 && in->stride[last] != 1)
        return "rows are not of unit stride";
    return in->dtype && in->dtype != TTT_F32 && ttt_operand_elements(in) != elements
               ? "a parameter or statistic is not f32"
               : NULL;
}

bool norm_supports(const ttt_launch *launch, const char **why)
{
    const ttt_operand *x = &launch->in[0];
    const int64_t elements = ttt_operand_elements(x), d = x->shape.size[x->shape.rank - 1];
    const char *reason =
        d > INT32_MAX / 2 || elements / d > INT32_MAX / 2 ? "too many rows or columns" : NULL;
    for (int i = 0; i < launch->n_in && !reason; i++)
        reason = refusal(&launch->in[i], elements);
    if (reason)
        *why = reason;
    return !reason && ttt_all_f32_or_bf16(launch, why);
}

static bool is_aligned(const void *p)
{
    return (uintptr_t)p % 16 == 0;
}

bool norm_rows_are_aligned(const norm_rows &x)
{
    const int step = x.is_bf16 ? 8 : 4; /* elements of 16 bytes */
    bool aligned = is_aligned(x.data);
    for (int i = 0; i < x.rank; i++)
        aligned = aligned && x.stride[i] % step == 0;
    return aligned;
}

bool norm_in_registers(const normalisation &n)
{
    return n.d % 8 == 0 && n.d <= NORM_WIDEST && norm_rows_are_aligned(n.x) && norm_rows_are_aligned(n.dy) &&
           norm_rows_are_aligned(n.y) && is_aligned(n.gain) && is_aligned(n.bias) && is_aligned(n.added) &&
           (!n.added || n.added_is_bf16 == n.dy.is_bf16);
}
