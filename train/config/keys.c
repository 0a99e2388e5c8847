/* Every key of the configuration, declared once, in the order in which they are written.
 *
 * Defaults are those of the published ViTTT recipe (ImageNet-1K, 224 pixels) where it has an opinion.
 */
#include <limits.h>
#include <math.h>

#include "train/config/config.h"
#include "train/config/key.h"

#define AT(field) offsetof(struct run_config, field)
#define LACT(field) offsetof(struct run_config, model.lact.field)
#define SWITCH(field) offsetof(struct run_config, model.vittt.variant.field)

static const char by_name[] = "that of model.name", by_variant[] = "that of model.ttt.variant";

static const struct config_choice tasks[] = {{"classify", TASK_CLASSIFY}, {"views", TASK_VIEWS}, {NULL, 0}};
static const struct config_choice dtypes[] = {{"f32", TTT_F32}, {"bf16", TTT_BF16}, {NULL, 0}};
static const struct config_choice updates[] = {{"all", TTT_UPDATE_ALL}, {"last", TTT_UPDATE_LAST}, {NULL, 0}};
static const struct config_choice kernels[] = {
    {"swiglu", TTT_KERNEL_SWIGLU}, {"linear", TTT_KERNEL_LINEAR}, {NULL, 0}};
static const struct config_choice losses[] = {{"dot", TTT_LOSS_DOT}, {"mse", TTT_LOSS_MSE}, {NULL, 0}};
static const struct config_choice directions[] = {
    {"descent", TTT_DESCENT}, {"ascent", TTT_ASCENT}, {NULL, 0}};
static const struct config_choice queries[] = {{"q", TTT_QUERY_Q}, {"k", TTT_QUERY_K}, {NULL, 0}};
static const struct config_choice interpolations[] = {
    {"bilinear", RESAMPLE_BILINEAR}, {"bicubic", RESAMPLE_BICUBIC}, {"lanczos", RESAMPLE_LANCZOS}, {NULL, 0}};
static const struct config_choice eval_crops[] = {
    {"centre", EVAL_CROP_CENTRE}, {"none", EVAL_CROP_NONE}, {NULL, 0}};
static const struct config_choice on_bads[] = {{"replace", LOADER_REPLACE}, {"stop", LOADER_STOP}, {NULL, 0}};
static const struct config_choice view_orders[] = {
    {"random", VIEWS_RANDOM}, {"uniform", VIEWS_UNIFORM}, {"index", VIEWS_INDEXED}, {NULL, 0}};
static const struct config_choice normalisations[] = {
    {"none", POSES_NONE}, {"mean_pose", POSES_MEAN}, {NULL, 0}};
static const struct config_choice scopes[] = {
    {"inputs", POSES_OF_INPUTS}, {"example", POSES_OF_EXAMPLE}, {NULL, 0}};
static const struct config_choice schedules[] = {
    {"cosine_to_zero", SCHEDULE_COSINE_TO_ZERO}, {"cosine_to_floor", SCHEDULE_COSINE_TO_FLOOR}, {NULL, 0}};
static const struct config_choice weights[] = {{"model", WEIGHTS_MODEL}, {"ema", WEIGHTS_EMA}, {NULL, 0}};

