#include "detect/dataset.h"

#include "base/file.h"
#include "detect/data_yaml.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool ends_with(const char *name, const char *end)
{
    const size_t n = strlen(name), m = strlen(end);
    return n > m && !strcasecmp(name + n - m, end);
}

static bool is_picture(const char *name)
{
    static const char *const ends[] = {".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".pnm"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (name[0] != '.' && ends_with(name, ends[i])) return true;
    return false;
}

static int compare_items(const void *a, const void *b)
{
    return strcmp(((const struct dataset_item *)a)->image, ((const struct dataset_item *)b)->image);
}

static enum status make_item(struct dataset_item *item, struct arena *arena, const char *images,
                             const char *labels, const char *name, struct error *err)
{
    const int stem = (int)(strrchr(name, '.') - name);
    item->image = arena_printf(arena, "%s/%s", images, name);
    item->labels = arena_printf(arena, "%s/%.*s.txt", labels, stem, name);
    return item->image && item->labels ? OK : fail_memory(err, "paths", strlen(images) + strlen(name));
}

/* Two passes over the folder: count, then fill; a picture that comes between the two is left out. */
static enum status list_folder(struct dataset *dataset, const char *images, const char *labels, DIR *dir,
                               struct error *err)
{
    size_t n = 0;
    for (const struct dirent *e; (e = readdir(dir));) n += is_picture(e->d_name);
    if (!n) return fail(err, ERR_INPUT, "%s: expected pictures (.jpg, .png, .ppm, .pgm), found none", images);
    if (n > DATASET_MAX_PICTURES)
        return fail(err, ERR_INPUT, "%s: expected at most %d pictures, found %zu", images,
                    DATASET_MAX_PICTURES, n);
    dataset->items = arena_alloc(&dataset->arena, n, sizeof *dataset->items);
    if (!dataset->items) return fail_memory(err, "the list of pictures", n * sizeof *dataset->items);
    rewinddir(dir);
    for (const struct dirent *e; dataset->count < n && (e = readdir(dir));)
        if (is_picture(e->d_name))
            TRY(make_item(&dataset->items[dataset->count++], &dataset->arena, images, labels, e->d_name,
                          err));
    qsort(dataset->items, dataset->count, sizeof *dataset->items, compare_items);
    return OK;
}

static enum status list_pictures(struct dataset *dataset, const char *images, const char *labels,
                                 struct error *err)
{
    if (!images || !labels) return fail_memory(err, "paths", 0);
    DIR *const dir = opendir(images);
    if (!dir) return fail_errno(err, "open the folder", images);
    const enum status status = list_folder(dataset, images, labels, dir, err);
    closedir(dir);
    return status;
}

/* path with its last component "images" replaced by "labels"; NULL without one. */
static const char *label_folder(struct arena *arena, const char *path)
{
    static const char word[] = "images";
    const size_t n = sizeof word - 1;
    for (const char *at = path + strlen(path); at-- > path;) {
        const bool starts = at == path || at[-1] == '/';
        if (starts && !strncmp(at, word, n) && (at[n] == '/' || !at[n]))
            return arena_printf(arena, "%.*slabels%s", (int)(at - path), path, at + n);
    }
    return NULL;
}

static const char *join(struct arena *arena, const char *folder, const char *path)
{
    return path[0] == '/' ? path : arena_printf(arena, "%s/%s", folder, path);
}

static enum status open_yaml(struct dataset *dataset, const char *path, enum dataset_split split,
                             struct error *err)
{
    struct file_view view;
    struct data_yaml yaml;
    TRY(file_map(&view, path, err));
    const enum status status = data_yaml_parse(&yaml, &dataset->arena, view.data, view.size, path, err);
    file_unmap(&view);
    TRY(status);
    dataset->classes = yaml.classes;
    dataset->names = yaml.names;
    const char *const part = split == DATASET_TRAIN ? yaml.train : yaml.val;
    if (!part)
        return fail(err, ERR_INPUT, "%s: expected a key %s, found none", path, split ? "val" : "train");
    const char *const slash = strrchr(path, '/');
    const char *folder = slash ? arena_strndup(&dataset->arena, path, (size_t)(slash - path)) : ".";
    if (folder && yaml.path) folder = join(&dataset->arena, folder, yaml.path);
    const char *const images = folder ? join(&dataset->arena, folder, part) : NULL;
    if (!images) return fail_memory(err, "paths", strlen(path));
    const char *const labels = label_folder(&dataset->arena, images);
    if (!labels)
        return fail(err, ERR_INPUT, "%s: expected a folder \"images\" in %s, found none", path, images);
    return list_pictures(dataset, images, labels, err);
}

enum status dataset_open(struct dataset *dataset, const char *path, enum dataset_split split,
                         struct error *err)
{
    *dataset = (struct dataset){0};
    struct arena *const arena = &dataset->arena;
    const bool yaml = ends_with(path, ".yaml") || ends_with(path, ".yml");
    const enum status status = yaml ? open_yaml(dataset, path, split, err)
                                    : list_pictures(dataset, arena_printf(arena, "%s/images", path),
                                                    arena_printf(arena, "%s/labels", path), err);
    if (status != OK) dataset_close(dataset);
    return status;
}

void dataset_close(struct dataset *dataset)
{
    arena_free(&dataset->arena);
    *dataset = (struct dataset){0};
}

static enum status count_item(struct dataset_statistics *s, size_t *counts, const struct dataset_item *item,
                              int classes, struct error *err)
{
    struct arena arena = {0};
    struct labels labels;
    const enum status status = labels_read(&labels, &arena, item->labels, classes, err);
    if (status == OK) {
        s->images++;
        s->labels += labels.count;
        s->backgrounds += !labels.count;
        for (size_t i = 0; i < labels.count; i++) {
            counts[labels.rows[i].class_id]++;
            if (labels.rows[i].class_id >= s->classes) s->classes = labels.rows[i].class_id + 1;
        }
    }
    arena_free(&arena);
    return status;
}

enum status dataset_count(struct dataset_statistics *s, struct dataset *dataset, struct error *err)
{
    *s = (struct dataset_statistics){.classes = dataset->classes};
    s->per_class = arena_alloc(&dataset->arena, LABELS_MAX_CLASSES, sizeof *s->per_class);
    if (!s->per_class) return fail_memory(err, "class counts", LABELS_MAX_CLASSES * sizeof *s->per_class);
    for (size_t i = 0; i < dataset->count; i++)
        TRY(count_item(s, s->per_class, &dataset->items[i], dataset->classes, err));
    return OK;
}
