/* What LaCT does with its fast weights. */
#include "tools/bench/op_cases_lact.h"

#include "tools/bench/op_cases_optimiser.h"
#include "ttt/fast/muon.h"
#include "ttt/ops/l2norm/l2norm.h"
#include "ttt/ops/matmul_pair/matmul_pair.h"
#include "ttt/ops/swiglu/swiglu.h"
#include "ttt/ops/symmetric/symmetric.h"
#include "ttt/ops/weight_norm/weight_norm.h"

/* x x^T of n[0] matrices, and with n[3] x dy^T + dy x^T. */
void bench_op_symmetric(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor x = bench_op_activation(g, ttt_dims(n[0], n[1], n[2]));
    ttt_output(g->graph, "y",
               n[3] ? ttt_syr2k(g->graph, 1, x, bench_op_activation(g, ttt_dims(n[0], n[1], n[2])))
                    : ttt_syrk(g->graph, x, 0));
}

/* Of n[0] matrices with n[1] rows and columns. */
void bench_op_matmul_pair(struct bench_op_graph *g, const int64_t *n)
{
    const ttt_shape shape = ttt_dims(n[0], n[1], n[1]);
    ttt_tensor a = bench_op_activation(g, shape), b = bench_op_activation(g, shape),
               c = bench_op_activation(g, shape);
    ttt_output(g->graph, "y", ttt_matmul_pair(g->graph, a, b, c, bench_op_activation(g, shape)));
}

/* n[0] tokens of n[1] features to n[2]; with n[3] the factors are read too. */
void bench_op_swiglu(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor x = bench_op_activation(g, ttt_dims(n[0], n[1])),
               w_gate = bench_op_activation(g, ttt_dims(n[1], n[2])),
               w_up = bench_op_activation(g, ttt_dims(n[1], n[2]));
    const ttt_swiglu of = ttt_swiglu_of(g->graph, x, w_gate, w_up, TTT_NONE);
    ttt_output(g->graph, "y", of.y);
    if (n[3]) {
        ttt_output(g->graph, "gate", of.gate);
        ttt_output(g->graph, "up", of.up);
    }
}

/* Of n[0] matrices, and with n[3] its gradient. */
void bench_op_l2norm(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor x = bench_op_activation(g, ttt_dims(n[0], n[1], n[2])), y = ttt_l2norm(g->graph, x, 2, 1e-7f);
    if (n[3])
        ttt_gradient_from(g->graph, y, bench_op_activation(g, ttt_dims(n[0], n[1], n[2])), &x, 1, &y);
    ttt_output(g->graph, "y", y);
}

static ttt_tensor moved(struct bench_op_graph *g, const int64_t *n, ttt_tensor step)
{
    ttt_tensor w = bench_op_input(g, TTT_F32, ttt_dims(n[1], n[2])),
               norm = bench_op_input(g, TTT_F32, ttt_dims(1, n[2]));
    return ttt_weight_norm(g->graph, w, step, norm, 1, 1e-5f);
}

/* Steps of n[0] samples from one weight, and with n[3] their gradients. */
void bench_op_weight_norm(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor step = bench_op_activation(g, ttt_dims(n[0], n[1], n[2])), y = moved(g, n, step);
    if (n[3])
        ttt_gradient_from(g->graph, y, bench_op_activation(g, ttt_dims(n[0], n[1], n[2])), &step, 1, &y);
    ttt_output(g->graph, "y", y);
}

/* The same steps, that lie transposed in memory. */
void bench_op_weight_norm_transposed(struct bench_op_graph *g, const int64_t *n)
{
    ttt_tensor step = bench_op_activation(g, ttt_dims(n[0], n[2], n[1]));
    ttt_output(g->graph, "y", moved(g, n, ttt_transpose(g->graph, step, -1, -2)));
}
