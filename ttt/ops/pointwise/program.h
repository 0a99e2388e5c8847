/* What a pointwise node computes: a short straight-line program over its operands. */
#ifndef TTT_OPS_POINTWISE_PROGRAM_H
#define TTT_OPS_POINTWISE_PROGRAM_H

#include <stdint.h>

#include "ttt/graph/operator.h"

enum pointwise_function {
    POINTWISE_ADD, /* of two values */
    POINTWISE_SUB,
    POINTWISE_MUL,
    POINTWISE_DIV,
    POINTWISE_SCALE, /* of a value and the instruction's constant */
    POINTWISE_SHIFT,
    POINTWISE_EXP, /* of one value, as the builders of pointwise.h */
    POINTWISE_SQRT,
    POINTWISE_SQUARE,
    POINTWISE_RECIPROCAL,
    POINTWISE_RECIPROCAL_OR_ZERO,
    POINTWISE_SIGMOID,
    POINTWISE_SILU,
    POINTWISE_SILU_GRAD,
    POINTWISE_SILU_GRAD2, /* silu''(x) */
    POINTWISE_GELU,
    POINTWISE_GELU_GRAD,
    POINTWISE_GELU_GRAD2, /* gelu''(x) */
    POINTWISE_SOFTPLUS,
    POINTWISE_SILU_GRAD_OF, /* of a value and its sigmoid: made where programs are joined */
    POINTWISE_SILU_GRAD2_OF,
};

enum { POINTWISE_MOST_INSTRUCTIONS = 40, POINTWISE_MOST_INPUTS = 16, POINTWISE_MOST_OUTPUTS = 4 };

/* Values are numbered: inputs first, then the result of each instruction. */
struct pointwise_instruction {
    uint8_t function;
    uint8_t a, b; /* values; b only for functions of two */
    float constant;
};

struct pointwise_program {
    int n_inputs, n_instructions, n_outputs;
    uint8_t outputs[POINTWISE_MOST_OUTPUTS]; /* values, each the result of an instruction */
    struct pointwise_instruction instructions[POINTWISE_MOST_INSTRUCTIONS];
};

/* ttt_operator.compose for pointwise nodes. */
bool pointwise_compose(void *merged, const void *first, const int *first_inputs, bool keep,
                       const void *second, const int *second_inputs, int n_inputs);

extern const ttt_operator ttt_op_pointwise;
extern const ttt_implementation ttt_pointwise_cpu;
extern const ttt_implementation ttt_pointwise_compiled; /* CUDA: a kernel for each program */
extern const ttt_implementation ttt_pointwise_interpreted;

/* What the interpreted row runs; the compiled one turns to it for operands that lie across its vectors. */
ttt_status ttt_pointwise_interpret(const ttt_launch *launch);

#endif
