/* bench: times of the network, training and selection on this machine.
 *
 *   bench [options]
 *     --weights FILE     a detector (default: YOLO11n with synthetic values; times hardly depend on them)
 *     --threads LIST     e.g. 1,2 (default: 1, and all CPUs that the process may use)
 *     --plan NAME        fast (default), exact, or both in turns; names of exact cases say so
 *     --only TEXT        cases whose name contains the text ("layers": the table of layers; "cold": cold
 * start)
 *     --rounds N         rounds of each group, at least (default 5)
 *     --seconds S        and at least so long (default 3)
 *     --json             one JSON object a line instead of tables
 *     --input FILE.npy   pixels of the 640 cases: [images * 640 * 640, 3], in [0, 1]
 *     --targets FILE.npy boxes of the training steps: [n, 6]: image, class, cx, cy, w, h
 *     --output FILE.npy  runs the forward pass once, writes its decoded output and ends
 *     --serve            reads case names from stdin; runs each once, answers with one JSON line
 *     --commit TEXT      printed with the results
 *
 * The cases of a group take turns, one run each a round, after a run that is not counted. */
#include "bench.h"

#include "base/json_write.h"
#include "base/par.h"
#include "nn/roof.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { MAX_THREAD_COUNTS = 8, MAX_CASES = 64, WARM_RUNS = 2 };

struct options {
    const char *weights, *only, *input, *targets, *output, *commit;
    int threads[MAX_THREAD_COUNTS], thread_counts, rounds;
    enum net_plan plans[2];
    int plan_count;
    double seconds;
    bool json, serve;
};

/* Cases of one group take turns. */
static const struct {
    const char *name;
    const struct bench_kind *kind;
    int group, size, batch;
} TABLE[] = {
    {"forward-640", &bench_forward, 0, 640, 1},         {"step-640x4", &bench_step, 1, 640, 4},
    {"step-640x16", &bench_step, 2, 640, 16},           {"step-320x4", &bench_step, 3, 320, 4},
    {"step-320x16", &bench_step, 3, 320, 16},           {"vit-s-224", &bench_vit, 4, 224, 1},
    {"farthest-first", &bench_farthest, 5, 20000, 256},
};
enum { TABLE_ROWS = sizeof TABLE / sizeof *TABLE, GROUPS = 6 };

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
    const bool both = !strcmp(name, "both"), exact = !strcmp(name, net_plan_name(PLAN_EXACT));
    if (!both && !exact && strcmp(name, net_plan_name(PLAN_FAST)) != 0)
        return fail(err, ERR_USAGE, "--plan takes fast, exact or both");
    o->plans[0] = exact ? PLAN_EXACT : PLAN_FAST;
    o->plans[1] = PLAN_EXACT;
    o->plan_count = both ? 2 : 1;
    return OK;
}

static enum status parse(struct options *o, int argc, char **argv, struct error *err)
{
    const struct {
        const char *name, **text;
    } texts[] = {{"--weights", &o->weights}, {"--only", &o->only},     {"--input", &o->input},
                 {"--targets", &o->targets}, {"--output", &o->output}, {"--commit", &o->commit}};
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!strcmp(name, "--json") || !strcmp(name, "--serve")) {
            *(name[2] == 'j' ? &o->json : &o->serve) = true;
            continue;
        }
        if (!value) return fail(err, ERR_USAGE, "%s: unknown option, or without a value", name);
        bool known = true;
        if (!strcmp(name, "--threads"))
            parse_threads(o, value);
        else if (!strcmp(name, "--plan"))
            TRY(parse_plans(o, value, err));
        else if (!strcmp(name, "--rounds"))
            o->rounds = atoi(value);
        else if (!strcmp(name, "--seconds"))
            o->seconds = atof(value);
        else
            known = false;
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            if (!strcmp(name, texts[k].name)) {
                *texts[k].text = value;
                known = true;
            }
        if (!known) return fail(err, ERR_USAGE, "%s: unknown option", name);
        i++;
    }
    if (!o->thread_counts || o->rounds < 1 || o->rounds > BENCH_MAX_RUNS)
        return fail(err, ERR_USAGE, "--threads takes counts such as 1,2; --rounds 1 to %d", BENCH_MAX_RUNS);
    return OK;
}

static void case_make(struct bench_case *c, int row, enum net_plan plan, int threads)
{
    *c = (struct bench_case){.kind = TABLE[row].kind,
                             .size = TABLE[row].size,
                             .batch = TABLE[row].batch,
                             .threads = threads,
                             .plan = plan};
    snprintf(c->name, sizeof c->name, "%s%s-t%d", TABLE[row].name, plan == PLAN_EXACT ? "-exact" : "",
             threads);
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
static double peak_megabytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}
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
               o->weights ? "user" : "synthetic");
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
    json_put_text(&out, "weights", o->weights ? "user" : "synthetic");
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
    for (int i = 0; i < count; i++) print_case(cases + i, peak_megabytes(), o->json);
    return OK;
}

