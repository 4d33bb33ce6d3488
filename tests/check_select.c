#include "check_select.h"

#include "check.h"
#include "check_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 20 };

static bool named(const char *rules, const char *rule)
{
    const size_t n = strlen(rule);
    for (const char *at = strstr(rules, rule); at; at = strstr(at + 1, rule))
        if ((at == rules || at[-1] == ' ') && (at[n] == ' ' || !at[n])) return true;
    return false;
}

void check_cases(const char *path, const char *rules, void (*run)(const struct check_case *c))
{
    check_needs_json();
    struct json *root;
    struct error err;
    check_ok(json_read_file(&root, path, FILE_LIMIT, &err), &err);
    int count = 0;
    for (size_t i = 0; i < json_count(root); i++) {
        const struct json *item = json_item(root, i);
        struct arena arena = {0};
        const struct check_case c = {json_text(json_member(item, "name")),
                                     json_text(json_member(item, "rule")), json_member(item, "input"),
                                     json_member(item, "expect"), &arena};
        assert_non_null(c.rule);
        if (named(rules, c.rule)) {
            run(&c);
            count++;
        }
        arena_free(&arena);
    }
    json_free(root);
    assert_true(count > 0);
}

bool check_expects_error(const struct check_case *c) { return json_member(c->expect, "error") != NULL; }

enum aggregation check_aggregation(const char *name)
{
    int i = 0;
    while (i < AGGREGATIONS && strcmp(name, aggregation_name((enum aggregation)i))) i++;
    assert_true(i < AGGREGATIONS);
    return (enum aggregation)i;
}

bool check_list(const struct json *list, const int *values, int n)
{
    if (json_kind(list) != JSON_KIND_ARRAY || json_count(list) != (size_t)n) return false;
    for (int i = 0; i < n; i++)
        if (json_int(json_item(list, (size_t)i), -1) != values[i]) return false;
    return true;
}

bool check_near(double value, const struct json *expected)
{
    const double x = json_number(expected, NAN);
    return fabs(value - x) <= 1e-12 * fabs(x);
}

static double value_at(const void *context, int64_t index) { return ((const double *)context)[index]; }

struct draws check_draws_of(const double *values) { return (struct draws){value_at, values}; }

struct draws check_draws(struct arena *arena, const char *name, int n)
{
    float *u = arena_alloc(arena, (size_t)n, sizeof *u);
    double *values = arena_alloc(arena, (size_t)n, sizeof *values);
    check_uniform(u, name, (size_t)n);
    for (int i = 0; i < n; i++) values[i] = (double)u[i];
    return check_draws_of(values);
}

static void normalise(float *row, const double *v, int n)
{
    double norm = 0;
    for (int j = 0; j < n; j++) norm += v[j] * v[j];
    norm = sqrt(norm);
    for (int j = 0; j < n; j++) row[j] = (float)(v[j] / norm);
}

static struct check_rows rows_of(struct arena *arena, int count, int width)
{
    return (struct check_rows){arena_alloc(arena, (size_t)count * (size_t)width, sizeof(float)), count,
                               width};
}

struct check_rows check_unit(struct arena *arena, const char *tag, int count, int width)
{
    const struct check_rows rows = rows_of(arena, count, width);
    double *v = arena_alloc(arena, (size_t)width, sizeof *v);
    check_uniform(rows.values, tag, (size_t)count * (size_t)width);
    for (int i = 0; i < count; i++) {
        float *row = rows.values + (size_t)i * (size_t)width;
        for (int j = 0; j < width; j++) v[j] = 2 * (double)row[j] - 1;
        normalise(row, v, width);
    }
    return rows;
}

struct check_rows check_clusters(struct arena *arena, const char *tag, int count, int width, int clusters)
{
    char name[64];
    snprintf(name, sizeof name, "%s.c", tag);
    const struct check_rows centres = check_unit(arena, name, clusters, width);
    snprintf(name, sizeof name, "%s.n", tag);
    const struct check_rows rows = check_unit(arena, name, count, width);
    double *v = arena_alloc(arena, (size_t)width, sizeof *v);
    for (int i = 0; i < count; i++) {
        float *row = rows.values + (size_t)i * (size_t)width;
        const float *centre = centres.values + (size_t)(i % clusters) * (size_t)width;
        for (int j = 0; j < width; j++) v[j] = (double)centre[j] + 0.6 * (double)row[j];
        normalise(row, v, width);
    }
    return rows;
}

struct check_rows check_embeddings(const struct check_case *c)
{
    const struct json *source = json_member(c->input, "embeddings");
    const char *formula = json_text(json_member(source, "formula"));
    if (formula) {
        const char *tag = json_text(json_member(source, "tag"));
        const int count = (int)json_int(json_member(source, "M"), 0);
        const int width = (int)json_int(json_member(source, "d"), 0);
        if (!strcmp(formula, "unit")) return check_unit(c->arena, tag, count, width);
        return check_clusters(c->arena, tag, count, width, (int)json_int(json_member(source, "k"), 1));
    }
    const int count = (int)json_count(source), width = (int)json_count(json_item(source, 0));
    const struct check_rows rows = rows_of(c->arena, count, width);
    for (int i = 0; i < count * width; i++)
        rows.values[i] =
            (float)json_number(json_item(json_item(source, (size_t)(i / width)), (size_t)(i % width)), NAN);
    return rows;
}

const struct kernels *check_kernels(void)
{
    int count;
    return kernels_available(&count)[0];
}
