/* retort world: frames of a made-up camera, with the truth about them. */
#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/world_files.h"
#include "image/y4m_write.h"

#include <stdlib.h>
#include <string.h>

struct values {
    const char *out, *start, *hours;
    struct option_size size;
    int64_t seed, frames, quality;
    double fps;
    int weather;
    bool y4m, masks, no_images, still;
};

static const struct option_choice weathers[] = {{"auto", WEATHER_AUTO},     {"clear", WEATHER_CLEAR},
                                                {"clouds", WEATHER_CLOUDS}, {"rain", WEATHER_RAIN},
                                                {"fog", WEATHER_FOG},       {0}};

#define AT(member) offsetof(struct values, member)
static const struct option options[] = {
    {"seed", 's', OPTION_INT, AT(seed), "0", 0, 9007199254740991.0,
     .help = "the camera: every seed is another place"},
    {"frames", 'n', OPTION_INT, AT(frames), "1000", 1, WORLD_MAX_FRAMES, .help = "number of frames"},
    {"out", 'o', OPTION_OUTPUT_FOLDER, AT(out),
     .help = "gets images/, labels/, data.yaml, coco.json and truth.jsonl; without it --y4m writes to "
             "standard output"},
    {"y4m", 0, OPTION_FLAG, AT(y4m), .help = "video.y4m instead of images/"},
    {"size", 0, OPTION_SIZE, AT(size), "640x360", WORLD_MIN_SIDE, WORLD_MAX_SIDE, .help = "of the frames"},
    {"fps", 0, OPTION_REAL, AT(fps), "5", 0.001, 1000, .help = "frames for each second of motion"},
    {"hours", 0, OPTION_TEXT, AT(hours), "6-22", .place = "FROM-TO",
     .help = "light, weather and density go through these hours of the day while the frames do; TO may be "
             "above 24"},
    {"start", 0, OPTION_TEXT, AT(start), .place = "HH:MM",
     .help = "instead of --hours: the day runs as fast as the vehicles, from this time on"},
    {"weather", 0, OPTION_CHOICE, AT(weather), "auto", .choices = weathers,
     .help = "auto changes over the day"},
    {"still", 0, OPTION_FLAG, AT(still), .help = "no shake, no shift of the camera, no jump of the exposure"},
    {"quality", 0, OPTION_INT, AT(quality), "85", 1, 100, .help = "of the JPEG files"},
    {"masks", 0, OPTION_FLAG, AT(masks),
     .help = "also masks/: class + 1 of what each pixel shows, 0 elsewhere (PNG)"},
    {"no-images", 0, OPTION_FLAG, AT(no_images), .help = "labels only"},
    {0},
};
#undef AT

enum { BATCH = 64, MAX_RECIPE = 1 << 16 };

struct job {
    struct run *run;
    const struct values *values;
    struct world *world;
    struct world_files files;
    struct file_writer coco, video;
    struct world_bytes *bytes; /* [BATCH] */
    int64_t first;
};

enum { DAY = 24 * 60 }; /* minutes */

/* "7" or "7:30" to seconds, up to `limit` minutes; *end is behind it. */
static bool read_time(double *seconds, const char *text, const char **end, int limit)
{
    int hours = 0, minutes = 0, digits = 0;
    for (; *text >= '0' && *text <= '9' && digits < 2; text++, digits++) hours = 10 * hours + (*text - '0');
    if (!digits) return false;
    if (*text == ':') {
        text++;
        for (digits = 0; *text >= '0' && *text <= '9' && digits < 2; text++, digits++)
            minutes = 10 * minutes + (*text - '0');
        if (digits != 2) return false;
    }
    *end = text;
    *seconds = 3600.0 * hours + 60.0 * minutes;
    return minutes < 60 && 60 * hours + minutes <= limit;
}

static enum status read_times(struct world_options *o, const struct values *v, struct error *err)
{
    const char *end;
    double to;
    if (v->start) {
        if (!read_time(&o->start, v->start, &end, DAY - 1) || *end)
            return fail(err, ERR_USAGE, "--start: expected a time of day like 7:30, found \"%.40s\"",
                        v->start);
        return OK;
    }
    if (!read_time(&o->start, v->hours, &end, DAY - 1) || *end++ != '-' ||
        !read_time(&to, end, &end, 2 * DAY) || *end || to <= o->start)
        return fail(err, ERR_USAGE,
                    "--hours: expected two rising times of day like 6-22 or 21:30-26, found \"%.40s\"",
                    v->hours);
    o->rate = (to - o->start) / ((double)v->frames / v->fps);
    return OK;
}

