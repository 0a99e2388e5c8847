/* Matrix products on a GPU through cuBLASLt, with what stands behind the product done in its epilogue.
 *
 * Everything is row-major.  A product is prepared once, which chooses the algorithm (the library's first
 * choice, so the same one every time), and run many times.
 */
#ifndef TTT_DEVICE_CUDA_PRODUCT_H
#define TTT_DEVICE_CUDA_PRODUCT_H

#include "ttt/base/dtype.h"
#include "ttt/device/device.h"

/* GELU is in its tanh form, which is within 5e-4 of the exact one: below bf16's rounding of the values it
 * has, and nothing for f32. */
enum ttt_cuda_epilogue {
    TTT_CUDA_PLAIN,
    TTT_CUDA_BIAS,        /* + bias (n), y's type */
    TTT_CUDA_GELU,        /* gelu(...); the value before it goes to `before` */
    TTT_CUDA_BIAS_GELU,   /* gelu(... + bias), likewise */
    TTT_CUDA_GELU_GRAD,   /* ... * gelu'(before) */
    TTT_CUDA_COLUMN_SUMS, /* and the sums over k of a, (m), f32, go to `sums`; y is f32 */
};

typedef struct ttt_cuda_product {
    int64_t m, n, k;
    int64_t batches;                 /* at least 1 */
    ttt_dtype type;                  /* of a and b: f32 or bf16 */
    ttt_dtype c_type, y_type;        /* f32 or bf16; c_type counts where beta is not 0 */
    bool a_transposed, b_transposed; /* stored as (k, m), (n, k) */
    int64_t a_leading, b_leading;    /* elements from one stored row to the next */
    int64_t a_batch, b_batch;        /* elements from one batch to the next */
    int64_t y_batch;                 /* the same for y, c and before, each m x n without gaps; 0: m * n */
    float alpha, beta;               /* y = alpha a b + beta c */
    enum ttt_cuda_epilogue epilogue;
    ttt_dtype before_type; /* 0: the value before GELU is not kept */
} ttt_cuda_product;

/* Where the operands of one run lie; those that the product has not are NULL.  y may be c. */
typedef struct ttt_cuda_operands {
    const void *a, *b, *c, *bias;
    void *y, *before, *sums;
    void *workspace; /* TTT_CUDA_PRODUCT_WORKSPACE bytes */
} ttt_cuda_operands;

#ifdef TTT_CUDA_EMULATED
enum { TTT_CUDA_PRODUCT_WORKSPACE = 1 << 12 }; /* tests write all of it, for every product */
#else
enum { TTT_CUDA_PRODUCT_WORKSPACE = 32 << 20 };
#endif

/* TTT_UNSUPPORTED when the library has no algorithm for it; when it has one for operands at multiples of 16
 * bytes alone, and one is not, the run fails so. */
typedef struct ttt_cuda_prepared ttt_cuda_prepared;
ttt_status ttt_cuda_product_prepare(ttt_device *device, const ttt_cuda_product *product,
                                    ttt_cuda_prepared **prepared);
ttt_status ttt_cuda_product_run(ttt_device *device, const ttt_cuda_prepared *prepared,
                                const ttt_cuda_operands *operands);
void ttt_cuda_product_release(ttt_cuda_prepared *prepared);

/* The same where there is another way: what the library does not serve is no error, but leaves *prepared
 * NULL, or *done false. */
ttt_status ttt_cuda_product_try(ttt_device *device, const ttt_cuda_product *product,
                                ttt_cuda_prepared **prepared);
ttt_status ttt_cuda_product_try_run(ttt_device *device, const ttt_cuda_prepared *prepared,
                                    const ttt_cuda_operands *operands, bool *done);

/* How many times over the algorithm fills the multiprocessors with work. */
double ttt_cuda_product_waves(const ttt_cuda_prepared *prepared);

#endif
