/* retort filter: which candidates are kept. */
#include "base/rng.h"
#include "cli/command.h"
#include "cli/embedding_file.h"
#include "cli/frame_lines.h"
#include "cli/selection_choices.h"
#include "select/ledger.h"

#include <math.h>
#include <string.h>

struct values {
    const char *embeddings, *frames, *selection, *classes, *out;
    int rule, aggregation;
    int64_t budget, seed;
    bool allow_short;
    struct filter_values filter;
};

#define AT(member) offsetof(struct values, member)
static const struct option options[] = {
    {"embeddings", 'e', OPTION_INPUT, AT(embeddings),
     .help = ".npy, float32: a row a frame, or a row a candidate"},
    {"frames", 'f', OPTION_INPUT, AT(frames),
     .help = "frames in stream order as JSON lines: names, and what retort detect --json found, for the "
             "rules that look "
             "at objects"},
    {"selection", 0, OPTION_INPUT, AT(selection),
     .help = "candidates: what retort select wrote (without: all frames)"},
    {"out", 'o', OPTION_OUTPUT, AT(out), .required = true,
     .help = "the selection, JSON lines with rank and score"},
    {"budget", 'n', OPTION_INT, AT(budget), "0", 1, FRAME_LINES_MAX, .required = true,
     .help = "frames to keep"},
    {"rule", 'r', OPTION_CHOICE, AT(rule), "farthest-first", .choices = selection_filters,
     .help = "how they are chosen"},
    {"allow-short", 0, OPTION_FLAG, AT(allow_short),
     .help = "keep all when there are fewer candidates than wanted"},
    {"aggregate", 0, OPTION_CHOICE, AT(aggregation), "max", .choices = selection_aggregations,
     .help = "confidence of a frame from those of its objects"},
    FILTER_OPTIONS(AT(filter)),
    {"classes", 0, OPTION_TEXT, AT(classes), CLASSES_VEHICLES,
     .help = "classes that count in detections, or all"},
    {"seed", 's', OPTION_INT, AT(seed), "0", 0, 9e15, .help = "of the random numbers"},
    {0},
};
#undef AT

/* What the rule runs on, and the ledger that it goes back to. */
struct task {
    struct ledger ledger;
    struct frame_lines frames; /* count 0: not given */
    struct embedding_file embeddings;
    int *candidates; /* rows of the ledger */
    int count;
    struct filter_frames input;
};

static enum status read_ledger(struct task *task, const struct values *values, struct arena *arena,
                               struct error *err)
{
    if (values->selection) return ledger_read(&task->ledger, values->selection, arena, err);
    const int count = task->frames.count ? task->frames.count : task->embeddings.rows;
    task->ledger = (struct ledger){.select = SELECT_N_FIRST, .count = count};
    task->ledger.rows = arena_alloc(arena, (size_t)count, sizeof *task->ledger.rows);
    if (!task->ledger.rows) return fail_memory(err, "a selection", (size_t)count * sizeof *task->ledger.rows);
    for (int i = 0; i < count; i++)
        task->ledger.rows[i] = (struct ledger_row){.frame = i,
                                                   .file = task->frames.count ? task->frames.files[i] : NULL,
                                                   .time = task->frames.count ? task->frames.times[i] : NAN,
                                                   .confidence = NAN,
                                                   .tau = NAN,
                                                   .reason = LEDGER_SELECTED,
                                                   .rank = -1,
                                                   .score = NAN};
    return OK;
}

static enum status list_candidates(struct task *task, const struct values *values, struct arena *arena,
                                   struct error *err)
{
    task->candidates = arena_alloc(arena, (size_t)task->ledger.count, sizeof *task->candidates);
    if (!task->candidates) return fail_memory(err, "candidates", (size_t)task->ledger.count * sizeof(int));
    for (int i = 0; i < task->ledger.count; i++)
        if (task->ledger.rows[i].reason == LEDGER_SELECTED) task->candidates[task->count++] = i;
    if (!task->count)
        return fail(err, ERR_INPUT, "%s: expected selected frames, found none", values->selection);
    if (task->frames.count && task->frames.count != task->ledger.count)
        return fail(err, ERR_INPUT, "%s: expected %d frames as in the selection, found %d", values->frames,
                    task->ledger.count, task->frames.count);
    return OK;
}

static enum status take_embeddings(struct task *task, const struct values *values, struct arena *arena,
                                   struct error *err)
{
    const struct embedding_file *all = &task->embeddings;
    task->input.width = all->width;
    task->input.embedding_stride = all->width;
    task->input.embeddings = all->values;
    if (all->rows == task->count) return OK;
    if (all->rows != task->ledger.count)
        return fail(err, ERR_INPUT,
                    "%s: expected a row for each of %d frames or of %d candidates, found %d rows",
                    values->embeddings, task->ledger.count, task->count, all->rows);
    float *rows = arena_alloc(arena, (size_t)task->count * (size_t)all->width, sizeof *rows);
    if (!rows) return fail_memory(err, "embeddings", (size_t)task->count * (size_t)all->width * sizeof *rows);
    for (int i = 0; i < task->count; i++)
        memcpy(rows + (size_t)i * (size_t)all->width,
               all->values + (size_t)task->candidates[i] * (size_t)all->width,
               (size_t)all->width * sizeof *rows);
    task->input.embeddings = rows;
    return OK;
}

