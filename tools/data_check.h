/* What `ttt data check` found, for people or as JSON. */
#ifndef TOOLS_DATA_CHECK_H
#define TOOLS_DATA_CHECK_H

#include <stdbool.h>

#include "data/check.h"

/* Writes the result to stdout.  Then fails with TTT_IO when there are bad pictures: exit status 1. */
ttt_status data_check_report(const struct check_result *result, bool json)
    __attribute__((warn_unused_result));

#endif
