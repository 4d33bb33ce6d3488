#include "nn/pt.h"

#include "nn/pickle.h"
#include "nn/zip.h"

#include <stdio.h>
#include <string.h>

struct reader {
    struct weights *weights;
    struct zip zip;
    const char *prefix; /* folder of all entries, with the slash */
    int capacity;       /* of weights->tensors */
    size_t modules;
    size_t steps; /* items of dicts and lists that were looked at */
    struct error *err;
};

static const struct {
    const char *name;
    enum weight_type type;
} storages[] = {
    {"torch.FloatStorage", WEIGHT_F32},     {"torch.HalfStorage", WEIGHT_F16},
    {"torch.BFloat16Storage", WEIGHT_BF16}, {"torch.DoubleStorage", WEIGHT_F64},
    {"torch.LongStorage", WEIGHT_I64},      {"torch.IntStorage", WEIGHT_I32},
    {"torch.ShortStorage", WEIGHT_I16},     {"torch.CharStorage", WEIGHT_I8},
    {"torch.ByteStorage", WEIGHT_U8},       {"torch.BoolStorage", WEIGHT_BOOL},
};
enum { STORAGES = sizeof storages / sizeof *storages };

static const struct pickle_node *item(const struct pickle_node *tuple, size_t i)
{
    return tuple && tuple->kind == PICKLE_TUPLE && i < tuple->count ? tuple->items[i] : NULL;
}

static bool is_call(const struct pickle_node *node, const char *function)
{
    return node && node->kind == PICKLE_OBJECT && pickle_is(node->callable, PICKLE_GLOBAL, function);
}

/* The call that rebuilds a tensor, without the parameter around it; NULL when the value is something else. */
static const struct pickle_node *tensor_call(const struct pickle_node *node)
{
    if (is_call(node, "torch._utils._rebuild_parameter") ||
        is_call(node, "torch._utils._rebuild_parameter_with_state"))
        node = item(node->args, 0);
    return is_call(node, "torch._utils._rebuild_tensor_v2") ? node : NULL;
}

static enum status wrong(const struct reader *r, const char *name, const char *reason)
{
    return fail(r->err, ERR_INPUT, "%s: tensor %.200s: %s", r->weights->path, name, reason);
}

/* The storage's bytes and its element count, checked against the archive. */
static enum status read_storage(struct weight_tensor *tensor, int64_t *elements, const struct reader *r,
                                const struct pickle_node *persistent)
{
    const struct pickle_node *id =
        persistent && persistent->kind == PICKLE_PERSISTENT ? persistent->args : NULL;
    const struct pickle_node *class = item(id, 1), *key = item(id, 2), *count = item(id, 4);
    if (!pickle_is(item(id, 0), PICKLE_TEXT, "storage") || !class || class->kind != PICKLE_GLOBAL || !key ||
        key->kind != PICKLE_TEXT || !count || count->kind != PICKLE_INT)
        return wrong(r, tensor->name, "expected ('storage', class, key, location, count)");
    size_t kind = 0;
    while (kind < STORAGES && !pickle_is(class, PICKLE_GLOBAL, storages[kind].name)) kind++;
    if (kind == STORAGES)
        return fail(r->err, ERR_INPUT, "%s: tensor %.200s: storage %.*s is not supported", r->weights->path,
                    tensor->name, class->size < 100 ? (int)class->size : 100, class->text);
    tensor->type = storages[kind].type;
    char name[PT_MAX_NAME];
    snprintf(name, sizeof name, "%sdata/%.*s", r->prefix, key->size < 100 ? (int)key->size : 100, key->text);
    const struct zip_entry *entry = zip_find(&r->zip, name);
    if (!entry) return wrong(r, tensor->name, "its storage is not in the archive");
    const int64_t room = (int64_t)(entry->size / weights_type_size(tensor->type));
    if (count->integer < 0 || count->integer > room)
        return wrong(r, tensor->name, "its storage is shorter than stated");
    *elements = count->integer;
    tensor->data = entry->data;
    return OK;
}

