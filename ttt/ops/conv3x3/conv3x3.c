/* Depthwise 3x3 convolution and its kernel gradient: shapes, gradients, costs, tables. */
#include "ttt/ops/conv3x3/conv3x3.h"

#include "ttt/ops/conv3x3/conv3x3_rows.h"
#include "ttt/ops/reduce/reduce.h"

/* x itself when its channels are neighbours in memory, else a contiguous copy. */
static ttt_tensor with_unit_channels(ttt_graph *g, ttt_tensor x)
{
    return ttt_stride(g, x, 3) == 1 || ttt_size(g, x, 3) == 1 ? x : ttt_contiguous(g, x);
}

static bool kernel_fits(ttt_shape x, ttt_shape kernel)
{
    const int64_t batch = x.size[0], channels = x.size[3];
    return ttt_shape_equal(kernel, ttt_dims(channels, 3, 3)) ||
           ttt_shape_equal(kernel, ttt_dims(batch, channels, 3, 3));
}

static ttt_tensor convolve(ttt_graph *g, ttt_tensor x, ttt_tensor kernel, ttt_tensor bias,
                           struct ttt_conv3x3_attributes attributes)
{
    if (!ttt_valid(x) || !ttt_valid(kernel) || !ttt_valid(bias))
        return TTT_INVALID;
    const ttt_shape shape = ttt_shape_of(g, x), kernel_shape = ttt_shape_of(g, kernel);
    char a[TTT_SHAPE_TEXT], b[TTT_SHAPE_TEXT];
    if (shape.rank != 4)
        return ttt_graph_fail(g, TTT_SHAPE, "conv3x3: x must be (batch, height, width, channels), not %s",
                              ttt_shape_text(shape, a));
    if (!kernel_fits(shape, kernel_shape))
        return ttt_graph_fail(g, TTT_SHAPE,
                              "conv3x3: kernel %s does not fit x %s; it must be (channels, 3, 3) or (batch, "
                              "channels, 3, 3)",
                              ttt_shape_text(kernel_shape, b), ttt_shape_text(shape, a));
    if (ttt_exists(bias) && !ttt_shape_equal(ttt_shape_of(g, bias), ttt_dims(shape.size[3])))
        return ttt_graph_fail(g, TTT_SHAPE, "conv3x3: bias %s does not fit x %s; it must be (channels)",
                              ttt_shape_text(ttt_shape_of(g, bias), b), ttt_shape_text(shape, a));
    const ttt_tensor inputs[] = {with_unit_channels(g, x), kernel, bias};
    return ttt_node_add_one(g, &ttt_op_conv3x3, &attributes, inputs, 3, ttt_dtype_of(g, x), shape);
}

ttt_tensor ttt_conv3x3(ttt_graph *g, ttt_tensor x, ttt_tensor kernel, ttt_tensor bias)
{
    return convolve(g, x, kernel, bias, (struct ttt_conv3x3_attributes){0});
}

ttt_tensor ttt_conv3x3_residual(ttt_graph *g, ttt_tensor x, ttt_tensor kernel, ttt_tensor bias)
{
    return convolve(g, x, kernel, bias, (struct ttt_conv3x3_attributes){.adds_input = true});
}

/* The kernel gradient, and, unless y_sum is NULL, the sum of y beside it. */
static ttt_tensor differentiate_kernel(ttt_graph *g, ttt_tensor x, ttt_tensor y, bool per_sample,
                                       ttt_tensor *y_sum)
{
    if (!ttt_valid(x) || !ttt_valid(y))
        return TTT_INVALID;
    const ttt_shape shape = ttt_shape_of(g, x);
    char a[TTT_SHAPE_TEXT], b[TTT_SHAPE_TEXT];
    if (shape.rank != 4 || !ttt_shape_equal(shape, ttt_shape_of(g, y)))
        return ttt_graph_fail(g, TTT_SHAPE,
                              "conv3x3_kernel_gradient: x %s and y %s must both be (batch, height, width, "
                              "channels)",
                              ttt_shape_text(shape, a), ttt_shape_text(ttt_shape_of(g, y), b));
    const int64_t batch = shape.size[0], channels = shape.size[3];
    const ttt_tensor inputs[] = {with_unit_channels(g, x), with_unit_channels(g, y)};
    const ttt_output_spec specs[] = {
        {ttt_dtype_of(g, x), per_sample ? ttt_dims(batch, channels, 3, 3) : ttt_dims(channels, 3, 3)},
        {ttt_dtype_of(g, y), ttt_dims(channels)}};
    ttt_tensor outputs[2];
    ttt_node_add(g, &ttt_op_conv3x3_kernel_gradient, NULL, inputs, 2, specs, y_sum ? 2 : 1, outputs);
    if (y_sum)
        *y_sum = outputs[1];
    return outputs[0];
}

