/* Gradients whose terms cancel until little more than rounding is left. */
#ifndef TOOLS_VERIFY_CANCELLING_H
#define TOOLS_VERIFY_CANCELLING_H

#include "tools/verify/fixture.h"
#include "tools/verify/report.h"

/* Holds every gradient of an lr_fc.bias to a share of its lr_fc.weight's, where that is more than its own
 * tolerance. */
void cancelling_allow(const struct fixture *fixture, struct report *report);

#endif
