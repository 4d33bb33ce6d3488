/* bench: times of the network, training and selection on this machine.
 *
 *   bench [options]
 *     --weights FILE     a detector (default: YOLO11n with synthetic values; times hardly depend on them)
 *     --threads LIST     e.g. 1,2 (default: 1, and all CPUs that the process may use)
 *     --plan NAME        fast (default), exact, fast-0.1, or both: fast and exact in turns; cases not of fast say so
 *     --only LIST        cases whose name contains a text of the list, e.g. forward,vit ("layers": the table
 *                        of layers, "cold"; "none": the peaks alone)
 *     --rounds N         rounds of each group, at least (default 5)
 *     --seconds S        and at least so long (default 3)
 *     --json             one JSON object a line instead of tables
 *     --input FILE.npy   pixels of the 640 cases: [images * 640 * 640, 3], in [0, 1]
 *     --input-320 FILE.npy   of the 320 cases
 *     --targets FILE.npy boxes of the training steps: [n, 6]: image, class, cx, cy, w, h
 *     --int8 FILE        the detector as integers (retort quantize); without: no integer case
 *     --vit FILE         values of the transformer, --patches FILE.npy its input: [224 * 224, 3]
 *     --picture FILE     for the way from a file to boxes; without: no such case
 *     --random-rows FILE.npy, --frame-rows FILE.npy   embeddings to choose from, [20000, any]
 *     --serve            does what stdin asks for (bench_serve)
 *     --commit TEXT      printed with the results
 *
 * The cases of a group take turns, one run each a round, after two runs that are not counted. */
#include "bench.h"

#include "base/json_write.h"
#include "base/pages.h"
#include "base/par.h"
#include "nn/roof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_THREAD_COUNTS = 8, MAX_ONLY = 32, MAX_CASES = 64, WARM_RUNS = 2 };

struct options {
    const char *commit, *only[MAX_ONLY];
    int only_count; /* 0: all */
    int threads[MAX_THREAD_COUNTS], thread_counts, rounds;
    enum net_plan plans[2];
    int plan_count;
    double seconds;
    bool json, serve;
};

static void parse_threads(struct options *o, const char *list)
{
    o->thread_counts = 0;
    while (*list && o->thread_counts < MAX_THREAD_COUNTS) {
        char *end;
        const long n = strtol(list, &end, 10);
        if (end == list || n < 1 || n > PAR_MAX_THREADS) break;
        o->threads[o->thread_counts++] = (int)n;
        list = *end == ',' ? end + 1 : end;
    }
}

static enum status parse_plans(struct options *o, const char *name, struct error *err)
{
    const bool both = !strcmp(name, "both");
    enum net_plan plan = PLAN_FAST;
    while (!both && plan <= PLAN_FAST_0_1 && strcmp(name, net_plan_name(plan)) != 0) plan++;
    if (plan > PLAN_FAST_0_1) return fail(err, ERR_USAGE, "--plan takes fast, exact, fast-0.1 or both");
    o->plans[0] = plan;
    o->plans[1] = PLAN_EXACT;
    o->plan_count = both ? 2 : 1;
    return OK;
}

/* Splits the list where it lies. */
static enum status parse_only(struct options *o, char *list, struct error *err)
{
    o->only_count = 0;
    for (const char *text = strtok(list, ","); text; text = strtok(NULL, ",")) {
        if (o->only_count == MAX_ONLY) return fail(err, ERR_USAGE, "--only takes up to %d names", MAX_ONLY);
        o->only[o->only_count++] = text;
    }
    return o->only_count ? OK : fail(err, ERR_USAGE, "--only takes names of cases");
}

/* The tables of options that are texts and of those that are matrices. */
static enum status parse_file(bool *known, struct options *o, struct bench_setup *setup, const char *name,
                              const char *value, struct error *err)
{
    const struct {
        const char *name, **text;
    } texts[] = {{"--weights", &setup->weights}, {"--int8", &setup->int8}, {"--vit", &setup->vit},
                 {"--picture", &setup->picture}, {"--commit", &o->commit}};
    const struct {
        const char *name;
        struct npy *npy;
    } matrices[] = {{"--input", &setup->input},
                    {"--input-320", &setup->small_input},
                    {"--targets", &setup->targets},
                    {"--patches", &setup->patches},
                    {"--random-rows", &setup->random_rows},
                    {"--frame-rows", &setup->frame_rows}};
    *known = true;
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
        if (!strcmp(name, texts[k].name)) {
            *texts[k].text = value;
            return OK;
        }
    for (size_t k = 0; k < sizeof matrices / sizeof *matrices; k++)
        if (!strcmp(name, matrices[k].name)) {
            npy_close(matrices[k].npy);
            return npy_read(matrices[k].npy, value, err);
        }
    *known = false;
    return OK;
}

