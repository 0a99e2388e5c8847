/* Every pointwise operation, and chains that the planner fuses. */
#include "ttt/ops/pointwise/pointwise.h"

#include <math.h>

#include "tests/ttt/oracle/oracle.h"

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double add(double a, double b)
{
    return a + b;
}

static double sub(double a, double b)
{
    return a - b;
}

static double mul(double a, double b)
{
    return a * b;
}

static double quotient(double a, double b)
{
    return a / b;
}

static double scale(double x)
{
    return x * 1.75;
}

static double shift(double x)
{
    return x - 0.625;
}

static double square(double x)
{
    return x * x;
}

static double reciprocal(double x)
{
    return 1 / x;
}

static double reciprocal_or_zero(double x)
{
    return x == 0 ? 0 : 1 / x;
}

static double silu(double x)
{
    return x * sigmoid(x);
}

static double silu_grad(double x)
{
    return sigmoid(x) * (1 + x * (1 - sigmoid(x)));
}

static double gelu(double x)
{
    return x / 2 * erfc(-x / sqrt(2));
}

static double gelu_grad(double x)
{
    return erfc(-x / sqrt(2)) / 2 + x * exp(-x * x / 2) / sqrt(2 * acos(-1));
}

static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

/* silu'(a b + 1/2) (a - b): what the inner loop builds. */
static double chain(double a, double b)
{
    return silu_grad(a * b + 0.5) * (a - b);
}

static ttt_tensor build_chain(ttt_graph *g, ttt_tensor a, ttt_tensor b)
{
    ttt_tensor x = ttt_shift(g, ttt_mul(g, a, b), 0.5F);
    return ttt_mul(g, ttt_silu_grad(g, x), ttt_sub(g, a, b));
}

/* Deep enough that one fused program cannot hold it all. */
static double long_chain(double a, double b)
{
    double x = a;
    for (int i = 0; i < 30; i++)
        x = silu(x + 0.3) * 0.7 + b * 0.25;
    return x;
}

static ttt_tensor build_long_chain(ttt_graph *g, ttt_tensor a, ttt_tensor b)
{
    ttt_tensor x = a;
    for (int i = 0; i < 30; i++)
        x = ttt_add(g, ttt_scale(g, ttt_silu(g, ttt_shift(g, x, 0.3F)), 0.7F), ttt_scale(g, b, 0.25F));
    return x;
}

static ttt_tensor build_scale(ttt_graph *g, ttt_tensor x)
{
    return ttt_scale(g, x, 1.75F);
}

static ttt_tensor build_shift(ttt_graph *g, ttt_tensor x)
{
    return ttt_shift(g, x, -0.625F);
}

static const struct {
    const char *name;
    ttt_tensor (*build)(ttt_graph *g, ttt_tensor a, ttt_tensor b);
    double (*formula)(double a, double b);
    enum op_fill fill_b;
    bool first_only;
} binary[] = {
    {"add", ttt_add, add, SIGNED},
    {"sub", ttt_sub, sub, SIGNED},
    {"mul", ttt_mul, mul, SIGNED},
    {"div", ttt_div, quotient, POSITIVE},
    {"chain", build_chain, chain, SIGNED, true},
    {"long chain", build_long_chain, long_chain, SIGNED},
};

static const struct {
    const char *name;
    ttt_tensor (*build)(ttt_graph *g, ttt_tensor x);
    double (*formula)(double x);
    enum op_fill fill;
    bool first_only;
} unary[] = {
    {"scale", build_scale, scale, SIGNED},
    {"shift", build_shift, shift, SIGNED},
    {"exp", ttt_exp, exp, SIGNED},
    {"sqrt", ttt_sqrt, sqrt, POSITIVE},
    {"square", ttt_square, square, SIGNED},
    {"reciprocal", ttt_reciprocal, reciprocal, POSITIVE},
    {"reciprocal or zero", ttt_reciprocal_or_zero, reciprocal_or_zero, POSITIVE},
    {"sigmoid", ttt_sigmoid, sigmoid, WIDE},
    {"silu", ttt_silu, silu, WIDE},
    {"silu_grad", ttt_silu_grad, silu_grad, WIDE, true},
    {"gelu", ttt_gelu, gelu, SIGNED},
    {"gelu, wide", ttt_gelu, gelu, WIDE},
    {"gelu_grad", ttt_gelu_grad, gelu_grad, SIGNED, true},
    {"softplus", ttt_softplus, softplus, WIDE},
};

struct pair {
    struct op_input a, b;
};

static const struct pair pairs[] = {
    {{{1, {1}}}, {{1, {1}}}},
    {{{2, {5, 7}}}, {{2, {5, 7}}}},
    {{{3, {3, 4, 17}}}, {{1, {17}}}},
    {{{1, {9}}}, {{3, {2, 5, 9}}}},
    {{{3, {4, 1, 8}}}, {{3, {1, 6, 1}}}},
    {{{2, {15, 31}}, TRANSPOSED}, {{2, {15, 31}}}},
    {{{2, {6, 33}}, CUT}, {{2, {6, 33}}, TRANSPOSED}},
    {{{4, {3, 5, 2, 7}}, REVERSED}, {{4, {3, 1, 2, 7}}}},
    {{{3, {6, 3, 8}}, REPEATED}, {{3, {6, 3, 1}}}},
    {{{2, {1, 1}}}, {{2, {65, 129}}}},
    {{{3, {3, 65, 31}}}, {{3, {3, 1, 31}}}},
};

