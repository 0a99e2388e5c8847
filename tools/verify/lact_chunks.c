/* Kind lact_chunks: fast weights along chunks, read before write, in the recurrent form, and once more in the
 * parallel form where the variant has one; gradients are those of sum(out.y * in.cotangent). */
#include "ttt/fast/chunks.h"

#include <stdio.h>
#include <stdlib.h>

#include "tools/verify/computation.h"
#include "tools/verify/kind.h"

enum { SIZE_MAX_READ = 65536 };

enum chunks_input { Q, K, V, LR0, LR1, LR2, MOMENTUM, W0, W1, W2, INPUT_COUNT };

static const char *const names[] = {
    [Q] = "q",     [K] = "k",   [V] = "v",   [LR0] = "lr0", [LR1] = "lr1",
    [LR2] = "lr2", [W0] = "w0", [W1] = "w1", [W2] = "w2",   [MOMENTUM] = "momentum"};

struct chunks {
    int batch_heads, count, chunk, d, hidden;
    ttt_lact_options options;
};

static ttt_status read_chunks(const struct fixture *fixture, struct chunks *chunks)
{
    *chunks = (struct chunks){.options.muon_steps = 5}; /* as the reference has it */
    TRY(fixture_whole(fixture, "shape", "batch_heads", 1, SIZE_MAX_READ, &chunks->batch_heads));
    TRY(fixture_whole(fixture, "shape", "chunks", 1, SIZE_MAX_READ, &chunks->count));
    TRY(fixture_whole(fixture, "shape", "chunk", 1, SIZE_MAX_READ, &chunks->chunk));
    TRY(fixture_whole(fixture, "shape", "d", 1, SIZE_MAX_READ, &chunks->d));
    TRY(fixture_whole(fixture, "shape", "hidden", 1, SIZE_MAX_READ, &chunks->hidden));
    return fixture_variant(fixture, &chunks->options.variant);
}

static ttt_shape shape_of(const struct chunks *chunks, enum chunks_input input)
{
    const int64_t b = chunks->batch_heads, length = (int64_t)chunks->count * chunks->chunk;
    switch (input) {
    case W0:
    case W2:
        return ttt_dims(b, chunks->d, chunks->hidden);
    case W1:
        return ttt_dims(b, chunks->hidden, chunks->d);
    case MOMENTUM:
        return ttt_dims(b, chunks->count, 1);
    case LR0:
    case LR1:
    case LR2:
        return ttt_dims(b, length, 1);
    default:
        return ttt_dims(b, length, chunks->d);
    }
}

/* The file's (b, ...) as (b, 1, ...): one head a sample. */
static ttt_tensor with_head(ttt_graph *g, ttt_tensor x)
{
    const ttt_shape s = ttt_shape_of(g, x);
    return ttt_reshape(g, x, ttt_dims(s.size[0], 1, s.size[1], s.size[2]));
}

static ttt_tensor without_head(ttt_graph *g, ttt_tensor x)
{
    const ttt_shape s = ttt_shape_of(g, x);
    return ttt_reshape(g, x, ttt_dims(s.size[0], s.size[2], s.size[3]));
}

/* The outputs y, w0, w1, w2. */
static void forward(ttt_graph *g, const struct chunks *chunks, bool parallel, const ttt_tensor *in,
                    ttt_tensor out[4])
{
    const ttt_lact_tokens tokens = {
        with_head(g, in[Q]),
        with_head(g, in[K]),
        with_head(g, in[V]),
        {with_head(g, in[LR0]), with_head(g, in[LR1]), with_head(g, in[LR2])},
    };
    const ttt_tensor w[3] = {with_head(g, in[W0]), with_head(g, in[W1]), with_head(g, in[W2])};
    ttt_tensor momentum = ttt_reshape(g, in[MOMENTUM], ttt_dims(chunks->batch_heads, 1, chunks->count));
    ttt_lact_fast fast = ttt_lact_start(g, &chunks->options, w);
    out[0] = (parallel ? ttt_chunks_parallel : ttt_chunks_recurrent)(g, &chunks->options, &fast, &tokens,
                                                                     chunks->chunk, momentum);
    for (int i = 0; i < 3; i++)
        out[1 + i] = without_head(g, fast.w[i]);
    out[0] = without_head(g, out[0]);
}

static ttt_status build(struct computation *c, const struct chunks *chunks, bool parallel)
{
    ttt_tensor in[INPUT_COUNT], gradients[INPUT_COUNT], cotangent, out[4];
    static const char *const outputs[] = {"out.y", "out.w0", "out.w1", "out.w2"};
    for (int i = 0; i < INPUT_COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "in.%s", names[i]);
        TRY(computation_input(c, name, shape_of(chunks, (enum chunks_input)i), &in[i]));
    }
    TRY(computation_input(c, "in.cotangent", shape_of(chunks, Q), &cotangent));
    forward(c->graph, chunks, parallel, in, out);
    ttt_gradient_from(c->graph, out[0], cotangent, in, INPUT_COUNT, gradients);
    TRY(ttt_graph_status(c->graph));
    for (int i = 0; i < 4; i++)
        TRY(computation_output(c, outputs[i], out[i]));
    for (int i = 0; i < INPUT_COUNT; i++)
        TRY(computation_gradient(c, names[i], in[i], gradients[i]));
    return TTT_OK;
}

/* Rows from `first` on are of the parallel form. */
static ttt_status name_rows(struct report *report, int first)
{
    for (int i = first; i < report->count; i++) {
        char *name;
        if (asprintf(&name, "%s, parallel", report->rows[i].name) < 0)
            return ttt_fail(TTT_MEMORY, "out of memory to name '%s'", report->rows[i].name);
        free(report->rows[i].name);
        report->rows[i].name = name;
    }
    return TTT_OK;
}

static ttt_status check_form(const struct fixture *fixture, const struct chunks *chunks, bool parallel,
                             const struct verify_place *place, struct report *report)
{
    struct computation c;
    const int first = report->count;
    TRY(computation_create(fixture, place, &c));
    ttt_status status = TTT_OK;
    if (chunks->options.variant.condition_gradient)
        computation_quantities(&c, ttt_chunks_obstacle(&chunks->options.variant) ? VERIFY_FED_BACK
                                                                                 : VERIFY_CONDITIONED);
    TRY_TO(build(&c, chunks, parallel), cleanup);
    TRY_TO(computation_run(&c), cleanup);
    TRY_TO(computation_report(&c, report), cleanup);
    if (parallel)
        TRY_TO(name_rows(report, first), cleanup);
cleanup:
    computation_destroy(&c);
    return status;
}

ttt_status verify_lact_chunks(const struct fixture *fixture, const struct verify_place *place,
                              struct report *report)
{
    struct chunks chunks;
    TRY(read_chunks(fixture, &chunks));
    TRY(check_form(fixture, &chunks, false, place, report));
    if (ttt_chunks_obstacle(&chunks.options.variant))
        return TTT_OK;
    return check_form(fixture, &chunks, true, place, report);
}
