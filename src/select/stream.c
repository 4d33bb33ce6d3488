#include "select/stream.h"

#include "select/quantile.h"

#include <math.h>
#include <string.h>

enum { SHORT_WINDOWS_LIMIT = 20 }; /* 20 steps of 0.05: no level moves any more */

static bool by_confidence(const struct select_options *options)
{
    return options->rule == SELECT_TOP_CONFIDENCE || options->rule == SELECT_LEAST_CONFIDENCE;
}

enum status select_stream_open(struct select_stream *stream, const struct select_options *options,
                               struct draws draws, struct arena *arena, struct error *err)
{
    TRY(select_check(options, err));
    if (options->rule == SELECT_INTERVAL || options->rule == SELECT_CHUNK_DIVERSITY)
        return fail(err, ERR_USAGE, "%s needs a stored stream", select_rule_name(options->rule));
    if (options->policy == END_RELAX)
        return fail(err, ERR_USAGE, "end policy relax needs a stored stream; expected close or short");
    if (options->policy == END_CLOSE && options->window < 1)
        return fail(err, ERR_USAGE, "window: expected at least 1 frame, found %d", options->window);
    *stream = (struct select_stream){.options = *options, .draws = draws};
    if (!by_confidence(options)) return OK;
    const int64_t limit = (int64_t)options->warmup + (options->policy == END_CLOSE ? options->window : 0);
    if (limit > INT32_MAX)
        return fail(err, ERR_USAGE, "warm-up and window: expected less than 2^31 frames together");
    stream->seen_limit = (int)limit;
    stream->seen = arena_alloc(arena, (size_t)limit, sizeof *stream->seen);
    stream->sorted = arena_alloc(arena, (size_t)limit, sizeof *stream->sorted);
    if (!stream->seen || !stream->sorted) return fail_memory(err, "selection window", (size_t)limit * 16);
    return OK;
}

/* The warm-up stays apart from the window, so a copy is sorted. */
static void set_threshold(struct select_stream *stream)
{
    const size_t n = (size_t)stream->seen_count;
    memcpy(stream->sorted, stream->seen, n * sizeof *stream->seen);
    quantile_sort(stream->sorted, n);
    stream->tau =
        quantile_sorted(stream->sorted, n, select_window_level(&stream->options, stream->short_windows));
}

bool select_stream_closed(const struct select_stream *stream)
{
    if (stream->options.rule == SELECT_ALL) return false;
    return stream->selected >= stream->options.wanted ||
           (stream->warm && stream->options.policy == END_CLOSE && stream->seen_count == stream->seen_limit);
}

static enum select_verdict push_confidence(struct select_stream *stream, double confidence)
{
    const struct select_options *options = &stream->options;
    if (!(confidence >= 0)) {
        if (!options->empty_is_zero) return VERDICT_EMPTY;
        confidence = 0;
    }
    if (!stream->warm) {
        stream->seen[stream->seen_count++] = confidence;
        if (stream->seen_count == options->warmup) {
            set_threshold(stream);
            stream->warm = true;
        }
        return VERDICT_WARMING;
    }
    if (options->policy == END_CLOSE) stream->seen[stream->seen_count++] = confidence;
    const bool taken =
        options->rule == SELECT_TOP_CONFIDENCE ? confidence > stream->tau : confidence < stream->tau;
    return taken ? VERDICT_SELECTED : VERDICT_REFUSED;
}

enum select_verdict select_stream_push(struct select_stream *stream, double confidence)
{
    if (select_stream_closed(stream)) return VERDICT_CLOSED;
    const int64_t frame = stream->frames++;
    enum select_verdict verdict = VERDICT_SELECTED;
    if (by_confidence(&stream->options))
        verdict = push_confidence(stream, confidence);
    else if (stream->options.rule == SELECT_UNIFORM &&
             !(draws_at(stream->draws, frame) >= 1 - stream->options.rate))
        verdict = VERDICT_REFUSED;
    stream->selected += verdict == VERDICT_SELECTED && stream->selected < INT32_MAX;
    return verdict;
}

void select_stream_next_window(struct select_stream *stream, bool rewarm)
{
    const bool full = stream->selected >= stream->options.wanted;
    const bool close = stream->options.policy == END_CLOSE;
    stream->selected = 0;
    if (!by_confidence(&stream->options) || !stream->warm) return;
    stream->short_windows =
        full || !close ? 0 : stream->short_windows + (stream->short_windows < SHORT_WINDOWS_LIMIT);
    if (rewarm) {
        stream->warm = false;
        stream->seen_count = 0;
    } else if (close) {
        set_threshold(stream);
        stream->seen_count = stream->options.warmup;
    }
}

/* State: magic, options, counters, tau, then the confidences seen; integers and the bits of doubles
 * little-endian, eight bytes each. */
enum { OPTION_WORDS = 9, COUNTER_WORDS = 6, HEADER_WORDS = 1 + OPTION_WORDS + COUNTER_WORDS, WORD = 8 };
#define MAGIC 0x31307463656c6573u /* "select01" */

