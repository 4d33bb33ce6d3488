#include "base/cgroup.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool read_line(const char *path, const char *start, char *line, int size)
{
    FILE *file = fopen(path, "r");
    bool found = false;
    while (file && !found && fgets(line, size, file)) found = !strncmp(line, start, strlen(start));
    if (file) fclose(file);
    return found;
}

int64_t cgroup_least(const char *file, int64_t (*value)(const char *line))
{
    char group[512], path[600], line[64];
    if (!read_line("/proc/self/cgroup", "0::/", group, sizeof group)) return 0;
    group[strcspn(group, "\n")] = 0;
    int64_t least = 0;
    for (char *name = group + 3, *cut;; *cut = 0) {
        snprintf(path, sizeof path, "/sys/fs/cgroup%s/%s", name, file);
        const int64_t found = read_line(path, "", line, sizeof line) ? value(line) : 0;
        if (found > 0 && (!least || found < least)) least = found;
        cut = strrchr(name, '/');
        if (!cut) return least;
    }
}