ttt_tensor ttt_conv3x3_kernel_gradient(ttt_graph *g, ttt_tensor x, ttt_tensor y, bool per_sample)
{
    return differentiate_kernel(g, x, y, per_sample, NULL);
}

/* For y = conv(x, k): x gets the convolution of y's gradient with k turned, k the kernel gradient of both.
 * Where y has x added, x's gradient has y's added.  With k turned in the forward pass, substituting i' = i -
 * u + 1 swaps the two in the kernel gradient. */
static void conv3x3_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                             const bool *wanted, ttt_tensor *in_gradients)
{
    const struct ttt_conv3x3_attributes *attributes = ttt_node_attributes(node);
    const ttt_tensor x = ttt_node_input(node, 0), kernel = ttt_node_input(node, 1);
    const ttt_tensor dy = out_gradients[0];
    const bool flipped = attributes->flipped;
    if (!ttt_exists(dy))
        return;
    if (wanted[0])
        in_gradients[0] = convolve(
            g, dy, kernel, TTT_NONE,
            (struct ttt_conv3x3_attributes){.flipped = !flipped, .adds_input = attributes->adds_input});
    /* A kernel for all samples is summed as the bias is; with a bias it was not turned, so dy is y. */
    const bool per_sample = ttt_shape_of(g, kernel).rank == 4, together = wanted[1] && !per_sample;
    if (wanted[1])
        in_gradients[1] = differentiate_kernel(g, flipped ? dy : x, flipped ? x : dy, per_sample,
                                               wanted[2] && together ? &in_gradients[2] : NULL);
    if (wanted[2] && !together)
        in_gradients[2] = ttt_reshape(g, ttt_sum(g, dy, 0x7), ttt_dims(ttt_size(g, dy, 3)));
}

/* T(x, k, y) is linear in each: with k's cotangent in the place of k, x gets the turned convolution of y and
 * y the convolution of x, to which the cotangent of the sum of y is the bias. */
static void kernel_gradient_gradient(ttt_graph *g, const ttt_node *node, const ttt_tensor *out_gradients,
                                     const bool *wanted, ttt_tensor *in_gradients)
{
    const ttt_tensor x = ttt_node_input(node, 0), y = ttt_node_input(node, 1);
    const ttt_tensor dk = out_gradients[0];
    const ttt_tensor dsum = ttt_node_output_count(node) > 1 ? out_gradients[1] : TTT_NONE;
    if (wanted[0] && ttt_exists(dk))
        in_gradients[0] = convolve(g, y, dk, TTT_NONE, (struct ttt_conv3x3_attributes){.flipped = true});
    if (wanted[1] && ttt_exists(dk))
        in_gradients[1] = ttt_conv3x3(g, x, dk, ttt_exists(dsum) ? ttt_contiguous(g, dsum) : TTT_NONE);
    else if (wanted[1] && ttt_exists(dsum))
        in_gradients[1] =
            ttt_expand(g, ttt_reshape(g, dsum, ttt_dims(1, 1, 1, ttt_size(g, y, 3))), ttt_shape_of(g, y));
}

/* Nine multiply-adds for each element of x; the graph counts the bytes. */
static ttt_cost nine_taps(const ttt_launch *launch)
{
    return (ttt_cost){.flops = 18.0 * (double)ttt_operand_elements(&launch->in[0])};
}

static const ttt_implementation *const conv3x3_rows[] = {&ttt_conv3x3_cpu,
                                                         TTT_CUDA_ROW(&ttt_conv3x3_cuda) NULL};

const ttt_operator ttt_op_conv3x3 = {
    .name = "conv3x3",
    .attribute_size = sizeof(struct ttt_conv3x3_attributes),
    .gradient = conv3x3_gradient,
    .cost = nine_taps,
    .bf16_takes = 0x1, /* x */
    .bf16_gives = 0x1,
    .implementations = conv3x3_rows,
};

static const ttt_implementation *const kernel_gradient_rows[] = {
    &ttt_conv3x3_kernel_gradient_cpu, TTT_CUDA_ROW(&ttt_conv3x3_kernel_gradient_cuda) NULL};

const ttt_operator ttt_op_conv3x3_kernel_gradient = {
    .name = "conv3x3_kernel_gradient",
    .gradient = kernel_gradient_gradient,
    .cost = nine_taps,
    .bf16_takes = 0x3, /* x, y */
    .implementations = kernel_gradient_rows,
};
