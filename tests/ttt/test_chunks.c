/* Chunks: the recurrent and the parallel form against each other, values and gradients; what has no parallel
 * form. */
#include "ttt/fast/chunks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/check.h"
#include "tests/ttt/lact_world.h"
#include "ttt/graph/operator.h"
#include "ttt/ops/concat/concat.h"

enum { BATCH = 2, HEADS = 2, D = 4, HIDDEN = 6 };

enum { Q, K, V, RATE0, RATE1, RATE2, MOMENTUM, W0, W1, W2, INPUTS };

static const char *const names[] = {
    [Q] = "q",         [K] = "k",   [V] = "v",   [RATE0] = "rate0", [RATE1] = "rate1",
    [RATE2] = "rate2", [W0] = "w0", [W1] = "w1", [W2] = "w2",       [MOMENTUM] = "momentum"};

struct sequence {
    struct graph_fixture f;
    ttt_lact_options options;
    int64_t length, chunk;
    ttt_tensor in[INPUTS];
};

static int64_t chunks_in(int64_t length, int64_t chunk)
{
    return (length + chunk - 1) / chunk;
}

static void sequence_open(struct sequence *s, const ttt_lact_options *options, int64_t length, int64_t chunk)
{
    *s = (struct sequence){.options = *options, .length = length, .chunk = chunk};
    graph_fixture_open(&s->f);
    const int64_t m = options->variant.kernel == TTT_KERNEL_LINEAR ? D : HIDDEN;
    const ttt_shape tokens = ttt_dims(BATCH, HEADS, length, D), rates = ttt_dims(BATCH, HEADS, length, 1);
    /* Momentum is shared by the heads, fast weights by the samples: both broadcast. */
    const ttt_shape shapes[] = {[Q] = tokens,
                                [K] = tokens,
                                [V] = tokens,
                                [RATE0] = rates,
                                [RATE1] = rates,
                                [RATE2] = rates,
                                [MOMENTUM] = ttt_dims(BATCH, 1, chunks_in(length, chunk)),
                                [W0] = ttt_dims(1, HEADS, D, m),
                                [W1] = ttt_dims(1, HEADS, m, D),
                                [W2] = ttt_dims(1, HEADS, D, m)};
    for (int i = 0; i < INPUTS; i++)
        s->in[i] = graph_fixture_input(&s->f, names[i], shapes[i]);
}

/* Tokens start ... start + length - 1. */
static ttt_lact_tokens tokens_of(struct sequence *s, int64_t start, int64_t length)
{
    ttt_tensor part[RATE2 + 1];
    for (int i = 0; i <= RATE2; i++)
        part[i] = ttt_slice(s->f.graph, s->in[i], 2, start, length);
    return (ttt_lact_tokens){part[Q], part[K], part[V], {part[RATE0], part[RATE1], part[RATE2]}};
}

typedef ttt_tensor chunks_form(ttt_graph *g, const ttt_lact_options *options, ttt_lact_fast *fast,
                               const ttt_lact_tokens *tokens, int64_t chunk, ttt_tensor momentum);

/* Outputs "FORM y", "FORM w1", and gradients of sums of squares of both, "FORM k". */
static void add_outputs(struct sequence *s, const char *form, ttt_tensor y, const ttt_lact_fast *fast)
{
    ttt_graph *g = s->f.graph;
    char name[64];
    ttt_tensor gradients[INPUTS];
    snprintf(name, sizeof name, "%s y", form);
    ttt_output(g, name, y);
    snprintf(name, sizeof name, "%s w1", form);
    ttt_output(g, name, fast->w[1]);
    ttt_gradient_from(g, y, s->in[V], s->in, INPUTS, gradients);
    for (int i = 0; i < INPUTS; i++) {
        snprintf(name, sizeof name, "%s gradient of %s", form, names[i]);
        if (ttt_exists(gradients[i]))
            ttt_output(g, name, gradients[i]);
    }
    check_ok(ttt_graph_status(g));
}

