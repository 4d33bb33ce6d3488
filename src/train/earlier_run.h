/* A folder that a run fills belongs to one run: two would be mixed, and a forgotten --resume would cost the
 * first. */
#ifndef RETORT_TRAIN_EARLIER_RUN_H
#define RETORT_TRAIN_EARLIER_RUN_H

#include "base/status.h"

/* ERR_USAGE when one of these files or folders, which a run makes, is there; the list ends with NULL. */
enum status earlier_run_refuse(const char *folder, const char *const *made, struct error *err);

#endif
