/* A small picture set to load. */
#include "tests/data/loader_sets.h"

#include <stdlib.h>
#include <string.h>

#include "data/make_pictures.h"
#include "tests/support/check.h"
#include "tests/support/temporary.h"

struct pictures *train, *val;
static char *root;

int make_sets(void **state)
{
    (void)state;
    struct make_pictures_options options = make_pictures_options_default();
    root = temporary_folder();
    options.classes = 3;
    options.train = TRAIN;
    options.val = VAL;
    options.size = 24;
    check_ok(make_pictures(root, &options));
    check_ok(pictures_open(root, "train", NULL, &train));
    check_ok(pictures_open(root, "val", train, &val));
    return 0;
}

int remove_sets(void **state)
{
    (void)state;
    pictures_free(train);
    pictures_free(val);
    train = val = NULL;
    temporary_remove(root);
    return 0;
}

struct loader_options options_for(bool training, int threads)
{
    return (struct loader_options){.sample = {.train = training,
                                              .transform = picture_transform_default(SIDE, SIDE),
                                              .decode = decode_options_default()},
                                   .batch_size = BATCH,
                                   .threads = threads,
                                   .prefetch = 2,
                                   .seed = 11};
}

void ruin(const struct pictures *set, uint32_t picture)
{
    char *path;
    check_ok(pictures_path(set, picture, &path));
    temporary_file(root, path + strlen(root) + 1, "no picture", 10);
    free(path);
}
