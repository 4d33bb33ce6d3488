/* retort select: which frames of a stored stream become candidates. */
#include "base/rng.h"
#include "cli/command.h"
#include "cli/embedding_file.h"
#include "cli/frame_lines.h"
#include "cli/selection_choices.h"
#include "select/ledger.h"

#include <math.h>

struct values {
    const char *confidences, *embeddings, *classes, *out;
    int rule, aggregation, policy;
    int64_t count, warmup, reserve_last, seed;
    double alpha, rate;
    bool empty_is_zero;
};

static const struct option_choice rules[] = {
    SELECTION_RULES, {"chunk-diversity", SELECT_CHUNK_DIVERSITY}, {0}};
static const struct option_choice policies[] = {
    {"close", END_CLOSE}, {"short", END_SHORT}, {"relax", END_RELAX}, {0}};

#define AT(member) offsetof(struct values, member)
static const struct option options[] = {
    {"confidences", 'c', OPTION_INPUT, AT(confidences), .required = true,
     .help = "frames in stream order as JSON lines: {\"file\", \"confidence\"} or the output of retort "
             "detect --json"},
    {"out", 'o', OPTION_OUTPUT, AT(out), .required = true,
     .help = "the selection, JSON lines: every frame with the reason why it was taken or not"},
    {"count", 'n', OPTION_INT, AT(count), "0", 1, FRAME_LINES_MAX, .required = true, .help = "frames wanted"},
    {"rule", 'r', OPTION_CHOICE, AT(rule), "top-confidence", .choices = rules,
     .help = "how frames are chosen"},
    {"warmup", 'w', OPTION_INT, AT(warmup), "720", 1, FRAME_LINES_MAX,
     .help = "frames with a confidence that only set the threshold"},
    {"alpha", 'a', OPTION_REAL, AT(alpha), "0.1", 0, 1, .help = "share of frames beyond the threshold"},
    {"rate", 0, OPTION_REAL, AT(rate), "0.1", 1e-9, 1, .help = "uniform: chance of a frame"},
    {"at-end", 0, OPTION_CHOICE, AT(policy), "short", .choices = policies,
     .help = "when the stream ends before all are found (relax lowers the threshold and starts again)"},
    {"empty-is-zero", 0, OPTION_FLAG, AT(empty_is_zero),
     .help = "frames without objects have confidence 0, instead of being passed over"},
    {"reserve-last", 0, OPTION_INT, AT(reserve_last), "0", 0, FRAME_LINES_MAX,
     .help = "n-first: frames left at the end"},
    {"aggregate", 0, OPTION_CHOICE, AT(aggregation), "max", .choices = selection_aggregations,
     .help = "confidence of a frame from those of its objects"},
    {"classes", 0, OPTION_TEXT, AT(classes), CLASSES_VEHICLES,
     .help = "classes that count in detections, or all"},
    {"embeddings", 'e', OPTION_INPUT, AT(embeddings), .help = "chunk-diversity: .npy, a row a frame"},
    {"seed", 's', OPTION_INT, AT(seed), "0", 0, 9e15, .help = "uniform: of the random numbers"},
    {0},
};
#undef AT

static enum status print_result(struct run *run, const struct selection *selection, int frames,
                                struct error *err)
{
    struct console *const console = &run->console;
    if (!run->common.json) {
        console_print(console, "%d of %d frame%s selected", selection->count, frames, text_plural(frames));
        if (selection->warm) console_print(console, ", threshold %.6f", selection->tau);
        console_print(console, selection->relaxed ? ", relaxed\n" : "\n");
        return OK;
    }
    struct json_buffer json;
    TRY(json_buffer_begin(&json, false, err));
    json_open(&json.out, NULL, '{');
    json_put_int(&json.out, "frames", frames);
    json_put_int(&json.out, "selected", selection->count);
    json_put_bool(&json.out, "incomplete", selection->incomplete);
    json_put_bool(&json.out, "relaxed", selection->relaxed);
    json_put_double(&json.out, "threshold", selection->warm ? selection->tau : NAN);
    json_close(&json.out);
    return console_print_json(console, &json, err);
}

static enum status run_select(struct run *run, struct error *err)
{
    const struct values *values = run->values;
    struct class_set classes;
    struct frame_lines frames;
    struct embedding_file embeddings = {0};
    const struct kernels *kernels;
    struct select_options chosen = select_defaults();
    chosen.rule = (enum select_rule)values->rule;
    chosen.policy = (enum end_policy)values->policy;
    chosen.wanted = (int)values->count;
    chosen.warmup = (int)values->warmup;
    chosen.alpha = values->alpha;
    chosen.rate = values->rate;
    chosen.reserve_last = (int)values->reserve_last;
    chosen.empty_is_zero = values->empty_is_zero;
    TRY(select_check(&chosen, err));
    TRY(class_set_parse(&classes, values->classes, err));
    TRY(kernels_get(&kernels, NULL, err));
    if (chosen.rule == SELECT_CHUNK_DIVERSITY && !values->embeddings)
        return fail(err, ERR_USAGE, "--embeddings: is needed by chunk-diversity");
    TRY(frame_lines_read(&frames, values->confidences, &classes, (enum aggregation)values->aggregation,
                         &run->arena, err));
    if (values->embeddings) TRY(embedding_file_read(&embeddings, values->embeddings, &run->arena, err));
    if (values->embeddings && embeddings.rows != frames.count)
        return fail(err, ERR_INPUT, "%s: expected %d rows, as many as frames, found %d", values->embeddings,
                    frames.count, embeddings.rows);
    const uint64_t key = rng_key((uint64_t)values->seed, "uniform_select");
    const struct select_bank bank = {.frames = frames.count,
                                     .confidence = frames.confidences,
                                     .embeddings = embeddings.values,
                                     .embedding_stride = embeddings.width,
                                     .width = embeddings.width,
                                     .draws = draws_of_key(&key),
                                     .kernels = kernels};
    struct selection selection;
    struct ledger ledger;
    TRY(select_run(&selection, &chosen, &bank, &run->arena, err));
    TRY(ledger_explain(&ledger, &chosen, &bank, &selection, FILTER_NONE, NULL, &run->arena, err));
    for (int i = 0; i < frames.count; i++) {
        ledger.rows[i].file = frames.files[i];
        ledger.rows[i].time = frames.times[i];
    }
    TRY(ledger_write(values->out, &ledger, err));
    if (selection.incomplete)
        console_message(&run->console, "%d of the %d frames wanted were found", selection.count,
                        chosen.wanted);
    return print_result(run, &selection, frames.count, err);
}

const struct command command_select = {
    .name = "select",
    .summary = "Chooses candidate frames from a stream",
    .description =
        "Applies a SELECT rule to the image confidences of a stored stream and writes every frame with the "
        "reason why it was taken or not.",
    .options = options,
    .values_size = sizeof(struct values),
    .example = "retort select --confidences conf.jsonl --rule top-confidence --warmup 720 --alpha 0.1 "
               "--count 256 -o sel.jsonl\n"
               "retort detect --model s.safetensors --frames f --json | retort select -c /dev/stdin -n 64 -o "
               "sel.jsonl",
    .run = run_select,
};