/* offset, shape and strides: the last element must lie in the storage. */
static enum status read_view(struct weight_tensor *tensor, const struct reader *r, int64_t elements,
                             const struct pickle_node *args)
{
    const struct pickle_node *offset = item(args, 1), *shape = item(args, 2), *stride = item(args, 3);
    if (!offset || offset->kind != PICKLE_INT || !shape || shape->kind != PICKLE_TUPLE || !stride ||
        stride->kind != PICKLE_TUPLE || shape->count != stride->count)
        return wrong(r, tensor->name, "expected offset, shape and strides");
    if (shape->count > WEIGHTS_MAX_DIMS) return wrong(r, tensor->name, "too many dimensions");
    tensor->dims = (int)shape->count;
    for (int d = 0; d < tensor->dims; d++) {
        if (shape->items[d]->kind != PICKLE_INT || stride->items[d]->kind != PICKLE_INT)
            return wrong(r, tensor->name, "expected integer shape and strides");
        tensor->shape[d] = shape->items[d]->integer;
        tensor->stride[d] = stride->items[d]->integer;
    }
    /* More elements than the storage would be an expanded view; no weight is one, and memory is at stake. */
    if (!weights_count(&tensor->count, tensor->shape, tensor->dims, elements))
        return wrong(r, tensor->name, "larger than its storage");
    if (offset->integer < 0 || offset->integer > elements)
        return wrong(r, tensor->name, "outside its storage");
    int64_t left = elements - offset->integer - 1;
    for (int d = 0; d < tensor->dims && tensor->count; d++) {
        const int64_t steps = tensor->shape[d] - 1;
        if (tensor->stride[d] < 0) return wrong(r, tensor->name, "negative stride");
        if (steps && tensor->stride[d] > left / steps) return wrong(r, tensor->name, "outside its storage");
        left -= steps * tensor->stride[d];
    }
    if (tensor->count && left < 0) return wrong(r, tensor->name, "outside its storage");
    tensor->data += (size_t)offset->integer * weights_type_size(tensor->type);
    return OK;
}

static enum status add_tensor(struct reader *r, const char *name, const struct pickle_node *call)
{
    struct weights *weights = r->weights;
    if (weights->count >= WEIGHTS_MAX_TENSORS)
        return fail(r->err, ERR_INPUT, "%s: more than %d tensors", weights->path, WEIGHTS_MAX_TENSORS);
    struct weight_tensor *tensors =
        arena_grow(&weights->arena, weights->tensors, (int)weights->count, &r->capacity, sizeof *tensors);
    if (!tensors) return fail_memory(r->err, weights->path, 2 * weights->count * sizeof *tensors);
    weights->tensors = tensors;
    struct weight_tensor *tensor = &weights->tensors[weights->count];
    *tensor = (struct weight_tensor){.name = name};
    int64_t elements;
    TRY(read_storage(tensor, &elements, r, item(call->args, 0)));
    TRY(read_view(tensor, r, elements, call->args));
    weights->count++;
    return OK;
}

static enum status join(const char **name, struct reader *r, const char *path, const struct pickle_node *key)
{
    if (key->kind != PICKLE_TEXT || memchr(key->text, 0, key->size) || strlen(path) + key->size > PT_MAX_NAME)
        return fail(r->err, ERR_INPUT, "%s: below \"%.200s\": expected a name of at most %d bytes",
                    r->weights->path, path, PT_MAX_NAME);
    *name = arena_printf(&r->weights->arena, "%s%s%.*s", path, *path ? "." : "", (int)key->size, key->text);
    return *name ? OK : fail_memory(r->err, r->weights->path, key->size);
}

static bool is_mapping(const struct pickle_node *node)
{
    return node && (node->kind == PICKLE_DICT || is_call(node, "collections.OrderedDict"));
}

/* Values may be shared: a small file can hold many modules that have one large dict. */
static enum status walk(struct reader *r, const struct pickle_node *node)
{
    r->steps += node ? node->count : 0;
    if (r->steps <= PT_MAX_STEPS) return OK;
    return fail(r->err, ERR_INPUT, "%s: data.pkl: its dicts take more than %d steps to walk", r->weights->path,
                PT_MAX_STEPS);
}

/* The texts of a set, stored as one or as set([...]); NULL when it is none. */
static const struct pickle_node *list_of(const struct pickle_node *set)
{
    const bool call = is_call(set, "__builtin__.set") || is_call(set, "builtins.set");
    const struct pickle_node *list = call ? item(set->args, 0) : set;
    return list && (list->kind == PICKLE_LIST || list->kind == PICKLE_SET) ? list : NULL;
}

