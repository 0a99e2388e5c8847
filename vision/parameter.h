/* A model's parameters: names, shapes, initial values. */
#ifndef VISION_PARAMETER_H
#define VISION_PARAMETER_H

#include <stdbool.h>
#include <stdint.h>

#include "ttt/graph/graph.h"
#include "ttt/graph/store.h"

/* How a parameter starts. */
enum parameter_init {
    INIT_ZEROS,
    INIT_ONES,
    INIT_NORMAL,  /* mean 0, standard deviation `scale` */
    INIT_UNIFORM, /* between -scale and scale */
};

struct parameter {
    char name[80]; /* as published: "blocks.0.attn.w1" */
    ttt_shape shape;
    enum parameter_init init;
    double scale;
    bool decays; /* weight decay applies: all but biases and other 1-D parameters */
};

struct parameter_list {
    struct parameter *parameters;
    int count, room;
    bool failed; /* there was no memory */
};

/* Appends a parameter called `name`, or "blocks.BLOCK.name" for block >= 0. */
void parameter_add(struct parameter_list *list, int block, const char *name, ttt_shape shape,
                   enum parameter_init init, double scale);

/* Ends a list: hands its array to the caller, who frees it; TTT_MEMORY when it had failed. */
ttt_status parameter_list_take(struct parameter_list *list, struct parameter **parameters, int *count);

/* Bytes of all of them, which are f32. */
int64_t parameters_bytes(const struct parameter *parameters, int count);

/* The variable PREFIX + name in a graph, where name is that of the list's parameter `name` of `block`.
 * An unknown name is a mistake of the model's code: the graph fails. */
ttt_tensor parameter_variable(ttt_graph *g, const struct parameter *parameters, int count, const char *prefix,
                              int block, const char *name);

/* Adds the parameters to the store where they are not there yet and fills them with initial values, a pure
 * function of the seed and each parameter's name. */
ttt_status parameters_initialise(const struct parameter *parameters, int count, ttt_store *store,
                                 uint64_t seed);

#endif
