/* The rows of "vittt_inner" and "vittt_inner_backward" for the CPU: threads take heads of samples, each from
 * its keys to its result; then the convolution branch, by the rows of conv3x3 on views of the same tensors.
 *
 * Gradients of weights are kept for each sample and summed in order, for any number of threads.
 */
#include <math.h>
#include <omp.h>
#include <string.h>

#include "ttt/ops/conv3x3/conv3x3_rows.h"
#include "ttt/ops/vittt_inner/glu_cpu.h"

enum { TAPS = 9, ALIGNMENT = 64 / sizeof(float) };

/* Products of the gated branch for each weight, over which requests for memory are spread: in one direction,
 * as many as every variant has; before queries are read; before the backward pass comes to keys again. */
enum { FORWARD = 2, BACKWARD = 5, BEFORE_READING = 1, BEFORE_KEYS = 3 };

/* Where things lie in the workspace, in floats. */
struct places {
    int64_t rooms, room; /* of the gated branch: one for each thread */
    int64_t step, moved; /* (batch, d, TAPS) of the convolution branch: r, then dr; w3' */
    int64_t dw3;         /* (batch, d, TAPS): dw3' */
    int64_t dw;          /* (batch, H, 2, d, d): dw1 and dw2 */
    int64_t convolution; /* of the rows of conv3x3 */
    int64_t end;
};

