#include "detect/data_yaml.h"

#include "base/text.h"

#include <string.h>

struct span {
    const char *at, *end;
};

struct reader {
    struct data_yaml *yaml;
    struct arena *arena;
    const char *name;
    size_t line;
    int count, nc; /* names so far; nc or -1 */
    bool in_names;
    struct error *err;
};

static enum status bad(const struct reader *r, const char *expected, struct span found)
{
    char shown[TEXT_SHOWN];
    return fail(r->err, ERR_INPUT, "%s:%zu: expected %s, found \"%s\"", r->name, r->line, expected,
                text_shown(shown, found.at, (size_t)(found.end - found.at)));
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static struct span trim(struct span s)
{
    while (s.at < s.end && is_blank(*s.at)) s.at++;
    while (s.at < s.end && is_blank(s.end[-1])) s.end--;
    return s;
}

/* Takes the text up to an unquoted stop character (or the end) off s; *found says whether the stop was there.
 */
static struct span split(struct span *s, char stop, bool *found)
{
    const struct span whole = *s;
    char quote = 0;
    for (; s->at < s->end; s->at++) {
        const char c = *s->at;
        if (quote ? c == quote
                  : c == '"' || (c == '\'' &&
                                 (s->at == whole.at || is_blank(s->at[-1]) || strchr("[{,:", s->at[-1])))) {
            quote = quote ? 0 : c;
        } else if (!quote && c == stop && (c != '#' || s->at == whole.at || is_blank(s->at[-1]))) {
            const struct span part = {whole.at, s->at++};
            *found = true;
            return trim(part);
        }
    }
    *found = false;
    return trim(whole);
}

static enum status copy_text(const char **out, struct reader *r, struct span s)
{
    s = trim(s);
    if (s.end - s.at >= 2 && (*s.at == '"' || *s.at == '\'') && s.end[-1] == *s.at) s.at++, s.end--;
    if (memchr(s.at, 0, (size_t)(s.end - s.at))) return bad(r, "text without NUL characters", s);
    *out = arena_strndup(r->arena, s.at, (size_t)(s.end - s.at));
    return *out ? OK : fail_memory(r->err, "text", (size_t)(s.end - s.at));
}

/* A class number, up to the limit. */
static bool parse_int(int *value, struct span s)
{
    *value = 0;
    if (s.at == s.end) return false;
    for (; s.at < s.end; s.at++) {
        if (*s.at < '0' || *s.at > '9') return false;
        *value = *value * 10 + (*s.at - '0');
        if (*value > DATA_YAML_MAX_CLASSES) return false;
    }
    return true;
}

static enum status add_name(struct reader *r, struct span text)
{
    if (r->count == DATA_YAML_MAX_CLASSES) return bad(r, "at most 10000 names", text);
    return copy_text(&r->yaml->names[r->count++], r, text);
}

/* "3: bus": numbers must count from 0. */
static enum status add_numbered(struct reader *r, struct span pair)
{
    bool found;
    int number;
    const struct span whole = pair, key = split(&pair, ':', &found);
    if (!found || !parse_int(&number, key) || number != r->count)
        return bad(r, "class numbers 0, 1, 2, ... with names", whole);
    return add_name(r, pair);
}

static enum status read_bracketed(struct reader *r, struct span s)
{
    const bool map = *s.at == '{';
    if (s.end[-1] != (map ? '}' : ']') || s.end - s.at < 2)
        return bad(r, "a closing bracket on the same line", s);
    s.at++, s.end--;
    for (bool more = true; more;) {
        const struct span item = split(&s, ',', &more);
        if (item.at == item.end && !more) break; /* an empty list, or a comma at the end */
        TRY(map ? add_numbered(r, item) : add_name(r, item));
    }
    return OK;
}

static enum status read_key(struct reader *r, struct span line)
{
    bool found;
    const struct span whole = line, key = split(&line, ':', &found);
    if (!found) return bad(r, "key: value", whole);
    const struct span value = trim(line);
    const size_t n = (size_t)(key.end - key.at);
    const struct {
        const char *key;
        const char **text;
    } texts[] = {{"path", &r->yaml->path}, {"train", &r->yaml->train}, {"val", &r->yaml->val}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (n == strlen(texts[i].key) && !memcmp(key.at, texts[i].key, n)) {
            if (value.at == value.end) return OK;
            if (*value.at == '[' || *value.at == '{') return bad(r, "one folder", value);
            return copy_text(texts[i].text, r, value);
        }
    if (n == 2 && !memcmp(key.at, "nc", 2))
        return parse_int(&r->nc, value) ? OK : bad(r, "nc: a number up to 10000", value);
    if (n != 5 || memcmp(key.at, "names", 5)) return OK;
    if (r->yaml->names) return bad(r, "names once", whole);
    r->yaml->names = arena_alloc(r->arena, DATA_YAML_MAX_CLASSES, sizeof *r->yaml->names);
    if (!r->yaml->names) return fail_memory(r->err, "class names", DATA_YAML_MAX_CLASSES * sizeof(char *));
    r->in_names = value.at == value.end;
    if (r->in_names) return OK;
    return *value.at == '[' || *value.at == '{' ? read_bracketed(r, value)
                                                : bad(r, "a list or map of names", value);
}

static enum status read_line(struct reader *r, struct span raw)
{
    bool comment;
    struct span line = raw;
    line = split(&line, '#', &comment);
    if (line.at == line.end || (line.end - line.at == 3 && !memcmp(line.at, "---", 3))) return OK;
    const bool item = *line.at == '-' && (line.end - line.at == 1 || is_blank(line.at[1]));
    if (!is_blank(*raw.at) && !item) {
        r->in_names = false;
        return read_key(r, line);
    }
    if (!r->in_names) return OK;
    if (!item) return add_numbered(r, line);
    line.at++;
    return add_name(r, line);
}

enum status data_yaml_parse(struct data_yaml *yaml, struct arena *arena, const void *data, size_t n,
                            const char *name, struct error *err)
{
    *yaml = (struct data_yaml){0};
    if (n > DATA_YAML_MAX_BYTES)
        return fail(err, ERR_INPUT, "%s: expected at most %d bytes, found %zu", name, DATA_YAML_MAX_BYTES, n);
    struct reader r = {.yaml = yaml, .arena = arena, .name = name, .nc = -1, .err = err};
    const char *at = data, *const end = at + n;
    while (at < end) {
        const char *const newline = memchr(at, '\n', (size_t)(end - at));
        const char *const stop = newline ? newline : end;
        r.line++;
        if (stop > at) TRY(read_line(&r, (struct span){at, stop}));
        at = newline ? newline + 1 : end;
    }
    if (!r.count) yaml->names = NULL;
    if (yaml->names && r.nc >= 0 && r.nc != r.count)
        return fail(err, ERR_INPUT, "%s: expected as many names as nc, found %d names and nc %d", name,
                    r.count, r.nc);
    yaml->classes = yaml->names ? r.count : r.nc > 0 ? r.nc : 0;
    return OK;
}