/* What the files of a folder were made with; another world must not mix with them. */
static enum status make_recipe(struct json_buffer *recipe, const struct job *job, struct error *err)
{
    struct values plain = *job->values;
    plain.out = NULL;
    const struct option_set shown = {options, &plain};
    TRY(json_buffer_begin(recipe, true, err));
    json_open(&recipe->out, NULL, '{');
    json_put_text(&recipe->out, "format", WORLD_FORMAT);
    json_put_text(&recipe->out, "place", world_setting(job->world));
    options_json(&recipe->out, &shown);
    json_close(&recipe->out);
    return json_buffer_end(recipe, err);
}

static enum status compare_recipe(const char *path, const struct json_buffer *recipe, struct error *err)
{
    struct file_view view;
    TRY(file_map(&view, path, err));
    const bool same = view.size == recipe->size && !memcmp(view.data, recipe->text, recipe->size);
    file_unmap(&view);
    if (same) return OK;
    return fail(err, ERR_USAGE,
                "%s: the folder holds another world; expected the same options or an empty folder", path);
}

static enum status check_recipe(const struct job *job, struct error *err)
{
    const char *folder = job->values->out, *path = arena_printf(&job->run->arena, "%s/world.json", folder);
    if (!path) return fail_memory(err, "a path", strlen(folder));
    struct json_buffer recipe;
    TRY(make_recipe(&recipe, job, err));
    enum status status = OK;
    if (file_exists(path)) {
        status = compare_recipe(path, &recipe, err);
    } else {
        status = file_make_folder(folder, err);
        if (status == OK) status = file_write(path, recipe.text, recipe.size, err);
    }
    free(recipe.text);
    return status;
}

static enum status take_frame(void *context, int64_t index, const struct image *image, const uint8_t *mask,
                              const struct world_truth *truth, int worker, struct error *err)
{
    struct job *job = context;
    (void)worker;
    struct world_bytes *bytes = &job->bytes[index - job->first];
    TRY(world_files_encode(bytes, &job->files, image, mask, truth, err));
    return world_files_write(bytes, &job->files, err);
}

static enum status render(struct job *job, struct error *err)
{
    const struct world_sink sink = {job, take_frame};
    const int64_t frames = job->values->frames;
    for (job->first = 0; job->first < frames; job->first += BATCH) {
        const int count = frames - job->first < BATCH ? (int)(frames - job->first) : BATCH;
        if (!progress_report(&job->run->progress, "world", job->first, frames, ""))
            return fail(err, ERR_INTERRUPTED,
                        "interrupted at frame %lld; the same command makes the folder whole",
                        (long long)job->first);
        TRY(world_render(job->world, job->first, count, &sink, err));
        for (int i = 0; i < count; i++) TRY(world_files_put(&job->files, &job->bytes[i], err));
    }
    progress_report(&job->run->progress, "world", frames, frames, "");
    return OK;
}

static enum status open_outputs(struct job *job, struct error *err)
{
    const struct values *v = job->values;
    if (!v->out) {
        job->files.video = stdout;
    } else {
        TRY(check_recipe(job, err));
        TRY(world_files_begin(&job->files, &job->coco, err));
        if (v->y4m) {
            const char *path = arena_printf(&job->run->arena, "%s/video.y4m", v->out);
            if (!path) return fail_memory(err, "a path", strlen(v->out));
            TRY(file_create(&job->video, path, err));
            job->files.video = job->video.stream;
        }
    }
    if (job->files.video) y4m_write_header(job->files.video, v->size.width, v->size.height, v->fps);
    return OK;
}