/* Of a length that GPUs read by 16 bytes. */
static const struct pair vectors[] = {
    {{{2, {24, 64}}}, {{2, {24, 64}}}},
    {{{3, {3, 7, 16}}}, {{1, {16}}}},
    {{{4, {2, 3, 5, 16}}, HEADS}, {{4, {2, 3, 1, 16}}}},
};

static const struct op_input singles[] = {
    {{1, {1}}},
    {{1, {7}}},
    {{2, {3, 9}}},
    {{2, {8, 16}}, TRANSPOSED},
    {{3, {2, 5, 15}}, CUT},
    {{3, {5, 6, 3}}, REVERSED},
    {{2, {129, 67}}},
};

enum {
    N_BINARY = sizeof binary / sizeof *binary,
    N_UNARY = sizeof unary / sizeof *unary,
    N_PAIRS = sizeof pairs / sizeof *pairs,
    N_VECTORS = sizeof vectors / sizeof *vectors,
    N_SINGLES = sizeof singles / sizeof *singles,
};

/* option[0]: the function, option[1]: whether it is a binary one. */
static struct op_case binary_at(int function, struct op_input a, struct op_input b)
{
    struct op_case c = {.name = binary[function].name, .option = {function, 1}, .in = {a, b}};
    c.in[1].fill = binary[function].fill_b;
    c.first_only = binary[function].first_only;
    c.fused_bf16 = binary[function].formula == long_chain; /* 120 roundings in a row */
    return c;
}

static struct op_case unary_at(int function, struct op_input x)
{
    struct op_case c = {.name = unary[function].name, .option = {function, 0}, .in = {x}};
    c.in[0].fill = unary[function].fill;
    c.first_only = unary[function].first_only;
    c.fused_bf16 =
        unary[function].formula == sigmoid; /* y - y^2, its derivative, cancels where y is near 1 */
    return c;
}

static struct op_case at(int i)
{
    if (i < N_BINARY * N_PAIRS)
        return binary_at(i / N_PAIRS, pairs[i % N_PAIRS].a, pairs[i % N_PAIRS].b);
    i -= N_BINARY * N_PAIRS;
    if (i < N_UNARY * N_SINGLES)
        return unary_at(i / N_SINGLES, singles[i % N_SINGLES]);
    i -= N_UNARY * N_SINGLES;
    return binary_at(i / N_VECTORS, vectors[i % N_VECTORS].a, vectors[i % N_VECTORS].b);
}

static int build(ttt_graph *g, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out)
{
    out[0] = c->option[1] ? binary[c->option[0]].build(g, in[0], in[1]) : unary[c->option[0]].build(g, in[0]);
    return 1;
}

/* Where element `index` of the broadcast shape lies in an operand. */
static int64_t broadcast_index(const ttt_shape *operand, const int64_t *index, int rank)
{
    int64_t at = 0;
    for (int d = 0; d < operand->rank; d++) {
        int64_t i = index[rank - operand->rank + d];
        at = at * operand->size[d] + (operand->size[d] == 1 ? 0 : i);
    }
    return at;
}

static void forward_binary(const struct op_case *c, const double *const *in, double *out)
{
    const ttt_shape *a = &c->in[0].shape, *b = &c->in[1].shape;
    int rank = a->rank > b->rank ? a->rank : b->rank;
    int64_t size[TTT_MAX_RANK], index[TTT_MAX_RANK] = {0}, count = 1;
    for (int d = 0; d < rank; d++) {
        int64_t x = d < rank - a->rank ? 1 : a->size[d - (rank - a->rank)];
        int64_t y = d < rank - b->rank ? 1 : b->size[d - (rank - b->rank)];
        size[d] = x > y ? x : y;
        count *= size[d];
    }
    for (int64_t i = 0; i < count; i++) {
        out[i] = binary[c->option[0]].formula(in[0][broadcast_index(a, index, rank)],
                                              in[1][broadcast_index(b, index, rank)]);
        for (int d = rank - 1; d >= 0 && ++index[d] == size[d]; d--)
            index[d] = 0;
    }
}

static void forward(const struct op_case *c, const double *const *in, double *const *out)
{
    if (c->option[1]) {
        forward_binary(c, in, out[0]);
        return;
    }
    for (int64_t i = 0; i < op_elements(&c->in[0]); i++)
        out[0][i] = unary[c->option[0]].formula(in[0][i]);
}

static bool refused(int i, ttt_graph *g, ttt_tensor *out, const char *text[2])
{
    if (i >= N_BINARY)
        return false;
    ttt_tensor a = ttt_input(g, "a", TTT_F32, ttt_dims(3, 5));
    *out = binary[i].build(g, a, ttt_input(g, "b", TTT_F32, ttt_dims(2, 4, 5)));
    text[0] = "(3, 5)";
    text[1] = "(2, 4, 5)";
    return i != N_BINARY;
}

const struct op_test oracle_pointwise = {
    .op = "pointwise",
    .n_cases = N_BINARY * (N_PAIRS + N_VECTORS) + N_UNARY * N_SINGLES,
    .at = at,
    .build = build,
    .forward = forward,
    .second_order = true,
    .any_threads = true,
    .refused = refused,
};
