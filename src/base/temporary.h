/* A folder for files that nobody else shall see. */
#ifndef RETORT_BASE_TEMPORARY_H
#define RETORT_BASE_TEMPORARY_H

#include "base/arena.h"
#include "base/status.h"

/* Makes one below $TMPDIR or /tmp, its name from the arena; the caller removes it. ERR_SYSTEM. */
enum status temporary_folder(char **folder, struct arena *arena, struct error *err);

#endif
