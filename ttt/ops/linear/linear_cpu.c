/* The row "cpu" of linear: our own kernel over packed weights.
 *
 * The weights are packed once into panels, depth block after depth block.  A task takes a block of rows,
 * which stays in the second-level cache, through all panels; a panel of the block's results gets its
 * activation before the next one is begun.  Results are bit-identical for any number of threads (panel.h).
 */
#include "ttt/ops/linear/linear_rows.h"
#include "ttt/ops/matmul/panel.h"

enum {
    MOST_DEPTH = 384, /* of a panel, for the first-level cache */
    BLOCK_ROWS = 192, /* of x, for the second-level cache */
    TASKS_PER_THREAD = 2,
};

struct layer {
    int64_t rows, in, out, panels;
    int64_t depth; /* of all depth blocks but the last */
    const float *x, *weight, *bias;
    int64_t x_row;
    float *packed;
    float *y, *sums; /* sums: where the values before the activation go; y itself when nobody reads them */
    ttt_activation activation;
};

static struct layer layer_of(const ttt_launch *launch)
{
    const struct ttt_linear_attributes *attributes = launch->attributes;
    const ttt_operand *x = &launch->in[0], *weight = &launch->in[1];
    struct layer layer = {
        .rows = x->shape.size[0],
        .in = x->shape.size[1],
        .out = weight->shape.size[0],
        .x = x->data,
        .x_row = x->stride[0],
        .weight = weight->data,
        .bias = launch->in[2].data,
        .packed = launch->workspace,
        .y = launch->out[0].data,
        .activation = attributes->activation,
    };
    bool keeps_sums = launch->n_out > 1 && launch->out[1].data;
    layer.sums = keeps_sums ? launch->out[1].data : layer.y;
    layer.panels = (layer.out + TTT_PANEL_WIDTH - 1) / TTT_PANEL_WIDTH;
    int64_t blocks = (layer.in + MOST_DEPTH - 1) / MOST_DEPTH;
    layer.depth = ((layer.in + blocks - 1) / blocks + 7) / 8 * 8;
    return layer;
}

static int64_t depth_from(const struct layer *layer, int64_t k)
{
    return layer->in - k < layer->depth ? layer->in - k : layer->depth;
}

static int64_t width_of(const struct layer *layer, int64_t panel)
{
    int64_t left = layer->out - panel * TTT_PANEL_WIDTH;
    return left < TTT_PANEL_WIDTH ? left : TTT_PANEL_WIDTH;
}

/* Panel `panel` of the depth block that begins at k. */
static float *packed_panel(const struct layer *layer, int64_t k, int64_t panel)
{
    return layer->packed + (k * layer->panels + panel * depth_from(layer, k)) * TTT_PANEL_WIDTH;
}

static void pack(const struct layer *layer, int64_t panel)
{
    for (int64_t k = 0; k < layer->in; k += layer->depth)
        ttt_panel_pack(depth_from(layer, k), width_of(layer, panel),
                       layer->weight + panel * TTT_PANEL_WIDTH * layer->in + k, 1, layer->in,
                       packed_panel(layer, k, panel));
}

/* Rows `first` to `first` + rows, panels `panel` to `end`. */
static void multiply_block(const struct layer *layer, int64_t first, int64_t rows, int64_t panel, int64_t end)
{
    for (int64_t k = 0; k < layer->in; k += layer->depth) {
        for (int64_t j = panel; j < end; j++) {
            int64_t at = first * layer->out + j * TTT_PANEL_WIDTH, width = width_of(layer, j);
            ttt_panel_multiply(&(ttt_panel_product){
                .rows = rows,
                .depth = depth_from(layer, k),
                .width = width,
                .a = layer->x + first * layer->x_row + k,
                .a_row = layer->x_row,
                .a_column = 1,
                .panel = packed_panel(layer, k, j),
                .panel_row = TTT_PANEL_WIDTH,
                .c = layer->sums + at,
                .c_row = layer->out,
                .start = layer->bias ? layer->bias + j * TTT_PANEL_WIDTH : NULL,
                .add = k > 0,
            });
            if (k + layer->depth >= layer->in)
                ttt_linear_activate(layer->activation, rows, width, layer->sums + at, layer->y + at,
                                    layer->out);
        }
    }
}

static size_t cpu_workspace(const ttt_launch *launch)
{
    struct layer layer = layer_of(launch);
    return (size_t)(layer.in * layer.panels * TTT_PANEL_WIDTH) * sizeof(float);
}

static ttt_status cpu_run(const ttt_launch *launch)
{
    const struct layer layer = layer_of(launch);
    const int64_t tiles = (layer.rows + TTT_PANEL_ROWS - 1) / TTT_PANEL_ROWS, threads = launch->threads;
    int64_t down = (layer.rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    down = (down + threads - 1) / threads * threads;
    down = down > tiles ? tiles : down;
    int64_t across = down >= threads ? 1 : (TASKS_PER_THREAD * threads + down - 1) / down;
    across = across > layer.panels ? layer.panels : across;
#pragma omp parallel num_threads(launch->threads)
    {
#pragma omp for schedule(static)
        for (int64_t panel = 0; panel < layer.panels; panel++)
            pack(&layer, panel);
#pragma omp for schedule(static)
        for (int64_t task = 0; task < down * across; task++) {
            int64_t i = task / across, j = task % across;
            int64_t first = tiles * i / down * TTT_PANEL_ROWS, end = tiles * (i + 1) / down * TTT_PANEL_ROWS;
            multiply_block(&layer, first, (end > layer.rows ? layer.rows : end) - first,
                           layer.panels * j / across, layer.panels * (j + 1) / across);
        }
    }
    return TTT_OK;
}

const ttt_implementation ttt_linear_cpu = {
    .name = "cpu",
    .device = TTT_CPU,
    .supports = ttt_all_f32,
    .workspace = cpu_workspace,
    .run = cpu_run,
};
