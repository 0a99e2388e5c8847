/* The two operators of conv3x3.h, their attributes and their rows. */
#ifndef TTT_OPS_CONV3X3_CONV3X3_ROWS_H
#define TTT_OPS_CONV3X3_CONV3X3_ROWS_H

#include "ttt/graph/operator.h"

/* Inputs x (B, h, w, C), kernel (C, 3, 3) or (B, C, 3, 3), bias (C) or none; output (B, h, w, C). */
struct ttt_conv3x3_attributes {
    bool flipped;    /* the kernel is turned by 180 degrees: the gradient for x is the convolution of y's */
    bool adds_input; /* y = x + ..., as if the kernel's middle were one more */
};

/* Kernel gradient: inputs x, y (B, h, w, C); outputs (C, 3, 3) or (B, C, 3, 3), which says what to sum, and,
 * if there is a second, the sum of y (C). */

extern const ttt_operator ttt_op_conv3x3;
extern const ttt_operator ttt_op_conv3x3_kernel_gradient;

extern const ttt_implementation ttt_conv3x3_cpu;
extern const ttt_implementation ttt_conv3x3_kernel_gradient_cpu;
extern const ttt_implementation ttt_conv3x3_cuda;
extern const ttt_implementation ttt_conv3x3_kernel_gradient_cuda;

#endif
