#include "train/distill_folder.h"

#include "base/file.h"
#include "nn/load.h"
#include "train/earlier_run.h"
#include "train/recipe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- The recipe ---- */

static void add_text(struct sha256 *hash, const char *text)
{
    sha256_add(hash, text ? text : "", text ? strlen(text) + 1 : 1);
}

static enum status add_file(struct sha256 *hash, const char *path, struct error *err)
{
    char hex[SHA256_HEX] = "";
    if (path) TRY(sha256_file(path, hex, err));
    add_text(hash, hex);
    return OK;
}

static void add_list(struct sha256 *hash, const int *list, size_t count)
{
    sha256_add_number(hash, (double)count);
    for (size_t i = 0; i < count; i++) sha256_add_number(hash, list[i]);
}

enum status distill_recipe(char recipe[SHA256_HEX], const struct distill_options *o,
                           const struct model *student, struct error *err)
{
    const struct select_options *s = &o->select;
    const struct filter_options *f = &o->filter;
    const struct teacher_options *t = &o->teacher;
    const double numbers[] = {o->budget,
                              o->gamma,
                              o->merge_before,
                              o->teacher_confidence,
                              o->label_original,
                              o->head,
                              o->size,
                              o->validation,
                              o->extra_frames,
                              net_plan_number(o->plan),
                              s->rule,
                              s->warmup,
                              s->alpha,
                              s->rate,
                              s->reserve_last,
                              s->empty_is_zero,
                              s->policy,
                              f->rule,
                              f->aggregation,
                              f->entropy_aggregation,
                              f->mark_duplicates,
                              f->max_cosine,
                              f->pixels,
                              f->moderate_rule,
                              f->moderate_center,
                              t->size,
                              (double)t->confidence,
                              t->iou,
                              t->views};
    const char *const texts[] = {o->frames, o->teacher_labels, o->teacher_command,
                                 o->validation == DISTILL_FOLDER ? o->validation_folder : NULL, o->guard};
    struct sha256 hash;
    char hex[SHA256_HEX];
    sha256_init(&hash);
    recipe_add_options(&hash, &o->trainer, o->freeze);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sha256_add_number(&hash, numbers[i]);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) add_text(&hash, texts[i]);
    add_list(&hash, o->vehicles, (size_t)o->vehicle_count);
    add_list(&hash, t->class_list, t->class_list ? t->class_count : 0);
    params_hash(&student->params, hex);
    add_text(&hash, hex);
    TRY(add_file(&hash, o->teacher_weights, err));
    TRY(add_file(&hash, o->embedder, err));
    sha256_hex(&hash, recipe);
    return OK;
}

/* ---- Files ---- */

static const char *path_in(const char *folder, const char *name, struct arena *arena)
{
    return arena_printf(arena, "%s/%s", folder, name);
}

/* The file "recipe": the run's, and, once there is a set, that of its pictures. */
static const char *recipe_text(const char *recipe, const char *pictures, struct arena *arena)
{
    return pictures ? arena_printf(arena, "options %s\npictures %s\n", recipe, pictures)
                    : arena_printf(arena, "options %s\n", recipe);
}

/* Whether the file is there and begins with the text. */
static enum status begins_with(bool *begins, const char *path, const char *text, struct error *err)
{
    struct file_view view;
    const size_t n = strlen(text);
    *begins = false;
    if (!file_exists(path)) return OK;
    TRY(file_map(&view, path, err));
    *begins = view.size >= n && !memcmp(view.data, text, n);
    file_unmap(&view);
    return OK;
}

/* Pictures and labels are called 000017.jpg and 000017.txt; other files are somebody else's. */
static bool is_ours(const char *name)
{
    const size_t digits = strspn(name, "0123456789");
    return digits >= 6 && (!strcmp(name + digits, ".jpg") || !strcmp(name + digits, ".txt"));
}

