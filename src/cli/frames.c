#include "cli/frames.h"

#include "image/letterbox.h"

#include <string.h>

/* What goes through one source after the other. */
struct walk {
    struct run *run;
    struct frame_count *count;
    const char *stage;
    frame_body *body;
    void *context;
    struct frame frame;
};

static void report(struct walk *walk, const struct error *err)
{
    console_error(&walk->run->console, err->message);
    walk->count->broken++;
}

static enum status walk_source(struct walk *walk, struct source *source, int64_t behind, struct error *err)
{
    struct run *const run = walk->run;
    const int64_t own = source_count(source), before = walk->count->done + walk->count->broken;
    for (;;) {
        bool end = false;
        struct error broken;
        const enum status status = source_next(source, &walk->frame, &end, &broken);
        if (status != OK && status != ERR_INPUT) return fail(err, status, "%s", broken.message);
        if (status == OK && end) return OK;
        if (status == OK) {
            TRY(walk->body(walk->context, &walk->frame, err));
            walk->count->done++;
        } else {
            report(walk, &broken);
        }
        const int64_t seen = walk->count->done + walk->count->broken;
        if (!progress_report(&run->progress, walk->stage, seen, own < 0 ? 0 : before + own + behind, ""))
            return fail(err, ERR_INTERRUPTED, "interrupted after %lld frames", (long long)seen);
    }
}

static enum status walk_path(struct walk *walk, const char *path, int64_t behind, struct error *err)
{
    struct source *source;
    struct error broken;
    const enum status opened = source_open(&source, path, &broken);
    if (opened == ERR_INPUT) {
        report(walk, &broken);
        return OK;
    }
    if (opened != OK) return fail(err, opened, "%s", broken.message);
    const enum status status = walk_source(walk, source, behind, err);
    source_close(source);
    return status;
}

enum status frames_run(struct frame_count *count, struct run *run, const char *frames, const char *stage,
                       frame_body *body, void *context, struct error *err)
{
    struct walk walk = {run, count, stage, body, context, {0}};
    enum status status = OK;
    *count = (struct frame_count){0};
    if (!frames && !run->operand_count) return fail(err, ERR_USAGE, "expected --frames or pictures");
    if (frames) status = walk_path(&walk, frames, run->operand_count, err);
    for (int i = 0; status == OK && i < run->operand_count; i++)
        status = walk_path(&walk, run->operands[i], run->operand_count - i - 1, err);
    image_free(&walk.frame.image);
    if (status == OK && !count->done && !count->broken) return fail(err, ERR_INPUT, "no frames found");
    return status;
}

enum status frames_check(const struct frame_count *count, struct run *run, struct error *err)
{
    if (!count->broken) return OK;
    run->whole = count->done > 0;
    return fail(err, ERR_INPUT, "%lld of %lld frames or files could not be read", (long long)count->broken,
                (long long)(count->done + count->broken));
}

enum status frames_output(const char **path, struct arena *arena, const char *folder,
                          const struct frame *frame, const char *extension, struct error *err)
{
    const char *const slash = strrchr(frame->name, '/'), *const name = slash ? slash + 1 : frame->name;
    const char *const dot = strrchr(name, '.'), *const hash = strrchr(name, '#');
    const bool streamed = hash && hash[1] && !hash[1 + strspn(hash + 1, "0123456789")];
    const char *const end = dot && dot > name && (!hash || dot < hash) ? dot : streamed ? hash : NULL;
    const int length = end ? (int)(end - name) : (int)strlen(name);
    *path = streamed ? arena_printf(arena, "%s/%.*s-%06lld.%s", folder, length, name, (long long)frame->id,
                                    extension)
                     : arena_printf(arena, "%s/%.*s.%s", folder, length, name, extension);
    return *path ? OK : fail_memory(err, "a path", strlen(folder) + strlen(name));
}

enum status frames_check_size(int64_t size, struct error *err)
{
    if (size % LETTERBOX_STRIDE == 0) return OK;
    return fail(err, ERR_USAGE, "--size: expected a multiple of %d, found %lld", LETTERBOX_STRIDE,
                (long long)size);
}
