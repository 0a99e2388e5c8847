/* Tolerances of golden vectors. */
#include "tools/verify/tolerance.h"

#include <stdbool.h>
#include <string.h>

/* Relative L2 against float64 arithmetic.
 *
 * Conditioned: Newton-Schulz multiplies small singular values, and what rounding did to them, by up to 3.4 a
 * step; fed back: and steps that depend on earlier ones hand that on.  Over 16 seeds of the reference's
 * chunks, PyTorch in f32 is off by up to 2.2e-5 in outputs and 9.6e-4 in gradients, this library by 5.2e-5
 * and 8.9e-4; rounding the inputs alone makes 5e-6 and 5e-5.  bf16 rounds 32,768 times as coarsely: over the
 * published vectors PyTorch's autocast is off by up to 4.4e-2 and 2.9e-1 (conditioned), 1.7e-1 and 8.9e-1
 * (fed back), this library by 3.2e-2 and 2.9e-1, and 1.9e-1 and 8.7e-1.
 *
 * Rates scale what Newton-Schulz then makes independent of scale: little but rounding is left of their
 * gradients in bf16, and which is worst changes with every change of where is rounded.  Over 20 such, those
 * of lr_fc.weight were off by 0.16 on average and 0.4 at most, those of lr0 behind twelve steps that feed
 * back by 0.5 to 6: there the tolerance merely tells rounding from a gradient that explodes.
 *
 * Deep: every block rounds the residual stream and its gradient.  This library is off by up to 6.8e-2 in
 * gradients of models without Newton-Schulz, autocast, which keeps that stream in f32, by 4.3e-2. */
struct tolerance {
    double f32, bf16;
    double bf16_of_rates; /* where it is another */
};

static const struct tolerance tolerances[] = {
    [VERIFY_OUTPUT] = {2e-5, 2e-2},
    [VERIFY_GRADIENT] = {1e-4, 5e-2},
    [VERIFY_DEEP_OUTPUT] = {2e-5, 2e-2},
    [VERIFY_DEEP_GRADIENT] = {1e-4, 1e-1},
    [VERIFY_CONDITIONED_OUTPUT] = {2e-5, 5e-2},
    [VERIFY_CONDITIONED_GRADIENT] = {1e-4, 3e-1, 5e-1},
    [VERIFY_FED_BACK_OUTPUT] = {1e-4, 2e-1},
    [VERIFY_FED_BACK_GRADIENT] = {2e-3, 1, 10},
};

/* Gradients, by the end of their names, whose terms cancel until little more than rounding is left.
 *
 * lr_fc.bias: it scales all tokens' rates alike, and Newton-Schulz starts by dividing out the scale, so the
 * sum over tokens of (gradient of the rate) (rate) is 0; the bias's gradient is what softplus' departs from
 * the rate by, some thousandth of the terms.  Single precision leaves up to 5e-4 of it wrong over many seeds
 * (PyTorch's: 2e-4 over the published vectors); for bf16 see cancelling.c. */
static const struct {
    const char *name;
    double f32;
} cancelling[] = {{"lr_fc.bias", 2e-3}};

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && !strcmp(text + length - tail, end);
}

/* "grad.lr0", "grad.blocks.0.module_list.1.f.lr_fc.weight" */
static bool is_of_rates(const char *name)
{
    return strstr(name, ".lr") != NULL;
}

double verify_tolerance(enum verify_quantity quantity, ttt_dtype dtype, const char *name)
{
    const struct tolerance *tolerance = &tolerances[quantity];
    if (dtype == TTT_BF16)
        return tolerance->bf16_of_rates > 0 && is_of_rates(name) ? tolerance->bf16_of_rates : tolerance->bf16;
    const bool single = quantity % 2 && quantity < VERIFY_FED_BACK_OUTPUT; /* a gradient of one pass */
    for (size_t i = 0; single && i < sizeof cancelling / sizeof *cancelling; i++)
        if (ends_with(name, cancelling[i].name))
            return cancelling[i].f32;
    return tolerance->f32;
}
