/* `ttt data make scenes` and `ttt data check` on scenes. */
#ifndef TOOLS_DATA_SCENES_H
#define TOOLS_DATA_SCENES_H

#include <stdbool.h>

#include "ttt/base/status.h"

struct data_scenes_options {
    int threads;
    bool json;
    bool skip_missing; /* views without a picture are left out */
    const char *maps;  /* folder of the maps of cameras; NULL: none are drawn */
};

/* Renders scenes into argv[0]. */
ttt_status data_make_scenes(int argc, char **argv) __attribute__((warn_unused_result));

/* Reports on the scenes at `path`, and draws their maps.  Fails with TTT_IO, exit status 1, when something is
 * wrong with any of them. */
ttt_status data_check_scenes(const char *path, const struct data_scenes_options *options)
    __attribute__((warn_unused_result));

#endif