static int64_t rounded(int64_t floats)
{
    return (floats + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Channels of sample tokens in a (B, N, channels) tensor, as pictures (B, h, w, d). */
static ttt_operand pictures(const ttt_launch *launch, const ttt_operand *x, int64_t channel)
{
    const struct ttt_vittt_inner_attributes *a = launch->attributes;
    const int64_t row = x->shape.size[2];
    return (ttt_operand){
        .data = x->data ? (float *)x->data + channel : NULL,
        .dtype = TTT_F32,
        .shape = ttt_dims(x->shape.size[0], a->height, a->width, launch->in[1].shape.size[2]),
        .stride = {x->shape.size[1] * row, a->width * row, row, 1},
    };
}

/* A (B, d, 3, 3) kernel in the workspace. */
static ttt_operand kernel(const ttt_launch *launch, float *data)
{
    const int64_t d = launch->in[1].shape.size[2];
    return (ttt_operand){
        .data = data,
        .dtype = TTT_F32,
        .shape = ttt_dims(launch->in[0].shape.size[0], d, 3, 3),
        .stride = {d * TAPS, TAPS, 3, 1},
    };
}

/* Queries, keys and values of the convolution branch, or their gradients. */
struct branch {
    ttt_operand q, k, v;
};

static struct branch branch_of(const ttt_launch *launch, const ttt_operand *qkv, bool query_is_key)
{
    const int64_t heads = launch->in[1].shape.size[1], d = launch->in[1].shape.size[2], first = 3 * heads * d;
    const ttt_operand k = pictures(launch, qkv, first + d);
    return (struct branch){query_is_key ? k : pictures(launch, qkv, first), k,
                           pictures(launch, qkv, first + 2 * d)};
}

static ttt_launch launch_of(const ttt_launch *launch, const ttt_operand *in, int n_in, const ttt_operand *out,
                            const struct ttt_conv3x3_attributes *attributes, void *workspace)
{
    return (ttt_launch){in, out, n_in, 1, attributes, workspace, NULL, launch->device, launch->threads};
}

/* result (B, d, 3, 3) = sums over tokens of y and its neighbours in x. */
static ttt_status correlate(const ttt_launch *launch, ttt_operand x, ttt_operand y, ttt_operand result,
                            float *workspace)
{
    const ttt_operand in[] = {x, y}, out[] = {result};
    const ttt_launch inner = launch_of(launch, in, 2, out, NULL, workspace);
    return ttt_conv3x3_kernel_gradient_cpu.run(&inner);
}

static ttt_status convolve(const ttt_launch *launch, ttt_operand x, ttt_operand w, bool flipped,
                           ttt_operand y, float *workspace)
{
    const ttt_operand in[] = {x, w, {0}}, out[] = {y};
    const struct ttt_conv3x3_attributes attributes = {.flipped = flipped};
    const ttt_launch inner = launch_of(launch, in, 3, out, &attributes, workspace);
    return y.data ? ttt_conv3x3_cpu.run(&inner) : TTT_OK;
}

static struct places places_of(const ttt_launch *launch, bool backward)
{
    const int64_t batch = launch->in[0].shape.size[0], d = launch->in[1].shape.size[2],
                  kernels = rounded(batch * d * TAPS);
    const struct branch b = branch_of(launch, &launch->in[0], false);
    const ttt_operand in[] = {b.q, kernel(launch, NULL), {0}}, pair[] = {b.k, b.v};
    const ttt_launch convolution = launch_of(launch, in, 3, NULL, NULL, NULL),
                     correlation = launch_of(launch, pair, 2, NULL, NULL, NULL);
    const size_t one = ttt_conv3x3_cpu.workspace(&convolution),
                 other = ttt_conv3x3_kernel_gradient_cpu.workspace(&correlation);
    struct places p = {.room =
                           rounded(glu_room(launch)) + (backward ? rounded(glu_backward_room(launch)) : 0)};
    p.step = p.rooms + launch->threads * p.room;
    p.moved = p.step + kernels;
    p.dw3 = p.moved + kernels;
    p.dw = p.dw3 + (backward ? kernels : 0);
    p.convolution = p.dw + (backward ? rounded(2 * batch * ttt_operand_elements(&launch->in[1])) : 0);
    p.end = p.convolution + rounded((int64_t)((one > other ? one : other) / sizeof(float)));
    return p;
}

static float scale_of(const ttt_launch *launch)
{
    return 1.0f / 3 / (float)launch->in[0].shape.size[1];
}
static float rate_of(const ttt_launch *launch)
{
    const struct ttt_vittt_inner_attributes *a = launch->attributes;
    return a->switches.ascent ? -scale_of(launch) : scale_of(launch);
}

static float norm_of(const float *r, float scale)
{
    float square = 0;
    for (int s = 0; s < TAPS; s++)
        square += r[s] * r[s];
    return scale * sqrtf(square);
}

/* w3' of each sample from r. */
static void move(const ttt_launch *launch, const float *step, float *moved)
{
    const int64_t batch = launch->in[0].shape.size[0], d = launch->in[1].shape.size[2];
    const float *w = launch->in[3].data;
    const float scale = scale_of(launch), rate = rate_of(launch);
    for (int64_t i = 0; i < batch * d; i++) {
        const float factor = rate / (norm_of(step + i * TAPS, scale) + 1);
        for (int s = 0; s < TAPS; s++)
            moved[i * TAPS + s] = w[i % d * TAPS + s] + factor * step[i * TAPS + s];
    }
}

/* dr from dw3', in the place of r. */
static void move_back(const ttt_launch *launch, const float *dw, float *step)
{
    const int64_t batch = launch->in[0].shape.size[0], d = launch->in[1].shape.size[2];
    const float scale = scale_of(launch), rate = rate_of(launch);
    for (int64_t i = 0; i < batch * d; i++) {
        float *r = step + i * TAPS, dot = 0;
        const float n = norm_of(r, scale);
        for (int s = 0; s < TAPS; s++)
            dot += r[s] * dw[i * TAPS + s];
        const float along = n > 0 ? dot * scale * scale / (n * (n + 1)) : 0;
        for (int s = 0; s < TAPS; s++)
            r[s] = rate / (n + 1) * (dw[i * TAPS + s] - along * r[s]);
    }
}

/* Head i of the batch, sample by sample, in the thread's room; its products, `products` of each weight, ask
 * for what the next one reads. */
static struct glu_head head_at(const ttt_launch *launch, const struct places *p, int64_t i,
                               ttt_panel_ahead *ahead, int64_t products)
{
    const struct ttt_vittt_inner_attributes *a = launch->attributes;
    const int64_t heads = a->heads, all = heads * launch->in[0].shape.size[0];
    float *room = (float *)launch->workspace + p->rooms + omp_get_thread_num() * p->room;
    struct glu_head head = glu_open(launch, i / heads, i % heads, room, ahead);
    const int64_t step = (i + 1) % heads ? head.d : head.tokens * head.row - (heads - 1) * head.d;
    if (i + 1 == all)
        return head;
    glu_ask(&head, head.k + step, head.row, products);
    glu_ask(&head, head.v + step, head.row, products);
    if (!a->switches.query_is_key)
        glu_ask(&head, head.q + step, head.row, products);
    return head;
}

static void head_forward(const ttt_launch *launch, const struct places *p, int64_t i)
{
    ttt_panel_ahead ahead[GLU_AHEAD];
    struct glu_head head = head_at(launch, p, i, ahead, FORWARD);
    const int64_t heads = launch->in[1].shape.size[1], row = (heads + 1) * head.d;
    float *y = (float *)launch->out[0].data + i / heads * head.tokens * row + i % heads * head.d;
    glu_ask(&head, y, row, BEFORE_READING);
    glu_step(&head, NULL);
    glu_read(&head, y, row);
}

static ttt_status run_forward(const ttt_launch *launch)
{
    const struct ttt_vittt_inner_attributes *a = launch->attributes;
    const struct places p = places_of(launch, false);
    const int64_t heads = a->heads, d = launch->in[1].shape.size[2];
    float *work = launch->workspace;
#pragma omp parallel for num_threads(launch->threads) schedule(static)
    for (int64_t i = 0; i < launch->in[0].shape.size[0] * heads; i++)
        head_forward(launch, &p, i);

    const struct branch c = branch_of(launch, &launch->in[0], a->switches.query_is_key);
    TRY(correlate(launch, c.k, c.v, kernel(launch, work + p.step), work + p.convolution));
    move(launch, work + p.step, work + p.moved);
    return convolve(launch, c.q, kernel(launch, work + p.moved), false,
                    pictures(launch, &launch->out[0], heads * d), work + p.convolution);
}

static size_t forward_workspace(const ttt_launch *launch)
{
    return (size_t)places_of(launch, false).end * sizeof(float);
}

const ttt_implementation ttt_vittt_inner_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_contiguous_f32,
    .workspace = forward_workspace,
    .run = run_forward,
};

/* The gated branch's gradients of one head, of q, k and v into dqkv and of the weights into dw. */
static void head_back(const ttt_launch *launch, const struct places *p, int64_t i)
{
    ttt_panel_ahead ahead[GLU_AHEAD];
    struct glu_head head = head_at(launch, p, i, ahead, BACKWARD);
    const int64_t heads = launch->in[1].shape.size[1], d = head.d, dy_row = (heads + 1) * d;
    const int64_t sample = i / heads * head.tokens, column = i % heads * d;
    float *work = launch->workspace, *dw = work + p->dw + i * 2 * d * d, *dqkv = launch->out[0].data;
    const struct glu_gradients to = {
        .dy = (const float *)launch->in[4].data + sample * dy_row + column,
        .dy_row = dy_row,
        .dq = dqkv ? dqkv + sample * head.row + column : NULL,
        .dk = dqkv ? dqkv + sample * head.row + heads * d + column : NULL,
        .dv = dqkv ? dqkv + sample * head.row + 2 * heads * d + column : NULL,
        .dw = {dw, dw + d * d},
    };
    glu_ask(&head, to.dy, dy_row, BEFORE_READING);
    if (to.dv)
        glu_ask(&head, to.dv, head.row, BEFORE_KEYS);
    glu_backward(&head, &to, work + p->rooms + omp_get_thread_num() * p->room + rounded(glu_room(launch)));
}

static ttt_status convolution_back(const ttt_launch *launch, const struct places *p)
{
    const struct ttt_vittt_inner_attributes *a = launch->attributes;
    const int64_t heads = a->heads, d = launch->in[1].shape.size[2];
    float *work = launch->workspace, *room = work + p->convolution;
    const struct branch c = branch_of(launch, &launch->in[0], a->switches.query_is_key),
                        to = branch_of(launch, &launch->out[0], false);
    const ttt_operand dy = pictures(launch, &launch->in[4], heads * d), step = kernel(launch, work + p->step),
                      moved = kernel(launch, work + p->moved), dw3 = kernel(launch, work + p->dw3);
    TRY(correlate(launch, c.k, c.v, step, room));
    move(launch, step.data, moved.data);
    TRY(correlate(launch, c.q, dy, dw3, room));
    TRY(convolve(launch, dy, moved, true, to.q, room));
    move_back(launch, dw3.data, step.data);
    TRY(convolve(launch, c.v, step, true, to.k, room));
    return convolve(launch, c.k, step, false, to.v, room);
}

/* out = the sum of `count` parts, `stride` apart. */
static void sum_parts(const float *parts, int64_t count, int64_t stride, const ttt_operand *out)
{
    float *sum = out->data;
    const int64_t n = ttt_operand_elements(out);
    for (int64_t b = 0; b < count && sum; b++)
        for (int64_t i = 0; i < n; i++)
            sum[i] = parts[b * stride + i] + (b ? sum[i] : 0);
}

/* dw1 and dw2 of one head, summed over samples. */
static void sum_head(const ttt_launch *launch, const float *dw, int64_t h)
{
    const struct ttt_vittt_inner_attributes *a = launch->attributes;
    const int64_t batch = launch->in[0].shape.size[0], heads = a->heads, d = launch->in[1].shape.size[2];
    for (int i = 0; i < 2; i++) {
        ttt_operand of_head = launch->out[1 + i];
        of_head.shape = ttt_dims(d, d);
        of_head.data = of_head.data ? (float *)of_head.data + h * d * d : NULL;
        if (i == 1 && a->switches.linear && of_head.data)
            memset(of_head.data, 0, (size_t)(d * d) * sizeof(float));
        else
            sum_parts(dw + (2 * h + i) * d * d, batch, 2 * heads * d * d, &of_head);
    }
}

/* Where queries are keys, what went to dq belongs to dk: `count` of each, `distance` apart. */
static void add_queries_to_keys(float *dq, int64_t count, int64_t distance)
{
    for (int64_t i = 0; i < count; i++) {
        dq[distance + i] += dq[i];
        dq[i] = 0;
    }
}

static ttt_status run_backward(const ttt_launch *launch)
{
    const struct ttt_vittt_inner_attributes *a = launch->attributes;
    const struct places p = places_of(launch, true);
    const int64_t batch = launch->in[0].shape.size[0], tokens = launch->in[0].shape.size[1],
                  row = launch->in[0].shape.size[2], heads = a->heads, d = launch->in[1].shape.size[2];
    const float *work = launch->workspace;
    float *dqkv = launch->out[0].data;
#pragma omp parallel for num_threads(launch->threads) schedule(static)
    for (int64_t i = 0; i < batch * heads; i++)
        head_back(launch, &p, i);
    TRY(convolution_back(launch, &p));
#pragma omp parallel for num_threads(launch->threads) schedule(static)
    for (int64_t h = 0; h < heads; h++)
        sum_head(launch, work + p.dw, h);
    sum_parts(work + p.dw3, batch, d * TAPS, &launch->out[3]);
    for (int64_t t = 0; t < batch * tokens && dqkv && a->switches.query_is_key; t++) {
        add_queries_to_keys(dqkv + t * row, heads * d, heads * d);
        add_queries_to_keys(dqkv + t * row + 3 * heads * d, d, d);
    }
    return TTT_OK;
}

static size_t backward_workspace(const ttt_launch *launch)
{
    return (size_t)places_of(launch, true).end * sizeof(float);
}

const ttt_implementation ttt_vittt_inner_backward_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_contiguous_f32,
    .workspace = backward_workspace,
    .run = run_backward,
};