static void add_form(struct sequence *s, const char *name, chunks_form *form)
{
    ttt_lact_fast fast = ttt_lact_start(s->f.graph, &s->options, &s->in[W0]);
    const ttt_lact_tokens tokens = tokens_of(s, 0, s->length);
    ttt_tensor y = form(s->f.graph, &s->options, &fast, &tokens, s->chunk, s->in[MOMENTUM]);
    add_outputs(s, name, y, &fast);
}

/* The same in two calls, the second going on where the first, of `chunks` chunks, stopped. */
static void add_halves(struct sequence *s, const char *name, chunks_form *form, int64_t chunks)
{
    ttt_graph *g = s->f.graph;
    ttt_lact_fast fast = ttt_lact_start(g, &s->options, &s->in[W0]);
    const int64_t first = chunks * s->chunk, all = chunks_in(s->length, s->chunk);
    const ttt_lact_tokens parts[] = {tokens_of(s, 0, first), tokens_of(s, first, s->length - first)};
    ttt_tensor y[2], momentum = s->in[MOMENTUM];
    y[0] = form(g, &s->options, &fast, &parts[0], s->chunk, ttt_slice(g, momentum, 2, 0, chunks));
    y[1] = form(g, &s->options, &fast, &parts[1], s->chunk, ttt_slice(g, momentum, 2, chunks, all - chunks));
    add_outputs(s, name, ttt_concat(g, y, 2, 2), &fast);
}

static void run_sequence(struct sequence *s)
{
    ttt_dtype dtype;
    ttt_shape shape;
    graph_fixture_plan(&s->f, NULL);
    for (int i = 0; i < INPUTS; i++) {
        if (!ttt_plan_describe(s->f.plan, names[i], &dtype, &shape))
            continue;
        float *values = lact_world_fill(&s->f, names[i], 0.5, (uint64_t)i);
        const int64_t count = ttt_shape_elements(shape);
        for (int64_t k = 0; k < count && i == MOMENTUM; k++)
            values[k] = k % 5 == 3 ? 0 : fabsf(values[k]); /* a factor of 0 forgets what was before */
        graph_fixture_write(&s->f, names[i], values);
        free(values);
    }
    graph_fixture_run(&s->f);
}

static void expect_zeros(struct sequence *s, const char *output, int64_t count)
{
    float *values = check_alloc((size_t)count, sizeof *values);
    graph_fixture_read(&s->f, output, values, count);
    for (int64_t i = 0; i < count; i++)
        assert_true(values[i] == 0);
    free(values);
}

/* Compares every output of form `a` with that of `b`: at least `least` gradients, the others of `a` being 0.
 */
static void compare_forms(struct sequence *s, const char *a, const char *b, int least)
{
    char x[64], y[64];
    ttt_dtype dtype;
    ttt_shape shape;
    int compared = 0;
    snprintf(x, sizeof x, "%s y", a);
    snprintf(y, sizeof y, "%s y", b);
    lact_world_compare(&s->f, x, y, tolerance_of(COMPOSED, TTT_F32));
    snprintf(x, sizeof x, "%s w1", a);
    snprintf(y, sizeof y, "%s w1", b);
    lact_world_compare(&s->f, x, y, tolerance_of(COMPOSED, TTT_F32));
    for (int i = 0; i < INPUTS; i++) {
        snprintf(x, sizeof x, "%s gradient of %s", a, names[i]);
        snprintf(y, sizeof y, "%s gradient of %s", b, names[i]);
        if (!ttt_plan_describe(s->f.plan, x, &dtype, &shape))
            continue;
        if (ttt_plan_describe(s->f.plan, y, &dtype, &shape)) {
            lact_world_compare(&s->f, x, y, tolerance_of(COMPOSED_GRADIENT, TTT_F32));
            compared++;
        } else {
            expect_zeros(s, x, ttt_shape_elements(shape));
        }
    }
    assert_true(compared >= least);
}

static ttt_lact_options options_of(const char *name)
{
    ttt_lact_options options = {.muon_steps = 5};
    check_ok(ttt_variant_named(name, &options.variant));
    return options;
}

