#include "select/picks.h"

#include "base/par.h"

#include <math.h>

enum { BLOCK = 64, AT_ONCE = 4, TAKEN = -1 };

struct known {
    int frame;        /* -1: none */
    float similarity; /* the largest to any pick so far, or a lower bound of it */
};

/* A frame's similarity to its nearest pick only grows from pick to pick. What is known of it from the first few is
 * therefore a lower bound, and while it is above the least similarity of another frame, the comparisons with the rest
 * can wait; most are never made. Those that are not made would have changed nothing, so the picks are the same.
 *
 * How far a frame was compared depends on threads and their pace. Picks and their scores do not: a frame is picked
 * when it was compared with all earlier picks, and of the others at least that they come after it is known. */
struct round {
    const struct picker *picker;
    const float **picks; /* [B]: rows, by rank */
    int count;           /* of picks */
    int *seen; /* [M]: how many of them the frame was compared with; TAKEN: not to be picked any more */
    float *similarity;                  /* [M]: the largest of these */
    int blocks;                         /* of frames */
    float *low;                         /* [blocks]: none in the block that is not taken has less */
    struct known best[PAR_MAX_THREADS]; /* of each worker */
};

static bool before(float similarity, int frame, const struct known *other)
{
    return other->frame < 0 || similarity < other->similarity ||
           (similarity == other->similarity && frame < other->frame);
}

/* Compares the frame with picks until it cannot be before `best` any more; it is the new one if it was to the last. */
static void compare(struct round *round, int frame, struct known *best)
{
    const struct embeddings *const set = &round->picker->set;
    float *const similarity = &round->similarity[frame], now[AT_ONCE];
    int *const seen = &round->seen[frame];
    while (*seen < round->count && before(*similarity, frame, best)) {
        const int left = round->count - *seen, some = left < AT_ONCE ? left : AT_ONCE;
        round->picker->kernels->dots(now, set->rows[frame], round->picks + *seen, set->width, some);
        for (int i = 0; i < some; i++)
            if (now[i] > *similarity) *similarity = now[i];
        *seen += some;
    }
    if (before(*similarity, frame, best)) *best = (struct known){frame, *similarity};
}

static int block_end(const struct round *round, int block)
{
    const int count = round->picker->set.count;
    return count - block * BLOCK < BLOCK ? count : (block + 1) * BLOCK;
}

static void search_block(struct round *round, int block, struct known *best)
{
    if (best->frame >= 0 && round->low[block] > best->similarity) return;
    float low = INFINITY;
    for (int i = block * BLOCK; i < block_end(round, block); i++) {
        if (round->seen[i] == TAKEN) continue;
        if (before(round->similarity[i], i, best)) compare(round, i, best);
        if (round->similarity[i] < low) low = round->similarity[i];
    }
    round->low[block] = low;
}

/* What one worker finds is the first in its shares, so that the first of all is among them. */
static void search_share(void *context, int64_t begin, int64_t end, int worker)
{
    struct round *round = context;
    for (int i = (int)begin; i < (int)end; i++) search_block(round, i, &round->best[worker]);
}

/* A frame of which little similarity is known. */
static struct known likely(const struct round *round)
{
    struct known found = {-1, 0};
    int block = 0;
    for (int i = 1; i < round->blocks; i++)
        if (round->low[i] < round->low[block]) block = i;
    for (int i = block * BLOCK; i < block_end(round, block); i++)
        if (round->seen[i] != TAKEN && before(round->similarity[i], i, &found))
            found = (struct known){i, round->similarity[i]};
    return found;
}

/* The frame that is least similar to its nearest pick, the lowest one on ties; none when all are taken. */
static struct known least_similar(struct round *round)
{
    const int threads = round->picker->threads;
    const struct known start = likely(round);
    struct known first = {-1, 0};
    if (start.frame >= 0) compare(round, start.frame, &first);
    for (int i = 0; i < threads; i++) round->best[i] = first;
    par_for(threads, round->blocks, 1, search_share, round);
    for (int i = 0; i < threads; i++)
        if (round->best[i].frame >= 0 && before(round->best[i].similarity, round->best[i].frame, &first))
            first = round->best[i];
    return first;
}

static bool equal(const float *a, const float *b, int n)
{
    for (int i = 0; i < n; i++)
        if (a[i] != b[i]) return false;
    return true;
}

static void take(struct picks *picks, struct round *round, int frame, int rank, float similarity)
{
    round->seen[frame] = TAKEN;
    picks->items[picks->count++] = (struct pick){frame, rank, (double)similarity};
}

enum status farthest_first(struct picks *picks, const struct picker *picker, bool mark_duplicates,
                           double max_cosine, struct error *err)
{
    const struct embeddings *set = &picker->set;
    const int blocks = (set->count + BLOCK - 1) / BLOCK;
    const size_t m = (size_t)set->count, b = (size_t)picker->budget;
    double *scratch = arena_alloc(picker->arena, (size_t)set->width + m, sizeof *scratch);
    struct round *round = arena_alloc(picker->arena, 1, sizeof *round);
    if (!scratch || !round) return fail_memory(err, "farthest-first", sizeof *round);
    *round = (struct round){.picker = picker,
                            .picks = arena_alloc(picker->arena, b, sizeof *round->picks),
                            .seen = arena_alloc(picker->arena, m, sizeof *round->seen),
                            .similarity = arena_alloc(picker->arena, m, sizeof *round->similarity),
                            .blocks = blocks,
                            .low = arena_alloc(picker->arena, (size_t)blocks, sizeof *round->low)};
    if (!round->picks || !round->seen || !round->similarity || !round->low)
        return fail_memory(err, "farthest-first", m * 8 + b * 8);
    for (size_t i = 0; i < m; i++) round->similarity[i] = -INFINITY;
    for (int i = 0; i < blocks; i++) round->low[i] = -INFINITY;
    struct known next = {embeddings_densest(set, picker->threads, scratch), 0};
    for (int rank = 0; rank < picker->budget && next.frame >= 0; rank++) {
        if (rank && max_cosine < 1 && (double)next.similarity > max_cosine) {
            picks->stopped = true;
            break;
        }
        round->picks[round->count++] = set->rows[next.frame];
        take(picks, round, next.frame, rank, next.similarity);
        for (int i = 0; mark_duplicates && i < set->count; i++)
            if (round->seen[i] != TAKEN && equal(set->rows[i], set->rows[next.frame], set->width))
                take(picks, round, i, rank, next.similarity);
        if (rank + 1 < picker->budget) next = least_similar(round);
    }
    return OK;
}