static bool holds(const struct pickle_node *list, const struct pickle_node *text)
{
    if (!list || text->kind != PICKLE_TEXT) return false;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i]->kind == PICKLE_TEXT && list->items[i]->size == text->size &&
            memcmp(list->items[i]->text, text->text, text->size) == 0)
            return true;
    return false;
}

/* The tensors of a dict under path; other values and the names in skip are passed over. */
static enum status add_dict(struct reader *r, const char *path, const struct pickle_node *dict,
                            const struct pickle_node *skip)
{
    if (!is_mapping(dict)) return OK;
    const struct pickle_node *const names = list_of(skip);
    TRY(walk(r, dict));
    for (size_t i = 0; i + 1 < dict->count; i += 2) {
        const struct pickle_node *call = tensor_call(dict->items[i + 1]);
        if (!call) continue;
        TRY(walk(r, names));
        if (holds(names, dict->items[i])) continue;
        const char *name;
        TRY(join(&name, r, path, dict->items[i]));
        TRY(add_tensor(r, name, call));
    }
    return OK;
}

static enum status add_module(struct reader *r, const char *path, const struct pickle_node *module, int depth)
{
    /* Modules may be shared or contain themselves. */
    if (depth > PT_MAX_DEPTH || r->modules++ >= PT_MAX_MODULES)
        return fail(r->err, ERR_INPUT, "%s: module %.200s: too many or too deeply nested modules",
                    r->weights->path, path);
    TRY(walk(r, module->state));
    TRY(add_dict(r, path, pickle_get(module->state, "_parameters"), NULL));
    TRY(add_dict(r, path, pickle_get(module->state, "_buffers"),
                 pickle_get(module->state, "_non_persistent_buffers_set")));
    const struct pickle_node *children = pickle_get(module->state, "_modules");
    TRY(walk(r, children));
    for (size_t i = 0; is_mapping(children) && i + 1 < children->count; i += 2) {
        const struct pickle_node *child = children->items[i + 1];
        if (child->kind != PICKLE_OBJECT || !child->state) continue;
        const char *name;
        TRY(join(&name, r, path, children->items[i]));
        TRY(add_module(r, name, child, depth + 1));
    }
    return OK;
}

static enum status add_text(struct reader *r, const char *key, const char *value)
{
    if (!value) return fail_memory(r->err, r->weights->path, 1);
    r->weights->metadata[r->weights->metadata_count++] = (struct weight_text){key, value};
    return OK;
}

static const struct pickle_node *class_name(const struct pickle_node *names, size_t number)
{
    for (size_t i = 0; i + 1 < names->count; i += 2)
        if (names->items[i]->kind == PICKLE_INT && names->items[i]->integer == (int64_t)number &&
            names->items[i + 1]->kind == PICKLE_TEXT)
            return names->items[i + 1];
    return NULL;
}

/* Names 0, 1, ... one a line; nothing when a number is missing. */
static enum status add_classes(struct reader *r, const struct pickle_node *names)
{
    enum { MAX_CLASSES = 10000, MAX_BYTES = 1 << 20 };
    const size_t classes = is_mapping(names) ? names->count / 2 : 0;
    if (!classes || classes > MAX_CLASSES) return OK;
    size_t bytes = 0;
    for (size_t i = 0; i < classes; i++) {
        const struct pickle_node *name = class_name(names, i);
        if (!name || bytes > MAX_BYTES || memchr(name->text, 0, name->size)) return OK;
        bytes += name->size + 1;
    }
    char *text = arena_alloc(&r->weights->arena, bytes, 1), *end = text;
    for (size_t i = 0; text && i < classes; i++) {
        const struct pickle_node *name = class_name(names, i);
        for (size_t k = 0; k < name->size; k++) *end++ = name->text[k] == '\n' ? ' ' : name->text[k];
        *end++ = i + 1 < classes ? '\n' : 0;
    }
    return add_text(r, "classes", text);
}

