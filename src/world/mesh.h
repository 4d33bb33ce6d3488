/* Solid shapes of triangles: boxes, discs and lofts, in metres; x forward, y to the left, z up from the
 * ground. */
#ifndef RETORT_WORLD_MESH_H
#define RETORT_WORLD_MESH_H

#include "base/arena.h"
#include "world/space.h"

#include <stdbool.h>

enum material {
    MAT_BODY,   /* the first colour of the one that wears the shape */
    MAT_SECOND, /* its second colour */
    MAT_THIRD,
    MAT_SKIN,
    MAT_GLASS,
    MAT_TYRE,
    MAT_RIM,
    MAT_TRIM, /* black plastic, underside */
    MAT_METAL,
    MAT_PLATE,
    MAT_HEAD, /* head lamp */
    MAT_TAIL, /* tail lamp */
    MAT_TURN, /* indicator */
    MAT_SIGN, /* destination board */
    MAT_COUNT
};

enum { MESH_MAX_POINTS = 700, MESH_MAX_FACES = 1100 };

struct mesh_face {
    uint16_t point[3];
    uint8_t material;
    bool decal;         /* lies on another face and wins over it */
    float normal[3][3]; /* of each corner, unit */
};

struct mesh {
    int point_count, face_count;
    const struct point *points;
    const struct mesh_face *faces; /* counter-clockwise from outside */
};

/* Under construction; start with {0}. */
struct mesh_builder {
    int point_count, face_count;
    struct point points[MESH_MAX_POINTS];
    struct mesh_face faces[MESH_MAX_FACES];
};

/* Corners counter-clockwise from outside. */
void mesh_quad(struct mesh_builder *mesh, const struct point corners[4], enum material material, bool decal);

/* An axis-parallel box from low to high; its upper side is moved by lean along x. bottomless: no lower side.
 */
void mesh_box(struct mesh_builder *mesh, struct point low, struct point high, double lean,
              enum material material);

/* A flat polygon of 12 corners around (x, y, z), facing +y (side 1) or -y (side -1). */
void mesh_disc(struct mesh_builder *mesh, struct point centre, double radius, int side,
               enum material material, bool decal);

/* A ring seen from both sides: the wheel of a cycle. */
void mesh_ring(struct mesh_builder *mesh, struct point centre, double radius, double width,
               enum material material);

/* A ball of 8 x 4 faces. */
void mesh_ball(struct mesh_builder *mesh, struct point centre, double radius, enum material material);

/* Cross sections along x, symmetric in y: from the sill over the widest place, the belt line and the edge of
 * the roof to its middle. */
struct station {
    double x;
    double low, widest, belt, edge, top;                /* heights */
    double low_half, widest_half, belt_half, edge_half; /* half widths */
};
enum { STRIPS = 4 };

/* materials[i][k]: strip k (sill, side, window, roof) between stations i and i + 1, which ascend in x.
 * ends: material of the caps. smooth: 0 keeps every face flat, 1 rounds. */
void mesh_loft(struct mesh_builder *mesh, const struct station *stations, int n,
               const enum material (*materials)[STRIPS], enum material ends, double smooth);

bool mesh_finish(struct mesh *mesh, const struct mesh_builder *builder, struct arena *arena);

#endif