/* Variants with a parallel form: the named ones, and points between them. */
static ttt_lact_options parallel_options(int i)
{
    static const char *const named[] = {"variant2", "variant3", "variant4", "variant5", "variant6"};
    if (i < 5)
        return options_of(named[i]);
    ttt_lact_options options = options_of("variant2");
    options.variant.direction = TTT_ASCENT;
    options.variant.query = TTT_QUERY_K;
    options.variant.condition_gradient = i == 5; /* momentum without Newton-Schulz is the other */
    if (i == 7) {
        options.variant.kernel = TTT_KERNEL_LINEAR;
        options.variant.update = TTT_UPDATE_ALL;
    }
    return options;
}

enum { PARALLEL_OPTIONS = 8 };

static void forms_agree(void **state)
{
    (void)state;
    static const int64_t sizes[][2] = {{1, 1}, {5, 5}, {3, 8}, {12, 4}, {13, 4}, {15, 3}, {140, 2}};
    for (int i = 0; i < PARALLEL_OPTIONS; i++) {
        const ttt_lact_options options = parallel_options(i);
        assert_null(ttt_chunks_obstacle(&options.variant));
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            struct sequence s;
            sequence_open(&s, &options, sizes[k][0], sizes[k][1]);
            add_form(&s, "recurrent", ttt_chunks_recurrent);
            add_form(&s, "parallel", ttt_chunks_parallel);
            run_sequence(&s);
            /* One chunk is only read: neither keys nor values move anything that is read later. */
            compare_forms(&s, "parallel", "recurrent", chunks_in(sizes[k][0], sizes[k][1]) > 1 ? 4 : 0);
            graph_fixture_close(&s.f);
        }
    }
}

static void sequences_go_on(void **state)
{
    (void)state;
    static const char *const variants[] = {"baseline", "variant2", "variant4", "variant6"};
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        for (int64_t chunks = 1; chunks <= 4; chunks += 3) {
            const ttt_lact_options options = options_of(variants[i]);
            struct sequence s;
            sequence_open(&s, &options, 14, 3); /* 5 chunks, the last one of 2 tokens */
            add_form(&s, "recurrent", ttt_chunks_recurrent);
            add_halves(&s, "recurrent halves", ttt_chunks_recurrent, chunks);
            const bool parallel = !ttt_chunks_obstacle(&options.variant);
            if (parallel)
                add_halves(&s, "parallel halves", ttt_chunks_parallel, chunks);
            run_sequence(&s);
            compare_forms(&s, "recurrent halves", "recurrent", 4);
            if (parallel)
                compare_forms(&s, "parallel halves", "recurrent", 4);
            graph_fixture_close(&s.f);
        }
}

/* No gradient of a chunk may reach what was read before it. */
static void later_tokens_do_not_matter(void **state)
{
    (void)state;
    enum { LENGTH = 10, CHUNK = 3, SEEN = 6 };
    static chunks_form *const forms[] = {ttt_chunks_recurrent, ttt_chunks_parallel};
    for (int form = 0; form < 2; form++) {
        const ttt_lact_options options = options_of("variant2");
        struct sequence s;
        ttt_tensor gradient;
        static float values[BATCH * HEADS * LENGTH * D];
        sequence_open(&s, &options, LENGTH, CHUNK);
        ttt_lact_fast fast = ttt_lact_start(s.f.graph, &options, &s.in[W0]);
        const ttt_lact_tokens tokens = tokens_of(&s, 0, LENGTH);
        ttt_tensor y = forms[form](s.f.graph, &options, &fast, &tokens, CHUNK, s.in[MOMENTUM]);
        y = ttt_slice(s.f.graph, y, 2, 0, SEEN);
        ttt_gradient_from(s.f.graph, y, ttt_slice(s.f.graph, s.in[V], 2, 0, SEEN), &s.in[K], 1, &gradient);
        ttt_output(s.f.graph, "gradient", gradient);
        run_sequence(&s);
        graph_fixture_read(&s.f, "gradient", values, BATCH * HEADS * LENGTH * D);
        for (int i = 0; i < BATCH * HEADS * LENGTH * D; i++) {
            const int token = i / D % LENGTH;
            if (token < CHUNK)
                assert_true(values[i] != 0);
            else
                assert_true(values[i] == 0);
        }
        graph_fixture_close(&s.f);
    }
}

