/* The parts of the LaCT-NVS model, which its passes are made of. */
#ifndef VISION_LACT_NVS_BUILDER_H
#define VISION_LACT_NVS_BUILDER_H

#include "ttt/fast/lact.h"
#include "vision/lact_nvs.h"

enum { LACT_FAST_WEIGHTS = 3 };

/* What every part of the model needs to know while it is built. */
struct lact_nvs_builder {
    ttt_graph *g;
    const struct lact_nvs_config *config;
    struct parameter *parameters;
    int count;
    const char *prefix;
    ttt_lact_options lact;
    int64_t rows, columns; /* patches of a view */
};

/* Fills in *b; false when the graph has failed for want of memory or a sound config.  The caller closes it.
 */
bool lact_nvs_open(struct lact_nvs_builder *b, ttt_graph *g, const struct lact_nvs_config *config,
                   const char *prefix);
void lact_nvs_close(struct lact_nvs_builder *b);

/* Nodes between the two are called "blocks.BLOCK. ...". */
void lact_nvs_push_block(const struct lact_nvs_builder *b, int block);
void lact_nvs_pop_block(const struct lact_nvs_builder *b);

/* Views to tokens (B, V, patches, D), and tokens to pictures (B, V, 3, h, w). */
ttt_tensor lact_nvs_tokens(const struct lact_nvs_builder *b, const struct lact_nvs_views *views);
ttt_tensor lact_nvs_pictures(const struct lact_nvs_builder *b, ttt_tensor x);

/* x (B, V, patches, D) + softmax attention among the patches of each view; x + the block's last layers. */
ttt_tensor lact_nvs_add_attention(const struct lact_nvs_builder *b, int block, ttt_tensor x);
ttt_tensor lact_nvs_add_mlp(const struct lact_nvs_builder *b, int block, ttt_tensor x);

/* The block's fast-weight layer, and its keys, values and rates of tokens x (B, V, patches, D): made anew
 * wherever they are needed rather than kept. */
ttt_lact_weights lact_nvs_fast_layer(const struct lact_nvs_builder *b, int block);
ttt_lact_tokens lact_nvs_project(const struct lact_nvs_builder *b, int block, const ttt_lact_weights *weights,
                                 ttt_tensor x);

/* (B, V, patches, D) seen as (B, L, D), after the layer norm in front of the fast weights or as it is. */
ttt_tensor lact_nvs_sequence(ttt_graph *g, ttt_tensor x);
ttt_tensor lact_nvs_fast_norm(const struct lact_nvs_builder *b, int block, ttt_tensor x);

/* The variable that holds fast weight i of a block between reconstruction and rendering. */
ttt_tensor lact_nvs_state(const struct lact_nvs_builder *b, int block, int i, int64_t batch);

#endif
