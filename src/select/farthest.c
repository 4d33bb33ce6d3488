#include "select/picks.h"

#include "base/par.h"
#include "select/bounds.h"

#include <math.h>

enum { GRAIN = 64 };

struct nearest {
    float similarity;
    int frame; /* -1: none */
};

/* Angles between unit rows obey the triangle inequality: a frame at angle t from its nearest pick cannot be
 * nearer to a new pick that is 2 t or more away from that one, and cos 2t = 2 cos^2 t - 1. Products that are
 * not taken for this reason would have changed nothing, so the picks are the same. SLACK is far above what
 * rounding does to the products of 16384 numbers and to unit lengths: with d the error of a product, 16 d
 * would be enough. */
static const float SLACK = 1e-3F;
static const float NOT_UNIT = 1e-5F; /* by how much a squared length may differ from 1 */
static const float NEVER = -2, ALWAYS = 2;

struct round {
    const struct picker *picker;
    int rank;              /* of the newest pick */
    int *picks;            /* [B]: frames, by rank */
    float *cosine;         /* [B]: newest pick to each earlier one; ALWAYS unless both are unit rows */
    float *similarity;     /* [M]: largest to the picks so far */
    int *nearest;          /* [M]: rank of the pick with that similarity */
    float *reach;          /* [M]: when cosine[nearest] is below this, the newest pick is no nearer */
    const uint8_t *marked; /* [M] */
    struct bounds bounds;
    struct nearest best[PAR_MAX_THREADS];
};

static bool unit(const struct round *round, int frame)
{
    const float length = bounds_length(&round->bounds, frame);
    return fabsf(length * length - 1) <= NOT_UNIT;
}

static float product(const struct round *round, int a, int b)
{
    const struct embeddings *set = &round->picker->set;
    return round->picker->kernels->dot(set->rows[a], set->rows[b], set->width);
}

static void compare(struct round *round, int frame)
{
    const int rank = round->rank;
    if (rank && (round->cosine[round->nearest[frame]] < round->reach[frame] ||
                 bounds_above(&round->bounds, frame) <= round->similarity[frame]))
        return;
    const float now = product(round, frame, round->picks[rank]);
    if (rank && now <= round->similarity[frame]) return;
    round->similarity[frame] = now;
    round->nearest[frame] = rank;
    round->reach[frame] = now > 0 && unit(round, frame) ? 2 * now * now - 1 - SLACK : NEVER;
}

/* similarity = max(similarity, <e_i, pick>), and the lowest unmarked one of this worker. Its shares ascend,
 * so taking the lowest frame on ties here and between workers gives the lowest of all. */
static void update(void *context, int64_t begin, int64_t end, int worker)
{
    struct round *round = context;
    struct nearest best = round->best[worker];
    for (int i = (int)begin; i < (int)end; i++) {
        if (round->marked[i]) continue;
        compare(round, i);
        if (best.frame < 0 || round->similarity[i] < best.similarity)
            best = (struct nearest){round->similarity[i], i};
    }
    round->best[worker] = best;
}

static struct nearest least_similar(struct round *round, int rank, int pick)
{
    const struct picker *picker = round->picker;
    round->rank = rank;
    round->picks[rank] = pick;
    bounds_aim(&round->bounds, pick);
    for (int i = 0; i < rank; i++) {
        const bool both = unit(round, pick) && unit(round, round->picks[i]);
        round->cosine[i] = both ? product(round, pick, round->picks[i]) : ALWAYS;
    }
    for (int i = 0; i < picker->threads; i++) round->best[i].frame = -1;
    par_for(picker->threads, picker->set.count, GRAIN, update, round);
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
    const size_t m = (size_t)set->count, b = (size_t)picker->budget;
    double *scratch = arena_alloc(picker->arena, (size_t)set->width, sizeof *scratch);
    struct round *round = arena_alloc(picker->arena, 1, sizeof *round);
    uint8_t *marked = arena_alloc(picker->arena, m, 1);
    if (!scratch || !round || !marked) return fail_memory(err, "farthest-first", m);
    *round = (struct round){.picker = picker,
                            .picks = arena_alloc(picker->arena, b, sizeof *round->picks),
                            .cosine = arena_alloc(picker->arena, b, sizeof *round->cosine),
                            .similarity = arena_alloc(picker->arena, m, sizeof *round->similarity),
                            .nearest = arena_alloc(picker->arena, m, sizeof *round->nearest),
                            .reach = arena_alloc(picker->arena, m, sizeof *round->reach),
                            .marked = marked};
    if (!round->picks || !round->cosine || !round->similarity || !round->nearest || !round->reach)
        return fail_memory(err, "farthest-first", m * 12 + b * 8);
    TRY(bounds_of(&round->bounds, set, picker->kernels, picker->threads, picker->arena, err));
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
        if (rank + 1 < picker->budget) next = least_similar(round, rank, next.frame);
    }
    return OK;
}
