/* The kinds of golden vectors: each is one file with one line in kinds.c. */
#ifndef TOOLS_VERIFY_KIND_H
#define TOOLS_VERIFY_KIND_H

#include "tools/verify/fixture.h"
#include "tools/verify/place.h"
#include "tools/verify/report.h"

struct verify_kind {
    const char *name;  /* as the file's metadata say it */
    const char *about; /* for `ttt verify --help` */
    /* Computes what the fixture's inputs give and adds a row for every out.* and grad.* of it.
     * A fixture that does not fit together is TTT_FORMAT, without the path. */
    ttt_status (*check)(const struct fixture *fixture, const struct verify_place *place,
                        struct report *report);
};

/* Ends with a kind without a name. */
extern const struct verify_kind verify_kinds[];

ttt_status verify_vittt_layer(const struct fixture *fixture, const struct verify_place *place,
                              struct report *report);
ttt_status verify_vittt_model(const struct fixture *fixture, const struct verify_place *place,
                              struct report *report);
ttt_status verify_lact_layer(const struct fixture *fixture, const struct verify_place *place,
                             struct report *report);
ttt_status verify_lact_chunks(const struct fixture *fixture, const struct verify_place *place,
                              struct report *report);
ttt_status verify_lact_model(const struct fixture *fixture, const struct verify_place *place,
                             struct report *report);
ttt_status verify_optimiser(const struct fixture *fixture, const struct verify_place *place,
                            struct report *report);
ttt_status verify_resize(const struct fixture *fixture, const struct verify_place *place,
                         struct report *report);
ttt_status verify_jpeg(const struct fixture *fixture, const struct verify_place *place,
                       struct report *report);
ttt_status verify_metrics(const struct fixture *fixture, const struct verify_place *place,
                          struct report *report);
ttt_status verify_cameras(const struct fixture *fixture, const struct verify_place *place,
                          struct report *report);

#endif
