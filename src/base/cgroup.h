/* What the process's control group lets it have. */
#ifndef RETORT_BASE_CGROUP_H
#define RETORT_BASE_CGROUP_H

#include <stdint.h>

/* The least number that `value` finds in the first line of such a file ("cpu.max") of the process's control group
 * and of those above it; 0: none has a limit. value returns 0 for a line without one. */
int64_t cgroup_least(const char *file, int64_t (*value)(const char *line));

#endif
