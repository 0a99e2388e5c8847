/* Arithmetic of inner steps in doubles: the gate, products of small matrices, the division of gradients. */
#ifndef TESTS_TTT_ORACLE_FAST_WEIGHTS_H
#define TESTS_TTT_ORACLE_FAST_WEIGHTS_H

#include <math.h>
#include <stdint.h>

static inline double sigmoid(double z)
{
    return 1 / (1 + exp(-z));
}
static inline double silu(double z)
{
    return z * sigmoid(z);
}
static inline double silu_slope(double z)
{
    const double s = sigmoid(z);
    return s + z * s * (1 - s);
}
static inline double silu_curvature(double z)
{
    const double s = sigmoid(z);
    return s * (1 - s) * (2 + z * (1 - 2 * s));
}

/* y (n x m) += x (n x k) w (k x m), where element (i, j) of x lies at i * x_row + j * x_column, and so on. */
struct matrix {
    double *at;
    int64_t row, column;
};
static inline struct matrix transposed(struct matrix x)
{
    return (struct matrix){x.at, x.column, x.row};
}
static inline double *element(struct matrix x, int64_t i, int64_t j)
{
    return x.at + i * x.row + j * x.column;
}
static inline void add_product(struct matrix y, struct matrix x, struct matrix w, int64_t n, int64_t k,
                               int64_t m)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t l = 0; l < k; l++) {
            const double factor = *element(x, i, l);
            for (int64_t j = 0; j < m; j++)
                *element(y, i, j) += factor * *element(w, l, j);
        }
}

/* u[i] = g[i] / (|g| + 1) over `count` elements `step` apart; returns |g|. */
static inline double shrink(const double *g, double *u, int64_t count, int64_t step)
{
    double square = 0;
    for (int64_t i = 0; i < count; i++)
        square += g[i * step] * g[i * step];
    for (int64_t i = 0; i < count; i++)
        u[i * step] = g[i * step] / (sqrt(square) + 1);
    return sqrt(square);
}

/* dg of shrink, from du. */
static inline void shrink_back(const double *g, const double *du, double *dg, int64_t count, int64_t step)
{
    double square = 0, dot = 0;
    for (int64_t i = 0; i < count; i++) {
        square += g[i * step] * g[i * step];
        dot += g[i * step] * du[i * step];
    }
    const double n = sqrt(square);
    for (int64_t i = 0; i < count; i++)
        dg[i * step] = du[i * step] / (n + 1) - (n > 0 ? g[i * step] * dot / (n * (n + 1) * (n + 1)) : 0);
}

#endif
