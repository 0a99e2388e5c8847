/* What the harness knows of an operator: cases, how to build it, and what it computes, in double.
 *
 * An oracle is written from the operator's formula and shares no code with the operator. */
#ifndef TESTS_TTT_ORACLE_ORACLE_H
#define TESTS_TTT_ORACLE_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#include "ttt/graph/graph.h"

#define OP_MAX 12 /* most inputs or outputs of a case */

/* How an input's elements lie in memory before the operator sees them. */
enum op_layout {
    CONTIGUOUS,
    TRANSPOSED, /* the last two dimensions are swapped */
    HEADS,      /* the two dimensions before the last are swapped: heads of tokens, apart */
    REVERSED,   /* all dimensions are in reverse order */
    CUT,        /* columns in the middle of wider rows: the last dimension is a slice */
    CUT_FIRST,  /* a slice of the first dimension */
    REPEATED,   /* the first dimension repeats one slice, with stride 0 */
};

/* Values that expose faults: no zeros, magnitudes that differ. */
enum op_fill {
    SIGNED,   /* +-[0.1, 2], log-uniform */
    POSITIVE, /* [0.3, 2.3] */
    WIDE,     /* +-[0.01, 12], log-uniform */
    OFFSET,   /* 3 + SIGNED */
    CONSTANT, /* `value` */
};

struct op_input {
    ttt_shape shape; /* as the operator sees it; rank 0: no such input */
    enum op_layout layout;
    enum op_fill fill;
    double value;
    bool variable;   /* lives in the store */
    bool written;    /* a variable that the operator changes: its new value counts as an output */
    bool fixed;      /* no gradient is asked for */
    ttt_dtype dtype; /* 0: f32; TTT_I32 */
};

struct op_case {
    const char *name;
    struct op_input in[OP_MAX];
    int64_t option[6];
    double value[6];
    bool cpu_only;   /* the rows for CUDA do not take it */
    bool gpu_only;   /* large enough for rows that the emulator has not, and so not for the CPU */
    bool absent;     /* the builder needs no node of the operator */
    bool fused_bf16; /* values on the way may not be rounded: in bf16, only with its chains fused */
    bool first_only; /* its gradient has no gradient of its own */
};

struct op_test {
    const char *op; /* as in ttt_operator */
    int n_cases;
    struct op_case (*at)(int i);

    /* Calls the operator's builder; returns the number of outputs. */
    int (*build)(ttt_graph *graph, const struct op_case *c, const ttt_tensor *in, ttt_tensor *out);

    /* Outputs of `build` in order, then the new values of written variables in order; in[i] is contiguous in
     * its logical shape, NULL where there is none. */
    void (*forward)(const struct op_case *c, const double *const *in, double *const *out);

    bool no_gradient;  /* the operator ends a backward pass or a step */
    bool second_order; /* the inner loop differentiates its gradient */
    bool any_threads;  /* results do not depend on the number of threads */
    bool bf16_only;    /* on CUDA the operator has rows for bf16 alone */
    bool cuda_only;    /* it has no row for the CPU */

    /* Requests that the builder must refuse with TTT_SHAPE and a text that contains `text[0]` and `text[1]`;
     * returns false past the end. */
    bool (*refused)(int i, ttt_graph *graph, ttt_tensor *out, const char *text[2]);
};

/* The oracle of an operator, or NULL. */
const struct op_test *oracle_find(const char *op);

/* The i-th oracle, NULL past the end. */
const struct op_test *oracle_at(int i);

int64_t op_elements(const struct op_input *input);

#endif
