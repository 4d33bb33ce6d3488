/* What the selection tests share: reference cases, embeddings by formula, lists from JSON. */
#ifndef RETORT_TESTS_CHECK_SELECT_H
#define RETORT_TESTS_CHECK_SELECT_H

#include "base/arena.h"
#include "base/json.h"
#include "kernels/kernels.h"
#include "select/confidence.h"
#include "select/draws.h"

/* Calls run for every case of the file whose "rule" is one of the space-separated names. */
struct check_case {
    const char *name, *rule;
    const struct json *input, *expect;
    struct arena *arena;
};
void check_cases(const char *path, const char *rules, void (*run)(const struct check_case *c));

#define CHECK_CASE(c, condition)                                                                             \
    do {                                                                                                     \
        if (condition) break;                                                                                \
        print_error("%s (%s): %s\n", (c)->name, (c)->rule, #condition);                                      \
        _fail(__FILE__, __LINE__);                                                                           \
    } while (0)

bool check_expects_error(const struct check_case *c);

/* "max", "min", "mean" or "sum". */
enum aggregation check_aggregation(const char *name);

/* True when the JSON list equals the n integers. */
bool check_list(const struct json *list, const int *values, int n);

/* Relative 1e-12, as the reference allows for its real values. */
bool check_near(double value, const struct json *expected);

/* "u": draws from check_uniform(name); the values live in the arena. */
struct draws check_draws(struct arena *arena, const char *name, int n);
struct draws check_draws_of(const double *values);

struct check_rows {
    float *values; /* [count][width] */
    int count, width;
};
struct check_rows check_unit(struct arena *arena, const char *tag, int count, int width);
struct check_rows check_clusters(struct arena *arena, const char *tag, int count, int width, int clusters);

/* The input's "embeddings": a list of rows or one of the formulas. */
struct check_rows check_embeddings(const struct check_case *c);

/* The best table of this machine. */
const struct kernels *check_kernels(void);

#endif
