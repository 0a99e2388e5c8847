/* Programs that are simple enough to be done where another operator's result is made. */
#ifndef TTT_OPS_POINTWISE_EPILOGUE_H
#define TTT_OPS_POINTWISE_EPILOGUE_H

#include "ttt/ops/pointwise/program.h"

/* One value x and at most one other, c. */
struct pointwise_epilogue {
    enum pointwise_epilogue_form {
        POINTWISE_AFFINE,          /* alpha x + beta c */
        POINTWISE_TIMES_GELU_GRAD, /* alpha x gelu'(c) */
        POINTWISE_TIMES_SILU_GRAD, /* alpha x silu'(c) */
    } form;
    float alpha, beta; /* alpha is not 0; beta is 0 just where c is not read, or not added */
};

/* Whether the program of one or two inputs, of which number `x` is x, has one of these forms. */
bool pointwise_epilogue_of(const struct pointwise_program *program, int x,
                           struct pointwise_epilogue *epilogue);

#endif
