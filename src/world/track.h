/* Ways on the ground: chains of lines and arcs, and the same as points a metre apart. */
#ifndef RETORT_WORLD_TRACK_H
#define RETORT_WORLD_TRACK_H

#include "base/arena.h"
#include "world/space.h"

#include <stdbool.h>

/* An arc that begins at (x, y) with a heading (radians from +x, towards +y); curvature > 0 turns left. */
struct piece {
    double x, y, heading, curvature, length;
    double cosine, sine; /* of the heading */
};

enum { CHAIN_MAX_PIECES = 6 };

struct chain {
    int count;
    struct piece pieces[CHAIN_MAX_PIECES];
};

struct pose {
    double x, y, cosine, sine; /* of the heading */
};

/* A chain that begins at (x, y); chain_add appends a piece where the last one ends. */
struct chain chain_start(double x, double y, double heading, double curvature, double length);
void chain_add(struct chain *chain, double curvature, double length);
double chain_length(const struct chain *chain);
struct pose chain_pose(const struct chain *chain, double s); /* s outside is on the prolonged end pieces */

/* The chain moved to the left by d (negative: right); |d| is less than every radius. */
struct chain chain_beside(const struct chain *chain, double d);
struct chain chain_reversed(const struct chain *chain);

/* The nearest place of the chain: s along it and the distance d to its left. */
void chain_locate(const struct chain *chain, double x, double y, double *s, double *d);

/* Points at 0, 1, 2, ... metres. */
struct track {
    int count;
    double length;
    const double (*points)[2]; /* the arena's */
};

/* The pose at s in [0, length]; the heading is smoothed over two metres. */
struct pose track_pose(const struct track *track, double s);

/* false: memory is short. track_of_points puts n points (n >= 2) at equal distances. */
bool track_of_chain(struct track *track, const struct chain *chain, struct arena *arena);
bool track_of_points(struct track *track, const double (*points)[2], int n, struct arena *arena);

#endif
