/* Matrix products on a GPU through cuBLASLt, with what stands behind the product done in its epilogue.
 *
 * Everything is row-major.  A product is prepared once, which chooses the algorithm (the library's first
 * choice, so the same one every time), and run many times.
 */
#ifndef TTT_DEVICE_CUDA_PRODUCT_H
#define TTT_DEVICE_CUDA_PRODUCT_H

#include "ttt/base/dtype.h"
#include "ttt/device/device.h"

enum ttt_cuda_epilogue {
    TTT_CUDA_PLAIN,
    TTT_CUDA_BIAS,        /* + bias (n), y's type */
    TTT_CUDA_BIAS_GELU,   /* gelu(... + bias), in the tanh form; the value before it goes to `before` */
    TTT_CUDA_GELU_GRAD,   /* ... * gelu'(before), in the tanh form */
    TTT_CUDA_COLUMN_SUMS, /* and the sums over k of a, (m), f32, go to `sums` */
};

typedef struct ttt_cuda_product {
    int64_t m, n, k;
    int64_t batches;                 /* at least 1 */
    ttt_dtype type;                  /* of a and b: f32 or bf16 */
    ttt_dtype c_type, y_type;        /* f32 or bf16; c_type counts where beta is not 0 */
    bool a_transposed, b_transposed; /* stored as (k, m), (n, k) */
    int64_t a_leading, b_leading;    /* elements from one stored row to the next */
    int64_t a_batch, b_batch;        /* elements from one batch to the next; y's and c's lie m * n apart */
    float alpha, beta;               /* y = alpha a b + beta c */
    enum ttt_cuda_epilogue epilogue;
    ttt_dtype before_type;
} ttt_cuda_product;

/* Where the operands of one run lie; those that the product has not are NULL.  y may be c. */
typedef struct ttt_cuda_operands {
    const void *a, *b, *c, *bias;
    void *y, *before, *sums;
    void *workspace; /* TTT_CUDA_PRODUCT_WORKSPACE bytes */
} ttt_cuda_operands;

enum { TTT_CUDA_PRODUCT_WORKSPACE = 32 << 20 };

/* TTT_UNSUPPORTED when the library has no algorithm for it. */
typedef struct ttt_cuda_prepared ttt_cuda_prepared;
ttt_status ttt_cuda_product_prepare(ttt_device *device, const ttt_cuda_product *product,
                                    ttt_cuda_prepared **prepared);
ttt_status ttt_cuda_product_run(ttt_device *device, const ttt_cuda_prepared *prepared,
                                const ttt_cuda_operands *operands);
void ttt_cuda_product_release(ttt_cuda_prepared *prepared);

#endif
