#include "detect/dataset.h"

#include "base/file.h"
#include "detect/data_yaml.h"
#include "image/source_list.h"

#include <stdbool.h>
#include <string.h>

static enum status list_pictures(struct dataset *dataset, const char *images, const char *labels,
                                 struct error *err)
{
    struct source_list list = {0};
    struct arena *const arena = &dataset->arena;
    if (!images || !labels) return fail_memory(err, "paths", 0);
    dataset->images = images;
    dataset->labels = labels;
    TRY(source_list_folder(&list, arena, images, err));
    if (list.count > DATASET_MAX_PICTURES)
        return fail(err, ERR_INPUT, "%s: expected at most %d pictures, found %lld", images,
                    DATASET_MAX_PICTURES, (long long)list.count);
    dataset->items = arena_alloc(arena, (size_t)list.count, sizeof *dataset->items);
    if (!dataset->items) return fail_memory(err, "the list of pictures", (size_t)list.count);
    for (; dataset->count < (size_t)list.count; dataset->count++) {
        struct dataset_item *const item = dataset->items + dataset->count;
        item->image = list.paths[dataset->count];
        const char *const name = strrchr(item->image, '/') + 1;
        item->labels = arena_printf(arena, "%s/%.*s.txt", labels, (int)(strrchr(name, '.') - name), name);
        if (!item->labels) return fail_memory(err, "paths", strlen(item->image));
    }
    return OK;
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
    static const char *const yaml_names[] = {".yaml", ".yml"};
    const bool yaml = source_list_ends_in(path, yaml_names, 2);
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
