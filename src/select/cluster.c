/* k-means on embeddings, plain and on the sphere, and k-medoids. All in double, sums in index order. */
#include "select/picks.h"

#include "base/par.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { ROUNDS = 100, GRAIN = 16 };
static const double shift_tolerance = 1e-4;

struct clusters {
    const struct picker *picker;
    bool spherical;
    double *centres; /* [B][width] */
    double *next;    /* [B][width] */
    int *owner;      /* [M]: cluster number; while picking, 1 for a taken frame */
    int *members;    /* [B]: sizes */
    double *value;   /* [M]: closeness to the nearest seed, or the sum of distances inside a cluster */
    const double *point;
    const int *medoids;
    bool first;
};

static enum status make(struct clusters *c, const struct picker *picker, bool spherical, struct error *err)
{
    const size_t m = (size_t)picker->set.count, size = (size_t)picker->budget * (size_t)picker->set.width;
    *c = (struct clusters){.picker = picker, .spherical = spherical};
    c->centres = arena_alloc(picker->arena, size, sizeof(double));
    c->next = arena_alloc(picker->arena, size, sizeof(double));
    c->owner = arena_alloc(picker->arena, m, sizeof(int));
    c->members = arena_alloc(picker->arena, (size_t)picker->budget, sizeof(int));
    c->value = arena_alloc(picker->arena, m, sizeof(double));
    if (!c->centres || !c->next || !c->owner || !c->members || !c->value)
        return fail_memory(err, "clusters", 16ull * size);
    return OK;
}

/* Larger is closer: the cosine, or minus the squared distance. */
static double closeness(const struct clusters *c, int frame, const double *point)
{
    const struct embeddings *set = &c->picker->set;
    return c->spherical ? embeddings_dot_double(set->rows[frame], point, set->width)
                        : -embeddings_distance2(set->rows[frame], point, set->width);
}

static double *centre(const struct clusters *c, double *centres, int j)
{
    return centres + (size_t)j * (size_t)c->picker->set.width;
}

static void near_seed(void *context, int64_t begin, int64_t end, int worker)
{
    struct clusters *c = context;
    (void)worker;
    for (int i = (int)begin; i < (int)end; i++) {
        const double now = closeness(c, i, c->point);
        if (c->first || now > c->value[i]) c->value[i] = now;
    }
}

/* Weight of a frame for the next seed; owner marks those that are seeds. */
static double seed_weight(const struct clusters *c, int frame)
{
    if (c->owner[frame]) return 0;
    const double value = c->value[frame];
    return c->spherical ? (1 - value) * (1 - value) : -value;
}

/* The frame where the running sum of weights first exceeds u of their total. */
static int next_seed(const struct clusters *c, double u)
{
    const int m = c->picker->set.count;
    double total = 0, running = 0;
    for (int i = 0; i < m; i++) total += seed_weight(c, i);
    for (int i = 0; i < m && total > 0; i++) {
        running += seed_weight(c, i);
        if (running > u * total) return i;
    }
    for (int i = 0; i < m; i++)
        if (!c->owner[i]) return i;
    return 0;
}

/* k-means++ */
static void seed(struct clusters *c, int *seeds)
{
    const struct picker *picker = c->picker;
    const struct embeddings *set = &picker->set;
    for (int k = 0; k < picker->budget; k++) {
        const double u = draws_at(picker->draws, k);
        seeds[k] = k ? next_seed(c, u) : (int)floor(u * set->count);
        c->owner[seeds[k]] = 1;
        double *point = centre(c, c->centres, k);
        for (int j = 0; j < set->width; j++) point[j] = (double)set->rows[seeds[k]][j];
        c->point = point;
        c->first = k == 0;
        par_for(picker->threads, set->count, GRAIN, near_seed, c);
    }
}

static void assign(void *context, int64_t begin, int64_t end, int worker)
{
    struct clusters *c = context;
    (void)worker;
    for (int i = (int)begin; i < (int)end; i++) {
        double best = 0;
        for (int j = 0; j < c->picker->budget; j++) {
            const double now = closeness(c, i, centre(c, c->centres, j));
            if (j == 0 || now > best) {
                best = now;
                c->owner[i] = j;
            }
        }
    }
}

static double squares(const double *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i] * x[i];
    return sum;
}