static enum status take_boxes(struct task *task, struct arena *arena, struct error *err)
{
    const struct frame_lines *frames = &task->frames;
    struct filter_box *boxes = arena_alloc(arena, (size_t)frames->box_count + 1, sizeof *boxes);
    int *first = arena_alloc(arena, (size_t)task->count + 1, sizeof *first);
    if (!boxes || !first) return fail_memory(err, "boxes", (size_t)frames->box_count * sizeof *boxes);
    for (int i = 0; i < task->count; i++) {
        const int begin = frames->first_box[task->candidates[i]],
                  end = frames->first_box[task->candidates[i] + 1];
        if (end > begin)
            memcpy(boxes + first[i], frames->boxes + begin, (size_t)(end - begin) * sizeof *boxes);
        first[i + 1] = first[i] + end - begin;
    }
    task->input.boxes = boxes;
    task->input.first_box = first;
    return OK;
}

static bool needs_boxes(enum filter_rule rule)
{
    return rule == FILTER_TFDP || rule == FILTER_LEAST_CONFIDENCE || rule == FILTER_TOP_CONFIDENCE ||
           rule == FILTER_ENTROPY;
}

static enum status read_inputs(struct task *task, const struct values *values, struct arena *arena,
                               struct error *err)
{
    struct class_set classes;
    const enum filter_rule rule = (enum filter_rule)values->rule;
    TRY(class_set_parse(&classes, values->classes, err));
    if (filter_needs_embeddings(rule) && !values->embeddings)
        return fail(err, ERR_USAGE, "--embeddings: is needed by %s", filter_rule_name(rule));
    if (needs_boxes(rule) && !values->frames)
        return fail(err, ERR_USAGE, "--frames: is needed by %s", filter_rule_name(rule));
    if (!values->embeddings && !values->frames && !values->selection)
        return fail(err, ERR_USAGE, "expected candidates: --selection, --frames or --embeddings");
    if (values->embeddings) TRY(embedding_file_read(&task->embeddings, values->embeddings, arena, err));
    if (values->frames)
        TRY(frame_lines_read(&task->frames, values->frames, &classes, (enum aggregation)values->aggregation,
                             arena, err));
    TRY(read_ledger(task, values, arena, err));
    TRY(list_candidates(task, values, arena, err));
    if (values->embeddings) TRY(take_embeddings(task, values, arena, err));
    if (values->frames) TRY(take_boxes(task, arena, err));
    task->input.count = task->count;
    return OK;
}

static void mark(struct task *task, const struct filter_result *result, enum filter_rule rule)
{
    int kept = 0;
    task->ledger.filter = rule;
    for (int i = 0; i < task->count; i++) {
        struct ledger_row *row = &task->ledger.rows[task->candidates[i]];
        row->reason = LEDGER_FILTERED_OUT;
        if (kept == result->count || result->frames[kept] != i) continue;
        row->reason = LEDGER_SELECTED;
        row->rank = result->ranks[kept];
        row->score = result->scores[kept++];
    }
}

static enum status print_result(struct run *run, int candidates, int kept, struct error *err)
{
    if (!run->common.json) {
        console_print(&run->console, "%d candidate%s, %d frame%s kept\n", candidates, text_plural(candidates),
                      kept, text_plural(kept));
        return OK;
    }
    struct json_buffer json;
    TRY(json_buffer_begin(&json, false, err));
    json_open(&json.out, NULL, '{');
    json_put_int(&json.out, "candidates", candidates);
    json_put_int(&json.out, "kept", kept);
    json_close(&json.out);
    return console_print_json(&run->console, &json, err);
}

static enum status run_filter(struct run *run, struct error *err)
{
    const struct values *values = run->values;
    const uint64_t key = rng_key((uint64_t)values->seed, "random_filter");
    const struct kernels *kernels;
    struct task task = {.input.draws = draws_of_key(&key)};
    struct filter_result result;
    struct filter_options chosen = filter_defaults();
    chosen.rule = (enum filter_rule)values->rule;
    chosen.budget = (int)values->budget;
    chosen.allow_short = values->allow_short;
    chosen.aggregation = (enum aggregation)values->aggregation;
    filter_values_take(&chosen, &values->filter);
    TRY(kernels_get(&kernels, NULL, err));
    TRY(read_inputs(&task, values, &run->arena, err));
    TRY(filter_run(&result, &chosen, &task.input, kernels, run->threads, &run->arena, err));
    mark(&task, &result, chosen.rule);
    TRY(ledger_write(values->out, &task.ledger, err));
    if (result.bad) console_message(&run->console, "%d embeddings are zero or not finite", result.bad);
    return print_result(run, task.count, result.count, err);
}

const struct command command_filter = {
    .name = "filter",
    .summary = "Keeps the frames of a budget out of the candidates",
    .description =
        "Applies a FILTER rule to the candidates, by their embeddings or by the objects found in them, and "
        "writes the selection with rank and score.",
    .options = options,
    .values_size = sizeof(struct values),
    .example = "retort filter --embeddings emb.npy --rule farthest-first --budget 32 -o kept.jsonl\n"
               "retort filter --selection sel.jsonl --frames found.jsonl --rule tfdp -n 32 -o kept.jsonl",
    .run = run_filter,
};
