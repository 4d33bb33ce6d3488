#include "select/picks.h"

#include "base/par.h"

#include <string.h>

enum { GRAIN = 64 };

struct nearest {
    float similarity;
    int frame; /* -1: none */
};

struct round {
    const struct picker *picker;
    const float *pick;
    bool first;
    float *similarity;     /* [M]: largest to the picks so far */
    const uint8_t *marked; /* [M] */
    struct nearest best[PAR_MAX_THREADS];
};

/* similarity = max(similarity, <e_i, pick>), and the lowest unmarked one of this share. Shares are
 * contiguous, so taking the lowest frame on ties here and between shares gives the lowest of all. */
static void update(void *context, int64_t begin, int64_t end, int worker)
{
    struct round *round = context;
    const struct embeddings *set = &round->picker->set;
    struct nearest best = {0, -1};
    for (int i = (int)begin; i < (int)end; i++) {
        if (round->marked[i]) continue;
        const float now = round->picker->kernels->dot(set->rows[i], round->pick, set->width);
        if (round->first || now > round->similarity[i]) round->similarity[i] = now;
        if (best.frame < 0 || round->similarity[i] < best.similarity)
            best = (struct nearest){round->similarity[i], i};
    }
    round->best[worker] = best;
}

static struct nearest least_similar(struct round *round, int pick)
{
    const struct picker *picker = round->picker;
    round->pick = picker->set.rows[pick];
    for (int i = 0; i < picker->threads; i++) round->best[i].frame = -1;
    par_for(picker->threads, picker->set.count, GRAIN, update, round);
    round->first = false;
    struct nearest best = {0, -1};
    for (int i = 0; i < picker->threads; i++) {
        const struct nearest other = round->best[i];
        if (other.frame < 0) continue;
        if (best.frame < 0 || other.similarity < best.similarity ||
            (other.similarity == best.similarity && other.frame < best.frame))
            best = other;
    }
    return best;
}

static bool equal(const float *a, const float *b, int n)
{
    for (int i = 0; i < n; i++)
        if (a[i] != b[i]) return false;
    return true;
}

static void mark(struct picks *picks, uint8_t *marked, int frame, int rank, double score)
{
    marked[frame] = 1;
    picks->items[picks->count++] = (struct pick){frame, rank, score};
}

enum status farthest_first(struct picks *picks, const struct picker *picker, bool mark_duplicates,
                           double max_cosine, struct error *err)
{
    const struct embeddings *set = &picker->set;
    const size_t m = (size_t)set->count;
    double *scratch = arena_alloc(picker->arena, (size_t)set->width, sizeof *scratch);
    struct round *round = arena_alloc(picker->arena, 1, sizeof *round);
    float *similarity = arena_alloc(picker->arena, m, sizeof *similarity);
    uint8_t *marked = arena_alloc(picker->arena, m, 1);
    if (!scratch || !round || !similarity || !marked) return fail_memory(err, "farthest-first", m * 5);
    *round = (struct round){.picker = picker, .first = true, .similarity = similarity, .marked = marked};
    struct nearest next = {0, embeddings_densest(set, scratch)};
    for (int rank = 0; rank < picker->budget && next.frame >= 0; rank++) {
        if (rank && max_cosine < 1 && next.similarity > max_cosine) {
            picks->stopped = true;
            break;
        }
        mark(picks, marked, next.frame, rank, (double)next.similarity);
        for (int i = 0; mark_duplicates && i < set->count; i++)
            if (!marked[i] && equal(set->rows[i], set->rows[next.frame], set->width))
                mark(picks, marked, i, rank, (double)next.similarity);
        if (rank + 1 < picker->budget) next = least_similar(round, next.frame);
    }
    return OK;
}
