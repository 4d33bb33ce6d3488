#include "cli/profile.h"

#include <stdio.h>
#include <string.h>

/* Passes that have rows of their own. */
static bool has_rows(enum profile_phase phase)
{
    return phase == PROFILE_FORWARD || phase == PROFILE_BACKWARD;
}

static bool is_there(const struct profile *p, enum profile_phase phase)
{
    return p->options.train || phase == PROFILE_FORWARD;
}

static double best_peak(const struct profile *p)
{
    return p->peak_before > p->peak_after ? p->peak_before : p->peak_after;
}

static double share(double part, double whole) { return whole > 0 ? part / whole : 0; }

/* ---- Table ---- */

static void table_row(struct text *out, const struct profile *p, const char *layer, const char *text,
                      const char *algorithm, struct profile_time time, double flop, double bytes)
{
    const double pass_share = share(time.minimum, p->whole.minimum);
    text_format(out, "%-30s %-38s %-9s %8.3f %8.3f %6.1f", layer, text, algorithm, 1e3 * time.minimum,
                1e3 * time.median, 100 * pass_share);
    if (flop > 0)
        text_format(out, " %7.1f %6.1f", 1e-9 * share(flop, time.minimum),
                    100 * share(flop, time.minimum) / best_peak(p));
    else
        text_format(out, " %7s %6s", "", "");
    if (bytes > 0)
        text_format(out, " %8.2f %6.1f", 1e-6 * bytes, 100 * share(bytes, time.minimum) / p->bandwidth);
    while (out->size && out->data[out->size - 1] == ' ') out->data[--out->size] = 0;
    text_add(out, "\n");
}

static void table_pass(struct text *out, const struct profile *p, enum profile_phase phase)
{
    struct profile_time sum = {0};
    double flop = 0, bytes = 0;
    text_format(out, "\n%-30s %-38s %-9s %8s %8s %6s %7s %6s %8s %6s\n", profile_phase_names[phase], "",
                "algorithm", "min ms", "median", "% time", "GFLOP/s", "% peak", "MB", "% mem");
    for (int i = 0; i < p->count; i++) {
        const struct profile_row *row = p->rows + i;
        if (row->phase != phase) continue;
        table_row(out, p, row->layer, row->text, row->algorithm, row->time, row->flop, row->bytes);
        sum.minimum += row->time.minimum;
        sum.median += row->time.median;
        flop += row->flop;
        bytes += row->bytes;
    }
    table_row(out, p, "sum", "", "", sum, flop, bytes);
}

void profile_table(struct text *out, const struct profile *p)
{
    const struct profile_options *o = &p->options;
    text_format(out, "%s of %d at %dx%d, %d thread%s, %s, %d round%s; plan %s takes %.1f MB\n",
                o->train ? "training step" : "inference", o->batch, o->size, o->size, o->threads,
                text_plural(o->threads), p->isa, o->rounds, text_plural(o->rounds), net_plan_name(o->plan),
                1e-6 * (double)p->plan_bytes);
    text_format(out, "multiply-add peak %.1f GFLOP/s before, %.1f after; memory %.1f GB/s\n",
                1e-9 * p->peak_before, 1e-9 * p->peak_after, 1e-9 * p->bandwidth);
    for (int phase = 0; phase < PROFILE_PHASES; phase++)
        if (has_rows(phase) && is_there(p, phase)) table_pass(out, p, phase);
    text_format(out, "\n%-30s %8s %8s %6s\n", "", "min ms", "median", "% time");
    for (int phase = 0; phase < PROFILE_PHASES; phase++)
        if (is_there(p, phase))
            text_format(out, "%-30s %8.3f %8.3f %6.1f\n", profile_phase_names[phase],
                        1e3 * p->phases[phase].minimum, 1e3 * p->phases[phase].median,
                        100 * share(p->phases[phase].minimum, p->whole.minimum));
    text_format(out, "%-30s %8.3f %8.3f\n", "whole", 1e3 * p->whole.minimum, 1e3 * p->whole.median);
    text_format(out, "%-30s %8.3f %8.3f\n", "whole, not watched", 1e3 * p->plain.minimum,
                1e3 * p->plain.median);
    text_format(out, "watching costs %.2f %% (of the minima)\n", 100 * profile_overhead(p));
}

/* ---- JSON ---- */

static void put_time(struct json_writer *out, struct profile_time time)
{
    json_put_double(out, "minimum_ms", 1e3 * time.minimum);
    json_put_double(out, "median_ms", 1e3 * time.median);
}

