/* What the strips of "weight_norm" and its gradient are on CUDA, and which they can be. */
#include "ttt/ops/weight_norm/strips.cuh"

strips strips_of(const ttt_launch *launch, const ttt_operand *norm, const ttt_operand *was)
{
    const ttt_weight_norm_attributes *attributes =
        static_cast<const ttt_weight_norm_attributes *>(launch->attributes);
    const ttt_matrices of = ttt_weight_norm_matrices(launch);
    strips s = {};
    s.matrices = (int)of.count;
    s.rows = (int)of.rows;
    s.columns = (int)of.columns;
    s.few = of.count * blocks_for(of.columns, STRIP_COLUMNS) < ttt_cuda_multiprocessors(launch->device);
    s.sign = attributes->sign;
    s.eps = attributes->eps;
    s.norm = static_cast<const float *>(norm->data);
    s.norms = (int)(ttt_operand_elements(norm) / of.columns);
    s.was = static_cast<float *>(was->data);
    return s;
}

bool strips_supported(const ttt_launch *launch, const char **why)
{
    const ttt_matrices of = ttt_weight_norm_matrices(launch);
    if (of.rows * of.columns > INT32_MAX / 2 || of.count * of.columns > INT32_MAX / 2) {
        *why = "matrices too large or too many";
        return false;
    }
    return ttt_weight_norm_laid_out(launch, why) && ttt_all_f32_or_bf16(launch, why);
}