static enum status show(struct job *job, struct error *err)
{
    const struct world_files *f = &job->files;
    struct console *console = &job->run->console;
    if (!f->folder) return OK;
    if (!job->run->common.json) {
        console_print(
            console,
            "%s: %lld frame%s, %lld label%s, %lld object%s too small or hidden, %lld frame%s without a "
            "label\n",
            world_setting(job->world), (long long)f->frames, text_plural(f->frames), (long long)f->objects,
            text_plural(f->objects), (long long)f->ignored, text_plural(f->ignored), (long long)f->empty,
            text_plural(f->empty));
        return OK;
    }
    struct json_buffer json;
    TRY(json_buffer_begin(&json, false, err));
    json_open(&json.out, NULL, '{');
    json_put_text(&json.out, "place", world_setting(job->world));
    json_put_int(&json.out, "frames", f->frames);
    json_put_int(&json.out, "labels", f->objects);
    json_put_int(&json.out, "ignored", f->ignored);
    json_put_int(&json.out, "backgrounds", f->empty);
    json_open(&json.out, "per_class", '{');
    static const char *const names[8] = {"person", "bicycle", "car", "motorcycle",
                                         NULL,     "bus",     NULL,  "truck"};
    for (int i = 0; i < 8; i++)
        if (names[i]) json_put_int(&json.out, names[i], f->per_class[i]);
    json_close(&json.out);
    json_close(&json.out);
    return console_print_json(console, &json, err);
}

static enum status make(struct job *job, struct error *err)
{
    const struct values *v = job->values;
    struct world_options o = world_default_options();
    o.seed = (uint64_t)v->seed;
    o.width = v->size.width;
    o.height = v->size.height;
    o.fps = v->fps;
    o.weather = (enum weather)v->weather;
    o.still = v->still;
    o.threads = job->run->threads;
    TRY(read_times(&o, v, err));
    job->bytes = calloc(BATCH, sizeof *job->bytes);
    if (!job->bytes) return fail_memory(err, "frames", BATCH * sizeof *job->bytes);
    TRY(world_open(&job->world, &o, err));
    TRY(open_outputs(job, err));
    TRY(render(job, err));
    if (!v->out) return OK;
    TRY(world_files_end(&job->files, err));
    if (v->y4m) {
        struct file_writer video = job->video;
        job->video.stream = NULL;
        TRY(file_commit(&video, err));
    }
    return show(job, err);
}

static enum status run_world(struct run *run, struct error *err)
{
    const struct values *v = run->values;
    if (!v->out && !v->y4m)
        return fail(err, ERR_USAGE, "expected --out, or --y4m for a video on standard output");
    if (!v->out && (v->masks || v->no_images || run->common.manifest))
        return fail(err, ERR_USAGE, "--masks, --no-images and --manifest need --out");
    if (v->y4m && v->no_images) return fail(err, ERR_USAGE, "expected one of --y4m and --no-images");
    struct job job = {.run = run, .values = v};
    job.files = (struct world_files){.folder = v->out,
                                     .width = v->size.width,
                                     .height = v->size.height,
                                     .frames = v->frames,
                                     .pictures = !v->y4m && !v->no_images,
                                     .masks = v->masks,
                                     .quality = (int)v->quality};
    const enum status status = make(&job, err);
    for (int i = 0; job.bytes && i < BATCH; i++) world_bytes_free(&job.bytes[i]);
    free(job.bytes);
    world_files_drop(&job.files);
    if (job.video.stream) file_discard(&job.video);
    world_close(job.world);
    return status;
}

const struct command command_world = {
    .name = "world",
    .summary = "Makes frames of a camera that does not exist, with labels",
    .description =
        "Draws what a fixed camera somewhere sees: a road, a bend, a junction, a car park or a roundabout "
        "with its traffic, "
        "over the hours of a day. The same options give the same pictures on every machine.\n"
        "A frame's labels hold what is visible: class x y width height, classes as in COCO (person, bicycle, "
        "car, motorcycle, "
        "bus, truck). Objects that are hidden by more than four fifths or narrower or lower than 8 pixels "
        "are left out; truth.jsonl "
        "lists them, too, with depth and visibility.\n"
        "A folder that holds another world is refused; the same command again completes an interrupted one.",
    .options = options,
    .values_size = sizeof(struct values),
    .example = "retort world --seed 7 --frames 2000 --out camera7/\n"
               "retort world --seed 7 --frames 500 --start 17:30 --fps 10 --y4m | retort detect -m "
               "n.safetensors -f -",
    .run = run_world,
};
