#include "base/temporary.h"

#include <stdlib.h>

enum status temporary_folder(char **folder, struct arena *arena, struct error *err)
{
    const char *root = getenv("TMPDIR");
    char *name = arena_printf(arena, "%s/retort-XXXXXX", root && *root ? root : "/tmp");
    if (!name) return fail_memory(err, "a folder's name", 0);
    if (!mkdtemp(name)) return fail_errno(err, "make folder", name);
    *folder = name;
    return OK;
}