/* Moves every centre to the mean (or normalised sum) of its members; returns the sum of squared shifts. */
static double move_centres(struct clusters *c)
{
    const struct embeddings *set = &c->picker->set;
    const int n = set->width, budget = c->picker->budget;
    const size_t size = (size_t)budget * (size_t)n;
    int *members = memset(c->members, 0, (size_t)budget * sizeof *members);
    memset(c->next, 0, size * sizeof *c->next);
    for (int i = 0; i < set->count; i++) {
        double *sum = centre(c, c->next, c->owner[i]);
        for (int k = 0; k < n; k++) sum[k] += (double)set->rows[i][k];
        members[c->owner[i]]++;
    }
    double shift = 0;
    for (int j = 0; j < budget; j++) {
        double *sum = centre(c, c->next, j), *old = centre(c, c->centres, j);
        const double divisor = c->spherical ? sqrt(squares(sum, n)) : members[j];
        if (!(divisor > 0)) continue;
        for (int k = 0; k < n; k++) {
            const double moved = sum[k] / divisor, d = moved - old[k];
            shift += d * d;
            old[k] = moved;
        }
    }
    return shift;
}

/* For each centre in order the nearest frame that is not taken yet. */
static void pick_nearest(struct picks *picks, struct clusters *c)
{
    const int m = c->picker->set.count;
    memset(c->owner, 0, (size_t)m * sizeof *c->owner);
    for (int j = 0; j < c->picker->budget; j++) {
        c->point = centre(c, c->centres, j);
        c->first = true;
        par_for(c->picker->threads, m, GRAIN, near_seed, c);
        int best = -1;
        for (int i = 0; i < m; i++)
            if (!c->owner[i] && (best < 0 || c->value[i] > c->value[best])) best = i;
        c->owner[best] = 1;
        picks->items[picks->count++] =
            (struct pick){best, j, c->spherical ? c->value[best] : -c->value[best]};
    }
}

enum status cluster_k_means(struct picks *picks, const struct picker *picker, bool spherical,
                            struct error *err)
{
    struct clusters c;
    TRY(make(&c, picker, spherical, err));
    picks->start = arena_alloc(picker->arena, (size_t)picker->budget, sizeof *picks->start);
    if (!picks->start) return fail_memory(err, "clusters", (size_t)picker->budget * sizeof(int));
    seed(&c, picks->start);
    do {
        par_for(picker->threads, picker->set.count, GRAIN, assign, &c);
        picks->iterations++;
    } while (move_centres(&c) > shift_tolerance && picks->iterations < ROUNDS);
    pick_nearest(picks, &c);
    return OK;
}

static double distance(const struct clusters *c, int i, int j)
{
    const struct embeddings *set = &c->picker->set;
    return 1 - embeddings_dot(set->rows[i], set->rows[j], set->width);
}

static void assign_medoid(void *context, int64_t begin, int64_t end, int worker)
{
    struct clusters *c = context;
    (void)worker;
    for (int i = (int)begin; i < (int)end; i++) {
        double best = 0;
        for (int j = 0; j < c->picker->budget; j++) {
            const double now = distance(c, i, c->medoids[j]);
            if (j == 0 || now < best) {
                best = now;
                c->owner[i] = j;
            }
        }
    }
}

static void sum_inside(void *context, int64_t begin, int64_t end, int worker)
{
    struct clusters *c = context;
    (void)worker;
    for (int i = (int)begin; i < (int)end; i++) {
        double sum = 0;
        for (int k = 0; k < c->picker->set.count; k++)
            if (c->owner[k] == c->owner[i]) sum += distance(c, i, k);
        c->value[i] = sum;
    }
}

enum status cluster_k_medoids(struct picks *picks, const struct picker *picker, struct error *err)
{
    const int m = picker->set.count, budget = picker->budget;
    struct clusters c;
    TRY(make(&c, picker, false, err));
    TRY(farthest_first(picks, picker, false, 1, err));
    assert(picks->count == budget);
    picks->start = arena_alloc(picker->arena, (size_t)budget, sizeof *picks->start);
    int *medoids = arena_alloc(picker->arena, (size_t)budget, sizeof *medoids);
    if (!picks->start || !medoids) return fail_memory(err, "clusters", (size_t)budget * 8);
    for (int j = 0; j < budget; j++) medoids[j] = picks->start[j] = picks->items[j].frame;
    c.medoids = medoids;
    for (bool changed = true; changed && picks->iterations < ROUNDS; picks->iterations++) {
        par_for(picker->threads, m, GRAIN, assign_medoid, &c);
        for (int j = 0; j < budget; j++) c.owner[medoids[j]] = j;
        par_for(picker->threads, m, 1, sum_inside, &c);
        changed = false;
        for (int j = 0; j < budget; j++) {
            int best = -1;
            for (int i = 0; i < m; i++)
                if (c.owner[i] == j && (best < 0 || c.value[i] < c.value[best])) best = i;
            changed |= best != medoids[j];
            medoids[j] = best;
        }
    }
    for (int j = 0; j < budget; j++) picks->items[j] = (struct pick){medoids[j], j, 0};
    return OK;
}