static void check_obstacle(ttt_lact_options options, const char *name)
{
    struct sequence s;
    sequence_open(&s, &options, 6, 3);
    ttt_lact_fast fast = ttt_lact_start(s.f.graph, &options, &s.in[W0]);
    const ttt_lact_tokens tokens = tokens_of(&s, 0, 6);
    assert_false(ttt_valid(ttt_chunks_parallel(s.f.graph, &options, &fast, &tokens, 3, s.in[MOMENTUM])));
    check_error(ttt_graph_status(s.f.graph), TTT_UNSUPPORTED, name);
    graph_fixture_close(&s.f);
}

static void variants_without_a_parallel_form_are_named(void **state)
{
    (void)state;
    ttt_lact_options steps = options_of("variant2"), mse = options_of("variant3");
    steps.variant.inner_steps = 2;
    mse.variant.loss = TTT_LOSS_MSE;
    check_obstacle(options_of("baseline"), "update 'all'");
    check_obstacle(options_of("variant1"), "weight_norm");
    check_obstacle(mse, "loss 'mse'");
    check_obstacle(steps, "inner_steps");
}

static void misfits_are_refused(void **state)
{
    (void)state;
    static chunks_form *const forms[] = {ttt_chunks_recurrent, ttt_chunks_parallel};
    for (int i = 0; i < 4; i++) {
        const ttt_lact_options options = options_of("variant2");
        struct sequence s;
        sequence_open(&s, &options, 7, 3);
        ttt_lact_fast fast = ttt_lact_start(s.f.graph, &options, &s.in[W0]);
        ttt_lact_tokens tokens = tokens_of(&s, 0, 7);
        if (i / 2)
            tokens.v = ttt_slice(s.f.graph, tokens.v, 2, 0, 6);
        ttt_tensor y = forms[i % 2](s.f.graph, &options, &fast, &tokens, i / 2 ? 3 : 2, s.in[MOMENTUM]);
        assert_false(ttt_valid(y));
        check_error(ttt_graph_status(s.f.graph), TTT_SHAPE, i / 2 ? "(2, 2, 6, 4)" : "(2, 1, 3)");
        graph_fixture_close(&s.f);
    }
}

static void decay_is_the_product_of_factors(void **state)
{
    (void)state;
    enum { MOST = 9 };
    for (int count = 1; count <= MOST; count++) {
        struct graph_fixture f;
        float beta[MOST] = {0.5F, 2, 0.25F, 0, 3, -1, 0.5F, 4, 2}, expected[MOST * MOST];
        graph_fixture_open(&f);
        ttt_tensor x = graph_fixture_input(&f, "beta", ttt_dims(1, 1, count));
        ttt_output(f.graph, "read", x);
        ttt_output(f.graph, "decay", ttt_chunks_decay(f.graph, x));
        graph_fixture_plan(&f, NULL);
        graph_fixture_write(&f, "beta", beta);
        graph_fixture_run(&f);
        for (int c = 0; c < count; c++)
            for (int j = 0; j < count; j++) {
                expected[c * count + j] = j <= c;
                for (int i = j + 1; i <= c; i++)
                    expected[c * count + j] *= beta[i];
            }
        graph_fixture_expect(&f, "decay", expected, count * count);
        graph_fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_agree),
        cmocka_unit_test(sequences_go_on),
        cmocka_unit_test(later_tokens_do_not_matter),
        cmocka_unit_test(variants_without_a_parallel_form_are_named),
        cmocka_unit_test(misfits_are_refused),
        cmocka_unit_test(decay_is_the_product_of_factors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
