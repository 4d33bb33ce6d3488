#include "train/earlier_run.h"

#include "base/arena.h"
#include "base/file.h"

#include <string.h>

enum status earlier_run_refuse(const char *folder, const char *const *made, struct error *err)
{
    struct arena arena = {0};
    enum status status = OK;
    for (; *made && status == OK; made++) {
        const char *const path = arena_printf(&arena, "%s/%s", folder, *made);
        if (!path)
            status = fail_memory(err, "a path", strlen(folder));
        else if (file_exists(path))
            status =
                fail(err, ERR_USAGE,
                     "%s: is of an earlier run; go on with it by --resume, or give another folder", path);
    }
    arena_free(&arena);
    return status;
}