static enum status remove_file(const char *path, struct error *err)
{
    return remove(path) && errno != ENOENT ? fail_errno(err, "remove", path) : OK;
}

static enum status clear(const char *folder, struct arena *arena, struct error *err)
{
    enum status status = OK;
    DIR *stream = opendir(folder);
    if (!stream) return errno == ENOENT ? OK : fail_errno(err, "open", folder);
    for (const char *name; (status = file_next_entry(&name, stream, folder, err)) == OK && name;) {
        if (!is_ours(name)) continue;
        const char *path = path_in(folder, name, arena);
        status = path ? remove_file(path, err) : fail_memory(err, folder, strlen(folder));
        if (status != OK) break;
    }
    closedir(stream);
    return status;
}

enum status distill_check_folder(const char *folder, bool resume, const char *recipe, struct arena *arena,
                                 struct error *err)
{
    static const char *const made[] = {"set",
                                       "candidates",
                                       "validation",
                                       "answers",
                                       "train",
                                       "selection.jsonl",
                                       "weights.safetensors",
                                       "report.html",
                                       "recipe",
                                       NULL};
    bool same;
    if (!resume) return earlier_run_refuse(folder, made, err);
    const char *path = path_in(folder, "recipe", arena), *text = recipe_text(recipe, NULL, arena);
    if (!path || !text) return fail_memory(err, "a path", strlen(folder));
    TRY(begins_with(&same, path, text, err));
    if (same || !file_exists(path)) return OK;
    return fail(err, ERR_INPUT,
                "%s: belongs to a run with other options, weights or frames; give the same ones or another "
                "folder",
                path);
}

enum status distill_open_folder(const char *folder, const char *recipe, struct arena *arena,
                                struct error *err)
{
    const char *path = path_in(folder, "recipe", arena), *text = recipe_text(recipe, NULL, arena);
    const char *candidates = path_in(folder, "candidates", arena);
    if (!path || !text || !candidates) return fail_memory(err, "a path", strlen(folder));
    TRY(clear(candidates, arena, err));
    TRY(file_make_folder(folder, err));
    return file_exists(path) ? OK : file_write(path, text, strlen(text), err);
}

enum status distill_open_sets(const char *folder, const char *recipe, const char *pictures,
                              struct arena *arena, struct error *err)
{
    static const char *const filled[] = {"set/images", "validation/images", "set/labels",
                                         "validation/labels"};
    enum { IMAGES = 2, ALL = 4 };
    const char *path = path_in(folder, "recipe", arena), *text = recipe_text(recipe, pictures, arena);
    bool same;
    if (!path || !text) return fail_memory(err, "a path", strlen(folder));
    TRY(begins_with(&same, path, text, err));
    for (int i = 0; i < (same ? IMAGES : ALL); i++) {
        const char *inside = path_in(folder, filled[i], arena);
        if (!inside) return fail_memory(err, "a path", strlen(folder));
        TRY(clear(inside, arena, err));
    }
    return same ? OK : file_write(path, text, strlen(text), err);
}

enum status distill_forget_end(const char *folder, struct arena *arena, struct error *err)
{
    static const char *const made[] = {"manifest.json", "report.html", "weights.safetensors"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        const char *path = path_in(folder, made[i], arena);
        if (!path) return fail_memory(err, "a path", strlen(folder));
        TRY(remove_file(path, err));
    }
    return OK;
}

void distill_leave_nothing(const struct distill_result *result, const char *folder, struct arena *arena)
{
    for (int i = 0; i < result->candidate_count; i++) remove(result->candidates[i].file);
    for (int i = 0; i < result->extra_count; i++) remove(result->extra[i].file);
    const char *candidates = path_in(folder, "candidates", arena), *set = path_in(folder, "set", arena),
               *recipe = path_in(folder, "recipe", arena);
    if (!candidates || !set || !recipe) return;
    rmdir(candidates); /* leaves what holds anything */
    if (!file_exists(set)) remove(recipe);
    rmdir(folder);
}