static enum status parse(struct options *o, struct bench_setup *setup, int argc, char **argv,
                         struct error *err)
{
    const int most = BENCH_MAX_RUNS / BENCH_LAYER_TURNS; /* they take the most turns in a round */
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(name, "--json") || !strcmp(name, "--serve")) {
            *(name[2] == 'j' ? &o->json : &o->serve) = true;
            continue;
        }
        if (!value) return fail(err, ERR_USAGE, "%s: unknown option, or without a value", name);
        bool known = true;
        if (!strcmp(name, "--threads"))
            parse_threads(o, value);
        else if (!strcmp(name, "--only"))
            TRY(parse_only(o, value, err));
        else if (!strcmp(name, "--plan"))
            TRY(parse_plans(o, value, err));
        else if (!strcmp(name, "--rounds"))
            o->rounds = atoi(value);
        else if (!strcmp(name, "--seconds"))
            o->seconds = atof(value);
        else
            TRY(parse_file(&known, o, setup, name, value, err));
        if (!known) return fail(err, ERR_USAGE, "%s: unknown option", name);
        i++;
    }
    if (!o->thread_counts || o->rounds < 1 || o->rounds > most)
        return fail(err, ERR_USAGE, "--threads takes counts such as 1,2; --rounds 1 to %d", most);
    return OK;
}

/* ---- The machine ---- */

static const char *cpu_name(void)
{
    static char name[128] = "unknown CPU";
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        const char *value = strchr(line, ':');
        if (!value || strncmp(line, "model name", 10) != 0) continue;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(value + 2, "\n"), value + 2);
        break;
    }
    if (file) fclose(file);
    return name;
}

/* Since the last reset, where the kernel allows one; otherwise since the start. */
double bench_peak_megabytes(void) { return (double)pages_peak() / (1 << 20); }

static void reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    if (!file) return;
    fputs("5", file);
    fclose(file);
}

static void print_head(const struct options *o, const struct bench_setup *setup)
{
    const char *const plans = o->plan_count == 2 ? "both" : net_plan_name(o->plans[0]);
    double peak[MAX_THREAD_COUNTS];
    for (int i = 0; i < o->thread_counts; i++) peak[i] = roof_peak(setup->kernels, o->threads[i]);
    if (!o->json) {
        printf("%s, %s, plan %s, commit %s, %s weights\n", cpu_name(), setup->kernels->name, plans, o->commit,
               setup->weights ? "user" : "synthetic");
        for (int i = 0; i < o->thread_counts; i++)
            printf("peak of fused multiply-adds, %d thread%s: %.1f GFLOP/s\n", o->threads[i],
                   o->threads[i] == 1 ? "" : "s", 1e-9 * peak[i]);
        return;
    }
    struct json_writer out = {.stream = stdout};
    json_open(&out, NULL, '{');
    json_put_text(&out, "cpu", cpu_name());
    json_put_text(&out, "isa", setup->kernels->name);
    json_put_text(&out, "plan", plans);
    json_put_text(&out, "commit", o->commit);
    json_put_text(&out, "weights", setup->weights ? "user" : "synthetic");
    json_open(&out, "peaks", '[');
    for (int i = 0; i < o->thread_counts; i++) {
        json_open(&out, NULL, '{');
        json_put_int(&out, "threads", o->threads[i]);
        json_put_double(&out, "gflops", 1e-9 * peak[i]);
        json_close(&out);
    }
    json_close(&out);
    json_close(&out);
    putchar('\n');
}

/* ---- Rounds ---- */

static void print_case(const struct bench_case *c, double megabytes, bool json)
{
    const double minimum = 1e3 * bench_minimum(c->wall, c->count),
                 median = 1e3 * bench_median(c->wall, c->count);
    const double cpu = 1e3 * bench_minimum(c->cpu, c->count),
                 cpu_median = 1e3 * bench_median(c->cpu, c->count);
    if (!json) {
        printf("%-24s %5d %10.1f %10.1f %10.1f %10.1f %9.0f\n", c->name, c->count, minimum, median, cpu,
               cpu_median, megabytes);
        return;
    }
    struct json_writer out = {.stream = stdout};
    json_open(&out, NULL, '{');
    json_put_text(&out, "case", c->name);
    json_put_int(&out, "threads", c->threads);
    json_put_int(&out, "runs", c->count);
    json_put_double(&out, "minimum_ms", minimum);
    json_put_double(&out, "median_ms", median);
    json_put_double(&out, "cpu_minimum_ms", cpu);
    json_put_double(&out, "cpu_median_ms", cpu_median);
    json_put_double(&out, "group_peak_mb", megabytes);
    json_close(&out);
    putchar('\n');
}

