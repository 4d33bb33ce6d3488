/* Single runs on request. */
#include "bench.h"

#include "base/json_write.h"
#include "base/par.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The plan that name says at *at, which goes on behind it; fast where it says none. */
static enum net_plan plan_at(const char **at)
{
    static const enum net_plan others[] = {PLAN_EXACT, PLAN_FAST_0_1};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        const char *const plan = net_plan_name(others[i]);
        if (**at != '-' || strncmp(*at + 1, plan, strlen(plan)) != 0) continue;
        *at += 1 + strlen(plan);
        return others[i];
    }
    return PLAN_FAST;
}

static enum status find_case(struct bench_case **found, struct bench_case *cases, int *count, int room,
                             const char *name, const struct bench_setup *setup, struct error *err)
{
    for (int i = 0; i < *count; i++)
        if (!strcmp(cases[i].name, name)) {
            *found = cases + i;
            return OK;
        }
    for (const struct bench_row *row = bench_table; row < bench_table + bench_rows && *count < room; row++) {
        const size_t length = strlen(row->name);
        if (strncmp(name, row->name, length) != 0) continue;
        const char *end = name + length;
        const enum net_plan plan = plan_at(&end);
        const int threads = strncmp(end, "-t", 2) ? 0 : atoi(end + 2);
        if (threads < 1 || threads > PAR_MAX_THREADS) continue;
        if (row->kind->ready && !row->kind->ready(setup))
            return fail(err, ERR_USAGE, "%s: its file is not given", name);
        struct bench_case *c = cases + *count;
        bench_case_make(c, row, plan, threads);
        TRY(bench_case_start(c, setup, err));
        (*count)++;
        *found = c;
        return OK;
    }
    return fail(err, ERR_USAGE, "no case \"%s\"", name);
}

static void answer(const struct bench_case *c)
{
    struct json_writer out = {.stream = stdout};
    json_open(&out, NULL, '{');
    json_put_text(&out, "case", c->name);
    json_put_double(&out, "wall_ms", 1e3 * c->last_wall);
    json_put_double(&out, "cpu_ms", 1e3 * c->last_cpu);
    json_put_double(&out, "peak_mb", bench_peak_megabytes());
    json_open(&out, "first_loss", '[');
    json_put_double(&out, NULL, c->first.box);
    json_put_double(&out, NULL, c->first.classes);
    json_put_double(&out, NULL, c->first.distribution);
    json_close(&out);
    json_put_double(&out, "first_norm", c->first_norm);
    json_close(&out);
    putchar('\n');
    fflush(stdout);
}

static enum status serve_line(char *line, struct bench_case *cases, int *count, int room,
                              const struct bench_setup *setup, struct error *err)
{
    struct bench_case *c = NULL;
    char *path = strstr(line, " > ");
    if (path) {
        *path = 0;
        path += 3;
    }
    TRY(find_case(&c, cases, count, room, line + (line[0] == '-'), setup, err));
    if (line[0] == '-') {
        answer(c);
        bench_case_stop(c);
        *c = cases[--*count];
        return OK;
    }
    TRY(bench_case_run(c, false, err));
    if (path && !c->kind->write) return fail(err, ERR_USAGE, "%s: writes nothing", c->name);
    if (path) TRY(c->kind->write(c, setup, path, err));
    answer(c);
    return OK;
}

enum status bench_serve(struct bench_case *cases, int room, const struct bench_setup *setup,
                        struct error *err)
{
    char line[4096];
    int count = 0;
    enum status status = OK;
    while (status == OK && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        status = serve_line(line, cases, &count, room, setup, err);
    }
    for (int i = 0; i < count; i++) bench_case_stop(cases + i);
    return status;
}