static void print_titles(void)
{
    printf("\n%-24s %5s %10s %10s %10s %10s %9s\n", "", "runs", "min ms", "median ms", "cpu min", "cpu med",
           "peak MB");
}

static enum status run_groups(struct bench_case *cases, const struct options *o,
                              const struct bench_setup *setup, struct error *err)
{
    bool titled = o->json;
    for (int group = 0; group < GROUPS; group++) {
        int count = 0;
        for (int row = 0; row < TABLE_ROWS; row++)
            for (int i = 0; i < o->thread_counts * o->plan_count && TABLE[row].group == group; i++) {
                case_make(cases + count, row, o->plans[i % o->plan_count], o->threads[i / o->plan_count]);
                if (!o->only || strstr(cases[count].name, o->only)) count++;
            }
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

/* ---- On request: another program decides whose turn it is ---- */

static enum status find_case(struct bench_case **found, struct bench_case *cases, int *count,
                             const char *name, const struct bench_setup *setup, struct error *err)
{
    for (int i = 0; i < *count; i++)
        if (!strcmp(cases[i].name, name)) {
            *found = cases + i;
            return OK;
        }
    for (int row = 0; row < TABLE_ROWS && *count < MAX_CASES; row++) {
        const size_t length = strlen(TABLE[row].name);
        if (strncmp(name, TABLE[row].name, length) != 0) continue;
        const bool exact = !strncmp(name + length, "-exact", 6);
        const char *const end = name + length + (exact ? 6 : 0);
        const int threads = strncmp(end, "-t", 2) ? 0 : atoi(end + 2);
        if (threads < 1 || threads > PAR_MAX_THREADS) continue;
        struct bench_case *c = cases + *count;
        case_make(c, row, exact ? PLAN_EXACT : PLAN_FAST, threads);
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
    json_put_double(&out, "peak_mb", peak_megabytes());
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

/* A name with a leading "-" ends that case and releases its memory; the answer is an empty object. */
static enum status serve(struct bench_case *cases, const struct bench_setup *setup, struct error *err)
{
    char line[64];
    int count = 0;
    enum status status = OK;
    while (status == OK && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        struct bench_case *c = NULL;
        status = find_case(&c, cases, &count, line + (line[0] == '-'), setup, err);
        if (status == OK && line[0] == '-') {
            bench_case_stop(c);
            *c = cases[--count];
            puts("{}");
            fflush(stdout);
            continue;
        }
        if (status == OK) status = bench_case_run(c, false, err);
        if (status == OK) answer(c);
    }
    for (int i = 0; i < count; i++) bench_case_stop(cases + i);
    return status;
}

static enum status write_output(struct bench_case *c, const struct options *o,
                                const struct bench_setup *setup, struct error *err)
{
    case_make(c, 0, o->plans[0], o->threads[0]);
    TRY(bench_case_start(c, setup, err));
    enum status status = bench_case_run(c, false, err);
    if (status == OK) status = bench_write_output(c, setup, o->output, err);
    bench_case_stop(c);
    return status;
}

static enum status run(const struct options *o, struct bench_setup *setup, struct error *err)
{
    TRY(kernels_get(&setup->kernels, NULL, err));
    if (o->input) TRY(npy_read(&setup->input, o->input, err));
    if (o->targets) TRY(npy_read(&setup->targets, o->targets, err));
    struct bench_case *cases = calloc(MAX_CASES, sizeof *cases);
    if (!cases) return fail_memory(err, "cases", MAX_CASES * sizeof *cases);
    enum status status;
    if (o->output)
        status = write_output(cases, o, setup, err);
    else if (o->serve)
        status = serve(cases, setup, err);
    else {
        print_head(o, setup);
        status = run_groups(cases, o, setup, err);
        for (int i = 0; i < o->thread_counts * o->plan_count && status == OK; i++)
            if (!o->only || strstr("layers", o->only))
                status = bench_layers(setup, o->plans[i % o->plan_count], o->threads[i / o->plan_count],
                                      4 * o->rounds, o->json, err);
        for (int i = 0; i < o->thread_counts && status == OK; i++)
            if (!o->only || strstr("cold", o->only))
                status = bench_cold(setup, o->threads[i], 2 * o->rounds, o->json, err);
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
    enum status status = parse(&o, argc, argv, &err);
    if (status == OK) {
        setup.weights = o.weights;
        status = run(&o, &setup, &err);
    }
    npy_close(&setup.input);
    npy_close(&setup.targets);
    if (status != OK) fprintf(stderr, "bench: %s\n", err.message);
    return (int)status;
}