static enum status run_group(struct bench_case *cases, int count, const struct options *o,
                             const struct bench_setup *setup, struct error *err)
{
    for (int i = 0; i < count; i++) {
        TRY(bench_case_start(cases + i, setup, err));
        for (int k = 0; k < WARM_RUNS; k++) TRY(bench_case_run(cases + i, false, err));
    }
    const double begun = bench_wall();
    for (int round = 0; round < BENCH_MAX_RUNS && (round < o->rounds || bench_wall() - begun < o->seconds);
         round++)
        for (int i = 0; i < count; i++) TRY(bench_case_run(cases + i, true, err));
    for (int i = 0; i < count; i++) print_case(cases + i, bench_peak_megabytes(), o->json);
    return OK;
}

static void print_titles(void)
{
    printf("\n%-24s %5s %10s %10s %10s %10s %9s\n", "", "runs", "min ms", "median ms", "cpu min", "cpu med",
           "peak MB");
}

static bool wanted(const struct options *o, const char *name)
{
    for (int i = 0; i < o->only_count; i++)
        if (strstr(name, o->only[i])) return true;
    return !o->only_count;
}

/* The cases of a group that are wanted and have their files. */
static int group_cases(struct bench_case *cases, int group, const struct options *o,
                       const struct bench_setup *setup)
{
    int count = 0;
    for (const struct bench_row *row = bench_table; row < bench_table + bench_rows; row++) {
        if (row->group != group || (row->kind->ready && !row->kind->ready(setup))) continue;
        for (int i = 0; i < o->thread_counts * o->plan_count; i++) {
            bench_case_make(cases + count, row, o->plans[i % o->plan_count], o->threads[i / o->plan_count]);
            count += wanted(o, cases[count].name);
        }
    }
    return count;
}

/* Each name of --only must be that of something. */
static enum status check_only(struct bench_case *cases, const struct options *o, const struct bench_setup *setup,
                              struct error *err)
{
    for (int i = 0; i < o->only_count; i++) {
        struct options one = *o;
        one.only[0] = o->only[i];
        one.only_count = 1;
        bool any = wanted(&one, "layers") || wanted(&one, "cold") || !strcmp(o->only[i], "none");
        for (int group = 0; group < BENCH_GROUPS && !any; group++)
            any = group_cases(cases, group, &one, setup) > 0;
        if (!any) return fail(err, ERR_USAGE, "--only %s: no such case, or its file is not given", o->only[i]);
    }
    return OK;
}

static enum status run_groups(struct bench_case *cases, const struct options *o,
                              const struct bench_setup *setup, struct error *err)
{
    bool titled = o->json;
    for (int group = 0; group < BENCH_GROUPS; group++) {
        const int count = group_cases(cases, group, o, setup);
        if (count && !titled) print_titles();
        titled = titled || count;
        reset_peak();
        const enum status status = run_group(cases, count, o, setup, err);
        for (int i = 0; i < count; i++) bench_case_stop(cases + i);
        TRY(status);
        fflush(stdout);
    }
    return OK;
}

static enum status run(const struct options *o, struct bench_setup *setup, struct error *err)
{
    TRY(kernels_get(&setup->kernels, NULL, err));
    struct bench_case *cases = calloc(MAX_CASES, sizeof *cases);
    if (!cases) return fail_memory(err, "cases", MAX_CASES * sizeof *cases);
    enum status status = o->serve ? bench_serve(cases, MAX_CASES, setup, err) : check_only(cases, o, setup, err);
    if (!o->serve && status == OK) {
        print_head(o, setup);
        status = run_groups(cases, o, setup, err);
        for (int i = 0; i < o->thread_counts * o->plan_count && status == OK; i++)
            if (wanted(o, "layers"))
                status = bench_layers(setup, o->plans[i % o->plan_count], o->threads[i / o->plan_count],
                                      BENCH_LAYER_TURNS * o->rounds, o->json, err);
        reset_peak(); /* a process begins with the peak of the one that starts it */
        for (int i = 0; i < o->thread_counts && status == OK; i++)
            if (wanted(o, "cold"))
                status = bench_cold(setup, o->threads[i], BENCH_COLD_TURNS * o->rounds, o->json, err);
    }
    free(cases);
    return status;
}

int main(int argc, char **argv)
{
    const int all = par_default_threads();
    struct options o = {.threads = {1, all},
                        .thread_counts = all > 1 ? 2 : 1,
                        .plan_count = 1,
                        .rounds = 5,
                        .seconds = 3,
                        .commit = "unknown"};
    struct bench_setup setup = {0};
    struct error err = {0};
    enum status status = parse(&o, &setup, argc, argv, &err);
    if (status == OK) status = run(&o, &setup, &err);
    npy_close(&setup.input);
    npy_close(&setup.small_input);
    npy_close(&setup.targets);
    npy_close(&setup.patches);
    npy_close(&setup.random_rows);
    npy_close(&setup.frame_rows);
    if (status != OK) fprintf(stderr, "bench: %s\n", err.message);
    return (int)status;
}
