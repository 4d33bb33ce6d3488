#include "base/file.h"
#include "train/distill_watch.h"
#include "train/earlier_run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Pictures and labels are called 000017.jpg and 000017.txt; other files are somebody else's. */
static bool is_ours(const char *name)
{
    const size_t digits = strspn(name, "0123456789");
    return digits >= 6 && (!strcmp(name + digits, ".jpg") || !strcmp(name + digits, ".txt"));
}

static enum status clear(const char *folder, struct arena *arena, struct error *err)
{
    enum status status = OK;
    DIR *stream = opendir(folder);
    if (!stream) return errno == ENOENT ? OK : fail_errno(err, "open", folder);
    for (const char *name; (status = file_next_entry(&name, stream, folder, err)) == OK && name;) {
        if (!is_ours(name)) continue;
        const char *path = arena_printf(arena, "%s/%s", folder, name);
        if (!path)
            status = fail_memory(err, folder, strlen(folder));
        else if (remove(path))
            status = fail_errno(err, "remove", path);
        if (status != OK) break;
    }
    closedir(stream);
    return status;
}

enum status distill_prepare_folder(const char *folder, bool resume, struct arena *arena, struct error *err)
{
    static const char *const made[] = {
        "set", "candidates", "validation", "train", "selection.jsonl", "weights.safetensors", "report.html",
        NULL};
    static const char *const filled[] = {"set/images", "set/labels", "candidates", "validation/images",
                                         "validation/labels"};
    if (!resume) return earlier_run_refuse(folder, made, err);
    for (size_t i = 0; i < sizeof filled / sizeof *filled; i++) {
        const char *path = arena_printf(arena, "%s/%s", folder, filled[i]);
        if (!path) return fail_memory(err, folder, strlen(folder));
        TRY(clear(path, arena, err));
    }
    return OK;
}

void distill_leave_nothing(const struct distill_result *result, const char *folder, struct arena *arena)
{
    static const char *const made[] = {"/candidates", "/validation/images", "/validation", ""};
    for (int i = 0; i < result->candidate_count; i++) remove(result->candidates[i].file);
    for (int i = 0; i < result->extra_count; i++) remove(result->extra[i].file);
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        const char *path = arena_printf(arena, "%s%s", folder, made[i]);
        if (path) rmdir(path); /* leaves what holds anything */
    }
}