static void put_row(struct json_writer *out, const struct profile *p, const struct profile_row *row)
{
    const double rate = share(row->flop, row->time.minimum);
    json_open(out, NULL, '{');
    json_put_text(out, "pass", profile_phase_names[row->phase]);
    json_put_text(out, "layer", row->layer);
    json_put_text(out, "operation", row->text);
    if (*row->algorithm) json_put_text(out, "algorithm", row->algorithm);
    put_time(out, row->time);
    json_put_double(out, "flop", row->flop);
    json_put_double(out, "bytes", row->bytes);
    json_put_double(out, "gflops", 1e-9 * rate);
    json_put_double(out, "share_of_peak", rate / best_peak(p));
    json_put_double(out, "share_of_bandwidth", share(row->bytes, row->time.minimum) / p->bandwidth);
    json_close(out);
}

void profile_json(struct json_writer *out, const struct profile *p)
{
    const struct profile_options *o = &p->options;
    json_open(out, NULL, '{');
    json_put_text(out, "kind", o->train ? "training step" : "inference");
    json_put_int(out, "size", o->size);
    json_put_int(out, "batch", o->batch);
    json_put_int(out, "threads", o->threads);
    json_put_int(out, "rounds", o->rounds);
    json_put_text(out, "isa", p->isa);
    json_put_text(out, "plan", net_plan_name(o->plan));
    json_put_int(out, "plan_bytes", (int64_t)p->plan_bytes);
    json_put_double(out, "peak_gflops_before", 1e-9 * p->peak_before);
    json_put_double(out, "peak_gflops_after", 1e-9 * p->peak_after);
    json_put_double(out, "memory_gbytes_per_second", 1e-9 * p->bandwidth);
    json_open(out, "layers", '[');
    for (int i = 0; i < p->count; i++) put_row(out, p, p->rows + i);
    json_close(out);
    json_open(out, "phases", '{');
    for (int phase = 0; phase < PROFILE_PHASES; phase++) {
        if (!is_there(p, phase)) continue;
        json_open(out, profile_phase_names[phase], '{');
        put_time(out, p->phases[phase]);
        json_close(out);
    }
    json_close(out);
    json_open(out, "whole", '{');
    put_time(out, p->whole);
    json_close(out);
    json_open(out, "not_watched", '{');
    put_time(out, p->plain);
    json_close(out);
    json_put_double(out, "overhead", profile_overhead(p));
    json_close(out);
}

/* ---- Trace ---- */

enum { PHASE_TRACK = 1, LAYER_TRACK };

static void put_track(struct json_writer *out, int track, const char *name)
{
    json_open(out, NULL, '{');
    json_put_text(out, "name", "thread_name");
    json_put_text(out, "ph", "M");
    json_put_int(out, "pid", 1);
    json_put_int(out, "tid", track);
    json_open(out, "args", '{');
    json_put_text(out, "name", name);
    json_close(out);
    json_close(out);
}

/* Begins a complete event and leaves it open for its arguments; times become microseconds. */
static void open_event(struct json_writer *out, const char *name, int track, double begun, double ended)
{
    json_open(out, NULL, '{');
    json_put_text(out, "name", name);
    json_put_text(out, "ph", "X");
    json_put_int(out, "pid", 1);
    json_put_int(out, "tid", track);
    json_put_double(out, "ts", 1e6 * begun);
    json_put_double(out, "dur", 1e6 * (ended - begun));
    json_open(out, "args", '{');
}

static void close_event(struct json_writer *out)
{
    json_close(out);
    json_close(out);
}

void profile_trace(struct json_writer *out, const struct profile *p)
{
    json_open(out, NULL, '{');
    json_put_text(out, "displayTimeUnit", "ms");
    json_open(out, "traceEvents", '[');
    put_track(out, PHASE_TRACK, "passes");
    put_track(out, LAYER_TRACK, "layers");
    for (int phase = 0; phase < PROFILE_PHASES; phase++) {
        if (!is_there(p, phase)) continue;
        open_event(out, profile_phase_names[phase], PHASE_TRACK, p->begun[phase], p->ended[phase]);
        close_event(out);
    }
    for (int i = 0; i < p->count; i++) {
        const struct profile_row *row = p->rows + i;
        open_event(out, row->layer, LAYER_TRACK, row->begun, row->ended);
        json_put_text(out, "pass", profile_phase_names[row->phase]);
        json_put_text(out, "operation", row->text);
        json_put_text(out, "algorithm", row->algorithm);
        json_put_double(out, "flop", row->flop);
        json_put_double(out, "bytes", row->bytes);
        close_event(out);
    }
    json_close(out);
    json_close(out);
}