static void put(uint8_t *bytes, size_t word, uint64_t value)
{
    for (int i = 0; i < WORD; i++) bytes[word * WORD + (size_t)i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *bytes, size_t word)
{
    uint64_t value = 0;
    for (int i = 0; i < WORD; i++) value |= (uint64_t)bytes[word * WORD + (size_t)i] << 8 * i;
    return value;
}

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void option_words(uint64_t words[OPTION_WORDS], const struct select_options *options)
{
    const uint64_t values[OPTION_WORDS] = {
        (uint64_t)options->rule, (uint64_t)options->wanted, (uint64_t)options->warmup,
        bits_of(options->alpha), bits_of(options->rate),    (uint64_t)options->reserve_last,
        options->empty_is_zero,  (uint64_t)options->policy, (uint64_t)options->window,
    };
    memcpy(words, values, sizeof values);
}

size_t select_stream_size(const struct select_stream *stream)
{
    return ((size_t)HEADER_WORDS + (size_t)stream->seen_count) * WORD;
}

void select_stream_save(const struct select_stream *stream, uint8_t *bytes)
{
    uint64_t words[OPTION_WORDS];
    option_words(words, &stream->options);
    put(bytes, 0, MAGIC);
    size_t at = 1;
    for (int i = 0; i < OPTION_WORDS; i++) put(bytes, at++, words[i]);
    put(bytes, at++, (uint64_t)stream->seen_count);
    put(bytes, at++, (uint64_t)stream->selected);
    put(bytes, at++, (uint64_t)stream->short_windows);
    put(bytes, at++, (uint64_t)stream->frames);
    put(bytes, at++, bits_of(stream->tau));
    put(bytes, at++, stream->warm);
    for (int i = 0; i < stream->seen_count; i++) put(bytes, at++, bits_of(stream->seen[i]));
}

/* The counters as this module would have written them. */
static bool possible(const struct select_stream *stream, const uint64_t counters[COUNTER_WORDS])
{
    const uint64_t seen = counters[0], selected = counters[1], windows = counters[2], frames = counters[3];
    const uint64_t warm = counters[5];
    const int most = stream->options.rule == SELECT_ALL ? INT32_MAX : stream->options.wanted;
    if (seen > (uint64_t)stream->seen_limit || selected > (uint64_t)most) return false;
    if (windows > SHORT_WINDOWS_LIMIT || frames > INT64_MAX || seen > frames || selected > frames || warm > 1)
        return false;
    if (!isfinite(double_of(counters[4]))) return false;
    if (!by_confidence(&stream->options)) return !seen && !warm;
    const uint64_t warmup = (uint64_t)stream->options.warmup;
    return warm ? seen >= warmup : seen < warmup && !selected;
}

enum status select_stream_load(struct select_stream *stream, const uint8_t *bytes, size_t size,
                               struct error *err)
{
    if (size < (size_t)HEADER_WORDS * WORD || get(bytes, 0) != MAGIC)
        return fail(err, ERR_INPUT,
                    "selection state: byte 0: expected \"select01\" and %d bytes or more, found %zu bytes",
                    HEADER_WORDS * WORD, size);
    uint64_t words[OPTION_WORDS], counters[COUNTER_WORDS];
    option_words(words, &stream->options);
    for (size_t i = 0; i < OPTION_WORDS; i++)
        if (get(bytes, 1 + i) != words[i])
            return fail(err, ERR_INPUT, "selection state: byte %zu: written with other options",
                        (1 + i) * WORD);
    for (size_t i = 0; i < COUNTER_WORDS; i++) counters[i] = get(bytes, 1 + OPTION_WORDS + i);
    if (!possible(stream, counters))
        return fail(err, ERR_INPUT, "selection state: byte %d: counters that cannot be",
                    (1 + OPTION_WORDS) * WORD);
    const size_t seen = (size_t)counters[0];
    if (size != (HEADER_WORDS + seen) * WORD)
        return fail(err, ERR_INPUT, "selection state: expected %zu bytes, found %zu",
                    (HEADER_WORDS + seen) * WORD, size);
    for (size_t i = 0; i < seen; i++) {
        const double confidence = double_of(get(bytes, HEADER_WORDS + i));
        if (!(confidence >= 0 && isfinite(confidence)))
            return fail(err, ERR_INPUT, "selection state: byte %zu: expected a confidence, found %g",
                        (HEADER_WORDS + i) * WORD, confidence);
    }
    for (size_t i = 0; i < seen; i++) stream->seen[i] = double_of(get(bytes, HEADER_WORDS + i));
    stream->seen_count = (int)seen;
    stream->selected = (int)counters[1];
    stream->short_windows = (int)counters[2];
    stream->frames = (int64_t)counters[3];
    stream->tau = double_of(counters[4]);
    stream->warm = counters[5] != 0;
    return OK;
}
