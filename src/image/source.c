#include "image/source.h"

#include "base/file.h"
#include "image/decode.h"
#include "image/mjpeg.h"
#include "image/source_list.h"
#include "image/stream.h"
#include "image/y4m.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum kind { FILES, Y4M, MJPEG, PICTURE };
enum { MAX_PICTURE = 1 << 28, NAME = 512 };

struct source {
    enum kind kind;
    struct arena arena;
    struct source_list list; /* FILES */
    FILE *owned;             /* to be closed, or NULL */
    struct stream stream;    /* the other kinds */
    struct y4m y4m;
    struct mjpeg mjpeg;
    int64_t next;
    bool ended;
    char name[NAME];
};

static bool is_y4m(const struct stream *s)
{
    return s->head_size >= 10 && !memcmp(s->head, "YUV4MPEG2 ", 10);
}
static bool is_jpeg(const struct stream *s)
{
    return s->head_size >= 2 && s->head[0] == 0xff && s->head[1] == 0xd8;
}

/* Chooses the kind by the head of source->stream. */
static enum status start_stream(struct source *source, struct error *err)
{
    struct stream *stream = &source->stream;
    if (is_y4m(stream)) {
        source->kind = Y4M;
        return y4m_open(&source->y4m, stream, err);
    }
    if (is_jpeg(stream) || image_recognised(stream->head, stream->head_size)) {
        source->kind = is_jpeg(stream) ? MJPEG : PICTURE;
        return OK;
    }
    if (ferror(stream->file)) return fail_errno(err, "read", stream->name);
    if (!stream->head_size) return fail(err, ERR_INPUT, "%s: is empty, expected pictures", stream->name);
    return fail(err, ERR_INPUT,
                "%s: byte 0: expected Y4M, JPEG, PNG or PNM; other videos can be piped in with"
                " ffmpeg -i VIDEO -pix_fmt yuv420p -f yuv4mpegpipe -",
                stream->name);
}

/* A named path that is not a folder. */
static enum status open_file(struct source *source, const char *path, struct error *err)
{
    static const char *const motion[] = {".mjpeg", ".mjpg"};
    if (source_list_is_file(path)) return source_list_file(&source->list, &source->arena, path, err);
    source->owned = fopen(path, "rbe");
    if (!source->owned) return fail_errno(err, "open", path);
    const char *name = arena_strdup(&source->arena, path);
    if (!name) return fail_memory(err, path, strlen(path));
    stream_start(&source->stream, source->owned, name);
    struct stat info;
    const bool regular = fstat(fileno(source->owned), &info) == 0 && S_ISREG(info.st_mode);
    if (regular && !source_list_ends_in(path, motion, 2) &&
        image_recognised(source->stream.head, source->stream.head_size))
        return source_list_add(&source->list, &source->arena, path, err);
    return start_stream(source, err);
}

static enum status finish_open(struct source **source, struct source *made, enum status status)
{
    if (status != OK) {
        source_close(made);
        made = NULL;
    }
    *source = made;
    return status;
}

enum status source_open(struct source **source, const char *path, struct error *err)
{
    *source = NULL;
    if (!strcmp(path, "-")) return source_open_stream(source, stdin, "standard input", err);
    struct source *made = calloc(1, sizeof *made);
    if (!made) return fail_memory(err, "a frame source", sizeof *made);
    return finish_open(source, made,
                       file_is_folder(path) ? source_list_folder(&made->list, &made->arena, path, err)
                                            : open_file(made, path, err));
}

enum status source_open_stream(struct source **source, FILE *stream, const char *name, struct error *err)
{
    *source = NULL;
    struct source *made = calloc(1, sizeof *made);
    if (!made) return fail_memory(err, "a frame source", sizeof *made);
    const char *copy = arena_strdup(&made->arena, name);
    if (!copy) return finish_open(source, made, fail_memory(err, name, strlen(name)));
    stream_start(&made->stream, stream, copy);
    return finish_open(source, made, start_stream(made, err));
}

/* One PNG or PNM on a pipe. */
static enum status read_picture(struct source *source, struct image *out, struct error *err)
{
    struct stream *stream = &source->stream;
    size_t capacity = 1 << 16, size = 0;
    uint8_t *data = malloc(capacity);
    while (data) {
        size += stream_read(stream, data + size, capacity - size);
        if (size < capacity || capacity == MAX_PICTURE) break;
        uint8_t *larger = realloc(data, capacity *= 2);
        if (!larger) free(data);
        data = larger;
    }
    if (!data) return fail_memory(err, "a picture", capacity);
    enum status status;
    if (ferror(stream->file))
        status = fail_errno(err, "read", stream->name);
    else if (size == MAX_PICTURE)
        status = fail(err, ERR_INPUT, "%s: is larger than %d bytes", stream->name, MAX_PICTURE);
    else
        status = image_decode(out, data, size, stream->name, err);
    source->ended = true;
    free(data);
    return status;
}

static enum status next_of_stream(struct source *source, struct image *out, bool *end, struct error *err)
{
    enum status status;
    if (source->kind == Y4M) {
        status = y4m_next(&source->y4m, &source->stream, out, end, err);
        source->ended = status != OK;
    } else if (source->kind == MJPEG) {
        const int64_t before = source->mjpeg.frames;
        status = mjpeg_next(&source->mjpeg, &source->stream, out, end, err);
        source->ended =
            status != OK && source->mjpeg.frames == before; /* not even the end of the picture was found */
    } else {
        status = read_picture(source, out, err);
    }
    source->ended |= *end;
    return status;
}

enum status source_next(struct source *source, struct frame *frame, bool *end, struct error *err)
{
    const bool files = source->kind == FILES;
    *end = source->ended || (files && source->next == source->list.count);
    if (*end) return OK;
    frame->id = source->next++;
    frame->time = source->kind == Y4M ? y4m_time(&source->y4m, frame->id) : NAN;
    if (files) {
        frame->name = source->list.paths[frame->id];
        return image_read(&frame->image, frame->name, err);
    }
    snprintf(source->name, sizeof source->name, "%.480s#%lld", source->stream.name, (long long)frame->id);
    frame->name = source->name;
    return next_of_stream(source, &frame->image, end, err);
}

int64_t source_count(const struct source *source)
{
    return source->kind == FILES ? source->list.count : source->kind == PICTURE ? 1 : -1;
}

void source_close(struct source *source)
{
    if (!source) return;
    y4m_close(&source->y4m);
    mjpeg_close(&source->mjpeg);
    if (source->owned) fclose(source->owned);
    arena_free(&source->arena);
    free(source);
}