static enum status add_metadata(struct reader *r, const struct pickle_node *state)
{
    enum { ENTRIES = 2 };
    r->weights->metadata = arena_alloc(&r->weights->arena, ENTRIES, sizeof *r->weights->metadata);
    if (!r->weights->metadata) return fail_memory(r->err, r->weights->path, ENTRIES);
    const struct pickle_node *file = pickle_get(pickle_get(state, "yaml"), "yaml_file");
    static const char suffix[] = ".yaml";
    const size_t cut = sizeof suffix - 1;
    if (file && file->kind == PICKLE_TEXT && file->size > cut && file->size < PT_MAX_NAME &&
        memcmp(file->text + file->size - cut, suffix, cut) == 0)
        TRY(add_text(r, "architecture", arena_strndup(&r->weights->arena, file->text, file->size - cut)));
    return add_classes(r, pickle_get(state, "names"));
}

static bool is_module(const struct pickle_node *node)
{
    return node && node->kind == PICKLE_OBJECT && pickle_get(node->state, "_modules");
}

static const struct pickle_node *choose(const struct pickle_node *root)
{
    static const char *const keys[] = {"ema", "model", "state_dict"};
    for (size_t i = 0; is_mapping(root) && i < sizeof keys / sizeof *keys; i++) {
        const struct pickle_node *value = pickle_get(root, keys[i]);
        if (is_module(value) || is_mapping(value)) return value;
    }
    return root;
}

/* Finds the folder of the archive by its only data.pkl. */
static enum status find_pickle(const struct zip_entry **found, struct reader *r)
{
    static const char suffix[] = "/data.pkl";
    const size_t cut = sizeof suffix - 1;
    *found = NULL;
    for (size_t i = 0; i < r->zip.count; i++) {
        const struct zip_entry *entry = &r->zip.entries[i];
        if (entry->name_size < cut || entry->name_size > PT_MAX_NAME / 2 ||
            memcmp(entry->name + entry->name_size - cut, suffix, cut) != 0)
            continue;
        if (*found)
            return fail(r->err, ERR_INPUT, "%s: more than one data.pkl in the archive", r->weights->path);
        *found = entry;
        r->prefix = arena_strndup(&r->weights->arena, entry->name, entry->name_size - cut + 1);
        if (!r->prefix) return fail_memory(r->err, r->weights->path, entry->name_size);
    }
    if (*found) return OK;
    return fail(r->err, ERR_INPUT, "%s: no data.pkl in the archive, expected a PyTorch file",
                r->weights->path);
}

static enum status check_byte_order(const struct reader *r)
{
    char name[PT_MAX_NAME];
    snprintf(name, sizeof name, "%sbyteorder", r->prefix);
    const struct zip_entry *entry = zip_find(&r->zip, name);
    if (!entry || (entry->size == 6 && memcmp(entry->data, "little", 6) == 0)) return OK;
    return fail(r->err, ERR_INPUT, "%s: byteorder: expected \"little\"", r->weights->path);
}

static enum status read_all(struct reader *r, const uint8_t *data, size_t n)
{
    struct weights *weights = r->weights;
    TRY(zip_read(&r->zip, &weights->arena, data, n, weights->path, r->err));
    const struct zip_entry *entry;
    TRY(find_pickle(&entry, r));
    TRY(check_byte_order(r));
    struct pickle_node *root;
    TRY(pickle_read(&root, &weights->arena, entry->data, entry->size, weights->path, r->err));
    const struct pickle_node *chosen = choose(root);
    if (is_module(chosen)) {
        TRY(add_module(r, "", chosen, 0));
        TRY(add_metadata(r, chosen->state));
    } else {
        TRY(add_dict(r, "", chosen, NULL));
    }
    if (!weights->count) return fail(r->err, ERR_INPUT, "%s: data.pkl: no tensors found", weights->path);
    return weights_index(weights, r->err);
}

enum status pt_parse(struct weights *weights, const void *data, size_t n, const char *name, struct error *err)
{
    *weights = (struct weights){0};
    weights->path = arena_strdup(&weights->arena, name);
    if (!weights->path) return fail_memory(err, name, strlen(name));
    struct reader reader = {.weights = weights, .err = err};
    const enum status status = read_all(&reader, data, n);
    if (status != OK) weights_close(weights);
    return status;
}