/* clang-format off */
const struct config_key config_keys[] = {
    {"task", KEY_ENUM, AT(task), "classify", .choices = tasks,
     .help = "what is trained: a classifier of pictures, or synthesis of views"},

    {"run.name", KEY_STRING, AT(run.name), "", .help =
     "the run's folder under dir; left out: the config file's name without .yaml"},
    {"run.dir", KEY_STRING, AT(run.dir), "runs", .min = 1,
     .help = "folder that holds all runs, from the folder where the program is started"},
    {"run.seed", KEY_LONG, AT(run.seed), "0", .min = 0, .max = 0x1p53,
     .help = "key of every random number: initial weights, order, augmentation, stochastic depth"},

    {"device.name", KEY_STRING, AT(device.name), "cpu", .min = 1,
     .help = "where the model runs: cpu, cuda (the first GPU), or cuda:1 and so on"},
    {"device.dtype", KEY_ENUM, AT(device.dtype), "f32", .choices = dtypes,
     .help = "type of activations, bf16 on cuda only; parameters, reductions and optimiser state are f32"},
    {"device.threads", KEY_INT, AT(device.threads), "0", .min = 0, .max = 4096,
     .help = "compute threads; 0: all cores"},
    {"device.memory_limit", KEY_BYTES, AT(device.memory_limit), "0", .min = 0, .max = 0x1p53,
     .help = "most memory a plan may take, in bytes; 0: all there is"},
    {"device.implementations", KEY_STRING, AT(device.implementations), "",
     .help = "forced implementations of operators, as in TTT_IMPL: matmul:cblas,linear:cblas"},

    {"model.name", KEY_STRING, AT(model.name), "vittt_tiny", .views = "lact_nvs_nano", .min = 1,
     .help = "vittt_tiny, vittt_small or vittt_base; for views lact_nvs_nano, lact_nvs_l12, lact_nvs_l24_x2 "
             "or lact_nvs_l24_x4: the sizes that hold where no key here gives another"},
    {"model.image_size", KEY_SIZE, AT(model.vittt.image_height), "224",
     .preset = by_name, .min = 1, .max = 16384,
     .help = "pixels a side, or [height, width]; multiples of patch"},
    {"model.patch", KEY_INT, AT(model.vittt.patch), "16", .preset = by_name, .min = 1, .max = 1024,
     .help = "side of a square patch, in pixels"},
    {"model.width", KEY_INT, AT(model.vittt.width), "192", .preset = by_name, .min = 1, .max = 65536,
     .help = "channels of a token; a multiple of heads, or of head_dim and fast_head_dim"},
    {"model.depth", KEY_INT, AT(model.vittt.depth), "12",
     .preset = by_name, .min = 1, .max = 1024, .help = "blocks"},
    {"model.heads", KEY_INT, AT(model.vittt.heads), "6", .preset = by_name, .min = 1, .max = 65536,
     .task = KEY_OF_CLASSIFY,
     .help = "heads of a TTT layer"},
    {"model.mlp_ratio", KEY_FLOAT, AT(model.vittt.mlp_ratio), "4",
     .preset = by_name, .min = 0, .max = 64, .above_min = true, .task = KEY_OF_CLASSIFY,
     .help = "hidden width of the MLP over width"},
    {"model.classes", KEY_INT, AT(model.vittt.classes), "0", .min = 0, .max = 1000000, .task = KEY_OF_CLASSIFY,
     .help = "classes; 0: as many as the training data have"},
    {"model.drop_path", KEY_FLOAT, AT(model.vittt.drop_path), "0",
     .preset = by_name, .min = 0, .max = 1, .below_max = true, .task = KEY_OF_CLASSIFY,
     .help = "stochastic depth of the last block, as a probability, rising linearly from 0 in the first"},
    {"model.head_dim", KEY_INT, LACT(head_dim), "32", .preset = by_name, .min = 1, .max = 65536,
     .task = KEY_OF_VIEWS, .help = "channels of an attention head; divides width"},
    {"model.fast_head_dim", KEY_INT, LACT(fast_head_dim), "128", .preset = by_name, .min = 1, .max = 65536,
     .task = KEY_OF_VIEWS, .help = "channels of a fast-weight head; divides width"},
    {"model.inter_multi", KEY_DOUBLE, LACT(inter_multi), "1", .preset = by_name, .min = 0, .max = 64,
     .above_min = true, .task = KEY_OF_VIEWS,
     .help = "hidden width of the fast weights over fast_head_dim; 1 for the linear kernel"},
    {"model.base_lr", KEY_DOUBLE, LACT(base_lr), "0.01", .min = 0, .max = 1000, .above_min = true,
     .task = KEY_OF_VIEWS, .help = "inner rate of a token where the learned part of it is 0"},
    {"model.muon_update_steps", KEY_INT, LACT(muon_update_steps), "5", .min = 0, .max = 100,
     .task = KEY_OF_VIEWS, .help = "Newton-Schulz iterations on each inner gradient"},
    {"model.num_input_views", KEY_INT, LACT(num_input_views), "2", .min = 1, .max = 4096,
     .task = KEY_OF_VIEWS, .help = "views of a scene that the model is given in training"},
    {"model.num_target_views", KEY_INT, LACT(num_target_views), "6", .min = 1, .max = 4096,
     .task = KEY_OF_VIEWS, .help = "views of a scene that it has to render in training"},
    {"model.recompute", KEY_BOOL, AT(model.vittt.recompute), "false",
     .help = "compute each block again in the backward pass: less memory, more time"},

    {"model.ttt.variant", KEY_STRING, AT(model.variant), "baseline", .min = 1,
     .help = "named setting of the switches below: baseline, variant1 to variant6, gradient_ascent, "
             "replace_q_with_k, mse"},
    {"model.ttt.update", KEY_ENUM, SWITCH(update), "all", .preset = by_variant, .choices = updates,
     .help = "fast weights that the inner loop moves: all, or the final layer only"},
    {"model.ttt.kernel", KEY_ENUM, SWITCH(kernel), "swiglu", .preset = by_variant, .choices = kernels,
     .help = "feature map in front of the final layer; linear: none"},
    {"model.ttt.loss", KEY_ENUM, SWITCH(loss), "dot", .preset = by_variant, .choices = losses,
     .help = "inner loss: -<f(k), v>, or 1/2 |f(k) - v|^2"},
    {"model.ttt.direction", KEY_ENUM, SWITCH(direction), "descent",
     .preset = by_variant, .choices = directions,
     .help = "which way the inner loop goes along the gradient"},
    {"model.ttt.query", KEY_ENUM, SWITCH(query), "q", .preset = by_variant, .choices = queries,
     .help = "what the moved fast weights are read with"},
    {"model.ttt.weight_norm", KEY_BOOL, SWITCH(weight_norm), "true", .preset = by_variant,
     .help = "restore every fast-weight column to its initial norm (LaCT; ViTTT has none)"},
    {"model.ttt.token_lr", KEY_BOOL, SWITCH(token_lr), "true", .preset = by_variant,
     .help = "a learned inner rate per token and head (LaCT; ViTTT has none)"},
    {"model.ttt.momentum", KEY_BOOL, SWITCH(momentum), "true", .preset = by_variant,
     .help = "momentum over chunk gradients (LaCT; ViTTT has none)"},
    {"model.ttt.condition_gradient", KEY_BOOL, SWITCH(condition_gradient), "true", .preset = by_variant,
     .help = "ViTTT: divide each gradient column by (its norm + 1); LaCT: Newton-Schulz"},
    {"model.ttt.inner_steps", KEY_INT, SWITCH(inner_steps), "1", .preset = by_variant, .min = 1, .max = 1024,
     .help = "inner steps on the same tokens"},

    {"data.root", KEY_STRING, AT(data.root), "",
     .help = "folder of the pictures, from the folder where the program is started (a run records it from /); "
             "for views a scene, a list or a folder of scenes"},
    {"data.train", KEY_STRING, AT(data.train), "train", .views = "",
     .help = "folder under root with one folder of training pictures per class; for views the scene, list or "
             "folder under root to train on, or nothing for root itself"},
    {"data.val", KEY_STRING, AT(data.val), "val", .views = "",
     .help = "folder under root with one folder of validation pictures per class; for views as train"},
    {"data.threads", KEY_INT, AT(data.threads), "2", .min = 0, .max = 256,
     .help = "loader threads; 0: decode between steps; the pictures do not depend on their number"},
    {"data.prefetch", KEY_INT, AT(data.prefetch), "4", .min = 1, .max = 1024,
     .help = "batches made ready ahead of the one in use"},
    {"data.crop_area", KEY_DOUBLES, AT(data.crop_area), "[0.08, 1]", .min = 0, .max = 1, .above_min = true,
     .count = 2, .task = KEY_OF_CLASSIFY, .help = "random resized crop: least and largest share of the picture's area"},
    {"data.crop_ratio", KEY_DOUBLES, AT(data.crop_ratio), "[0.75, 1.3333333333333333]", .min = 0, .max = 100,
     .above_min = true, .count = 2, .task = KEY_OF_CLASSIFY, .help = "random resized crop: least and largest width over height"},
    {"data.flip", KEY_DOUBLE, AT(data.flip), "0.5", .min = 0, .max = 1,
     .task = KEY_OF_CLASSIFY, .help = "probability of mirroring left and right"},
    {"data.interpolation", KEY_ENUM, AT(data.interpolation), "bicubic", .choices = interpolations,
     .task = KEY_OF_CLASSIFY, .help = "filter of every resize, as Pillow's"},
    {"data.mean", KEY_DOUBLES, AT(data.mean), "[0.485, 0.456, 0.406]", .min = 0, .max = 1, .count = 3,
     .task = KEY_OF_CLASSIFY, .help = "red, green, blue mean that is subtracted, pixels being in 0..1"},
    {"data.std", KEY_DOUBLES, AT(data.std), "[0.229, 0.224, 0.225]", .min = 0, .max = 100, .above_min = true,
     .count = 3, .task = KEY_OF_CLASSIFY, .help = "red, green, blue standard deviation that is divided by"},
    {"data.eval_crop", KEY_ENUM, AT(data.eval_crop), "centre", .choices = eval_crops,
     .task = KEY_OF_CLASSIFY, .help = "evaluation input; centre: shorter side to int(size*256/224), then the centre; none: the whole "
             "picture resized"},
    {"data.on_bad", KEY_ENUM, AT(data.on_bad), "replace", .choices = on_bads,
     .task = KEY_OF_CLASSIFY, .help = "a picture that cannot be decoded: the next sample takes its place, or the run stops"},
    {"data.max_pixels", KEY_LONG, AT(data.max_pixels), "178956970", .min = 1, .max = 2147483647,
     .task = KEY_OF_CLASSIFY, .help = "pictures with more pixels count as undecodable (the default is Pillow's limit)"},
    {"data.drop_last", KEY_BOOL, AT(data.drop_last), "true",
     .task = KEY_OF_CLASSIFY, .help = "leave out the incomplete last batch of a training epoch"},

    {"data.view_order", KEY_ENUM, AT(data.views.order), "random", .choices = view_orders,
     .task = KEY_OF_VIEWS,
     .help = "choice of views in training: at random; evenly spread; or as view_index says"},
    {"data.input_views", KEY_STRING, AT(data.views.inputs), "all", .min = 1, .task = KEY_OF_VIEWS,
     .help = "views that may be inputs in training: all, 'index % 4 != 3', 'split == train', ..."},
    {"data.target_views", KEY_STRING, AT(data.views.targets), "all", .min = 1, .task = KEY_OF_VIEWS,
     .help = "views that may be targets in training, as input_views; no view is both"},
    {"data.view_index", KEY_STRING, AT(data.views.index), "", .task = KEY_OF_VIEWS,
     .help = "file for view_order index: {\"scene\": {\"inputs\": [...], \"targets\": [...]}, ...}"},
    {"data.poses", KEY_ENUM, AT(data.poses), "mean_pose", .choices = normalisations, .task = KEY_OF_VIEWS,
     .help = "the frame a model sees a scene in; mean_pose: the mean camera is the origin, and the largest "
             "coordinate of a camera times pose_scale is 1; none: the file's"},
    {"data.pose_scale", KEY_DOUBLE, AT(data.pose_scale), "1", .min = 0, .max = 1e9, .above_min = true,
     .task = KEY_OF_VIEWS, .help = "mean_pose: what times the largest coordinate of a camera becomes 1"},
    {"data.pose_scope", KEY_ENUM, AT(data.pose_scope), "inputs", .choices = scopes, .task = KEY_OF_VIEWS,
     .help = "mean_pose: over the inputs alone, so that any view can be rendered later; or, as published, over "
             "an example's inputs and targets"},
    {"data.cache", KEY_BYTES, AT(data.cache), "256M", .min = 0, .max = 0x1p53, .task = KEY_OF_VIEWS,
     .help = "memory for views that are decoded once and kept, in bytes; 0: none are"},

    {"train.epochs", KEY_INT, AT(train.epochs), "300", .min = 1, .max = 1000000,
     .help = "passes over the training pictures; for views, over batches that show every scene once, at least "
             "one batch each"},
    {"train.steps", KEY_LONG, AT(train.steps), "0", .views = "20000", .min = 0, .max = 0x1p53,
     .help = "optimiser steps to train for; 0: as many as epochs make"},
    {"train.batch_size", KEY_INT, AT(train.batch_size), "128", .views = "4", .min = 1, .max = 1048576,
     .help = "pictures per forward pass, or scenes"},
    {"train.accumulate", KEY_INT, AT(train.accumulate), "1", .min = 1, .max = 65536,
     .help = "forward passes per optimiser step, which so sees batch_size x accumulate pictures"},
    {"train.lr", KEY_DOUBLE, AT(train.lr), "0.0005", .views = "0.0004", .min = 0, .max = 1000, .above_min = true,
     .help = "highest learning rate, used as it is: not scaled with the batch (the published recipe's is "
             "0.0005 x pictures per step / 512)"},
    {"train.schedule", KEY_ENUM, AT(train.schedule), "cosine_to_floor", .views = "cosine_to_zero",
     .choices = schedules,
     .help = "cosine_to_zero: warm-up from 0, then a cosine down to 0; cosine_to_floor: warm-up from "
             "warmup_lr, and a cosine over all steps down to min_lr"},
    {"train.warmup_fraction", KEY_DOUBLE, AT(train.warmup_fraction), "0.06666666666666667",
     .views = "0.15", .min = 0, .max = 1,
     .help = "share of all steps with a linearly rising rate: 0.1 is 10%; 20 of 300 epochs are "
             "0.06666666666666667"},
    {"train.warmup_lr", KEY_DOUBLE, AT(train.warmup_lr), "0.0000005", .min = 0, .max = 1000,
     .help = "cosine_to_floor: learning rate of the first step"},
    {"train.min_lr", KEY_DOUBLE, AT(train.min_lr), "0.000005", .min = 0, .max = 1000,
     .help = "cosine_to_floor: learning rate at the end"},
    {"train.betas", KEY_DOUBLES, AT(train.betas), "[0.9, 0.999]", .views = "[0.9, 0.95]", .min = 0, .max = 1, .below_max = true,
     .count = 2, .help = "AdamW: decay of the gradient's mean and of its square's"},
    {"train.eps", KEY_DOUBLE, AT(train.eps), "1e-8", .min = 0, .max = 1, .above_min = true,
     .help = "AdamW: added to the denominator"},
    {"train.weight_decay", KEY_DOUBLE, AT(train.weight_decay), "0.05", .min = 0, .max = 100,
     .help = "AdamW: decay times learning rate per step, except on biases and 1-D parameters"},
    {"train.clip", KEY_DOUBLE, AT(train.clip), "5", .views = "1", .min = 0, .max = INFINITY,
     .help = "largest norm of the whole gradient; 0: no clipping"},
    {"train.skip_over", KEY_DOUBLE, AT(train.skip_over), "0", .views = "4", .min = 0, .max = INFINITY,
     .help = "a step whose gradient has a norm over this times clip is skipped and counted, and the schedule "
             "goes on; 0: none is"},
    {"train.label_smoothing", KEY_DOUBLE, AT(train.label_smoothing), "0.1", .min = 0, .max = 1,
     .below_max = true, .task = KEY_OF_CLASSIFY, .help = "share of the target spread evenly over all classes"},
    {"train.ema", KEY_DOUBLE, AT(train.ema), "0", .min = 0, .max = 1, .below_max = true,
     .help = "decay per step of the weights' moving average; 0: none is kept"},
    {"train.max_bad_steps", KEY_INT, AT(train.max_bad_steps), "10", .min = 1, .max = 1000000,
     .help = "skipped steps in a row (loss or gradient not finite) after which the run stops"},
    {"train.save_every", KEY_INT, AT(train.save_every), "1", .views = "0", .min = 0, .max = 1000000,
     .help = "epochs between checkpoints; 0: only where the model is evaluated"},
    {"train.save_steps", KEY_LONG, AT(train.save_steps), "0", .views = "1000", .min = 0, .max = 0x1p53,
     .help = "optimiser steps between further checkpoints; 0: none"},
    {"train.keep", KEY_INT, AT(train.keep), "3", .min = 1, .max = 1000000,
     .help = "last checkpoints kept, besides the best"},

    {"eval.every", KEY_INT, AT(eval.every), "1", .views = "0", .min = 0, .max = 1000000,
     .help = "epochs between evaluations; 0: only at the end"},
    {"eval.batch_size", KEY_INT, AT(eval.batch_size), "128", .min = 1, .max = 1048576, .task = KEY_OF_CLASSIFY,
     .help = "pictures per forward pass"},
    {"eval.weights", KEY_ENUM, AT(eval.weights), "model", .choices = weights,
     .help = "the trained weights, or their moving average (train.ema)"},
    {"eval.view_order", KEY_ENUM, AT(eval.views.order), "uniform", .choices = view_orders,
     .task = KEY_OF_VIEWS, .help = "choice of views in an evaluation, as data.view_order"},
    {"eval.input_views", KEY_STRING, AT(eval.views.inputs), "all", .min = 1, .task = KEY_OF_VIEWS,
     .help = "views that may be inputs in an evaluation, as data.input_views"},
    {"eval.target_views", KEY_STRING, AT(eval.views.targets), "all", .min = 1, .task = KEY_OF_VIEWS,
     .help = "views that are rendered in an evaluation, without those that are inputs"},
    {"eval.view_index", KEY_STRING, AT(eval.views.index), "", .task = KEY_OF_VIEWS,
     .help = "file for view_order index, as data.view_index"},
    {"eval.num_input_views", KEY_INT, AT(eval.num_input_views), "0", .min = 0, .max = 4096,
     .task = KEY_OF_VIEWS, .help = "input views in an evaluation; 0: as many as in training"},
    {"eval.num_target_views", KEY_INT, AT(eval.num_target_views), "0", .min = 0, .max = 100000,
     .task = KEY_OF_VIEWS, .help = "views of a scene that are rendered in an evaluation; 0: all there are"},
    {"eval.tokens_per_pass", KEY_LONG, AT(eval.tokens_per_pass), "0", .min = 0, .max = 0x1p53,
     .task = KEY_OF_VIEWS,
     .help = "tokens whose intermediates a reconstruction holds at one time, rounded to views; 0: all"},
};
/* clang-format on */

const int config_key_count = sizeof config_keys / sizeof *config_keys;

_Static_assert(sizeof config_keys / sizeof *config_keys <= CONFIG_KEYS_MAX, "raise CONFIG_KEYS_MAX");
_Static_assert(AT(model.vittt.image_width) == AT(model.vittt.image_height) + sizeof(int),
               "KEY_SIZE stores height and width side by side");
_Static_assert(sizeof(enum config_task) == sizeof(int) && sizeof(ttt_dtype) == sizeof(int) &&
                   sizeof(ttt_update) == sizeof(int),
               "KEY_ENUM stores an int");
_Static_assert(sizeof(enum view_order) == sizeof(int) && sizeof(enum pose_normalisation) == sizeof(int) &&
                   sizeof(enum pose_scope) == sizeof(int),
               "KEY_ENUM stores an int");
