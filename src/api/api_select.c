/* The public calls that choose frames. */
#include "api/call.h"
#include "base/file.h"
#include "base/par.h"
#include "select/embed.h"
#include "select/filter.h"
#include "select/stream.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)RETORT_EMPTY == VERDICT_EMPTY && (int)RETORT_WARMING == VERDICT_WARMING &&
                   (int)RETORT_REFUSED == VERDICT_REFUSED && (int)RETORT_SELECTED == VERDICT_SELECTED &&
                   (int)RETORT_CLOSED == VERDICT_CLOSED,
               "the public verdicts are the library's");

/* ---- the stream ---- */

struct retort_selector {
    struct arena arena;
    struct select_stream stream;
};

struct retort_selector_options retort_selector_defaults(void)
{
    const struct select_options o = select_defaults();
    return (struct retort_selector_options){o.alpha, o.warmup, o.wanted, o.window};
}

static enum status open_stream(struct retort_selector *handle, const struct retort_selector_options *options,
                               struct error *err)
{
    struct select_options o = select_defaults();
    o.alpha = options->alpha;
    o.warmup = options->warmup;
    o.wanted = options->count;
    o.window = options->window;
    return select_stream_open(&handle->stream, &o, (struct draws){0}, &handle->arena, err);
}

enum retort_status retort_selector_open(struct retort_selector **selector,
                                        const struct retort_selector_options *options,
                                        struct retort_error *err)
{
    struct call call;
    const struct retort_selector_options defaults = retort_selector_defaults();
    *selector = NULL;
    call_begin(&call);
    struct retort_selector *handle = calloc(1, sizeof *handle);
    const enum status status = handle ? open_stream(handle, options ? options : &defaults, &call.error)
                                      : fail_memory(&call.error, "a selector", sizeof *handle);
    if (status == OK)
        *selector = handle;
    else
        retort_selector_close(handle);
    return call_end(&call, status, err);
}

void retort_selector_close(struct retort_selector *selector)
{
    if (selector) arena_free(&selector->arena);
    free(selector);
}

enum retort_verdict retort_select(struct retort_selector *selector, const struct retort_detection *found,
                                  int count)
{
    const uint64_t word = fpu_enter();
    struct confidence confidence = {.aggregation = AGGREGATE_MAX};
    for (int i = 0; i < count; i++) confidence_add(&confidence, (double)found[i].confidence);
    const enum select_verdict verdict = select_stream_push(&selector->stream, confidence_result(&confidence));
    fpu_leave(word);
    return (enum retort_verdict)verdict;
}

void retort_selector_next_window(struct retort_selector *selector, int rewarm)
{
    const uint64_t word = fpu_enter();
    select_stream_next_window(&selector->stream, rewarm != 0);
    fpu_leave(word);
}

static enum status save_stream(const struct select_stream *stream, const char *path, struct error *err)
{
    const size_t size = select_stream_size(stream);
    uint8_t *bytes = malloc(size);
    if (!bytes) return fail_memory(err, "the selector's state", size);
    select_stream_save(stream, bytes);
    const enum status status = file_write(path, bytes, size, err);
    free(bytes);
    return status;
}

enum retort_status retort_selector_save(const struct retort_selector *selector, const char *path,
                                        struct retort_error *err)
{
    struct call call;
    call_begin(&call);
    return call_end(&call, save_stream(&selector->stream, path, &call.error), err);
}

static enum status load_stream(struct select_stream *stream, const char *path, struct error *err)
{
    struct file_view view;
    struct error why;
    TRY(file_map(&view, path, err));
    const enum status status = select_stream_load(stream, view.data, view.size, &why);
    file_unmap(&view);
    return status == OK ? OK : fail(err, status, "%s: %s", path, why.message);
}

enum retort_status retort_selector_load(struct retort_selector *selector, const char *path,
                                        struct retort_error *err)
{
    struct call call;
    call_begin(&call);
    return call_end(&call, load_stream(&selector->stream, path, &call.error), err);
}

/* ---- embeddings ---- */

struct retort_embedder {
    struct embedder embedder;
};

struct retort_embedder_options retort_embedder_defaults(void) { return (struct retort_embedder_options){0}; }

static enum status open_embedder(struct retort_embedder *handle, const char *path,
                                 const struct retort_embedder_options *o, struct error *err)
{
    int threads;
    const struct kernels *kernels;
    TRY(call_check_range("plan", o->plan, RETORT_FAST, RETORT_FAST_0_1, err));
    TRY(call_threads(&threads, o->threads, err));
    TRY(kernels_get(&kernels, NULL, err));
    TRY(embedder_open(&handle->embedder, path, kernels, threads, err));
    handle->embedder.plan = (enum net_plan)o->plan;
    return OK;
}

enum retort_status retort_embedder_open(struct retort_embedder **embedder, const char *path,
                                        const struct retort_embedder_options *options,
                                        struct retort_error *err)
{
    struct call call;
    const struct retort_embedder_options defaults = retort_embedder_defaults();
    *embedder = NULL;
    call_begin(&call);
    struct retort_embedder *handle = calloc(1, sizeof *handle);
    const enum status status = handle
                                   ? open_embedder(handle, path, options ? options : &defaults, &call.error)
                                   : fail_memory(&call.error, "an embedder", sizeof *handle);
    if (status == OK)
        *embedder = handle;
    else
        free(handle);
    return call_end(&call, status, err);
}

void retort_embedder_close(struct retort_embedder *embedder)
{
    if (embedder) embedder_close(&embedder->embedder);
    free(embedder);
}

int retort_embedder_size(const struct retort_embedder *embedder) { return embedder->embedder.dim; }

static enum status embed(struct retort_embedder *handle, const struct retort_picture *picture, float *out,
                         struct error *err)
{
    struct image image;
    TRY(call_picture(&image, picture, err));
    return embed_image(&handle->embedder, &image, out, NULL, err);
}

enum retort_status retort_embed(struct retort_embedder *embedder, const struct retort_picture *picture,
                                float *out, struct retort_error *err)
{
    struct call call;
    call_begin(&call);
    return call_end(&call, embed(embedder, picture, out, &call.error), err);
}

/* ---- the filter ---- */

static enum status filter(int *kept_rows, int *kept, const struct filter_frames *frames, int budget,
                          struct arena *arena, struct error *err)
{
    const struct kernels *kernels;
    struct filter_result result;
    struct filter_options options = filter_defaults();
    options.budget = budget;
    options.allow_short = true;
    TRY(kernels_get(&kernels, NULL, err));
    TRY(filter_run(&result, &options, frames, kernels, par_default_threads(), arena, err));
    memcpy(kept_rows, result.frames, (size_t)result.count * sizeof *kept_rows);
    *kept = result.count;
    return OK;
}

enum retort_status retort_filter(const float *embeddings, int count, int size, int budget, int *kept_rows,
                                 int *kept, struct retort_error *err)
{
    assert(size >= 1 && count >= 0);
    struct call call;
    struct arena arena = {0};
    const struct filter_frames frames = {
        .count = count, .embeddings = embeddings, .embedding_stride = size, .width = size};
    call_begin(&call);
    const enum status status = filter(kept_rows, kept, &frames, budget, &arena, &call.error);
    arena_free(&arena);
    return call_end(&call, status, err);
}
