#include "world/mesh.h"

#include <assert.h>
#include <string.h>

enum { DISC = 12, RING = 9 };

static int add_point(struct mesh_builder *mesh, struct point p)
{
    assert(mesh->point_count < MESH_MAX_POINTS);
    mesh->points[mesh->point_count] = p;
    return mesh->point_count++;
}

static struct point face_normal(const struct mesh_builder *mesh, int a, int b, int c)
{
    const struct point *p = mesh->points;
    return point_cross(point_sub(p[b], p[a]), point_sub(p[c], p[a]));
}

static void add_face(struct mesh_builder *mesh, int a, int b, int c, enum material material, bool decal)
{
    const struct point n = point_unit(face_normal(mesh, a, b, c));
    if (n.x == 0 && n.y == 0 && n.z == 0) return; /* two corners fall together */
    assert(mesh->face_count < MESH_MAX_FACES);
    struct mesh_face *face = &mesh->faces[mesh->face_count++];
    *face = (struct mesh_face){{(uint16_t)a, (uint16_t)b, (uint16_t)c}, (uint8_t)material, decal, {{0}}};
    for (int k = 0; k < 3; k++) {
        face->normal[k][0] = (float)n.x;
        face->normal[k][1] = (float)n.y;
        face->normal[k][2] = (float)n.z;
    }
}

void mesh_quad(struct mesh_builder *mesh, const struct point corners[4], enum material material, bool decal)
{
    int at[4];
    for (int i = 0; i < 4; i++) at[i] = add_point(mesh, corners[i]);
    add_face(mesh, at[0], at[1], at[2], material, decal);
    add_face(mesh, at[0], at[2], at[3], material, decal);
}

void mesh_box(struct mesh_builder *mesh, struct point a, struct point b, double lean, enum material material)
{
    static const uint8_t sides[6][4] = {{0, 1, 5, 4}, {1, 2, 6, 5}, {2, 3, 7, 6},
                                        {3, 0, 4, 7}, {4, 5, 6, 7}, {3, 2, 1, 0}};
    const struct point corners[8] = {{a.x, a.y, a.z},        {b.x, a.y, a.z},        {b.x, b.y, a.z},
                                     {a.x, b.y, a.z},        {a.x + lean, a.y, b.z}, {b.x + lean, a.y, b.z},
                                     {b.x + lean, b.y, b.z}, {a.x + lean, b.y, b.z}};
    int at[8];
    for (int i = 0; i < 8; i++) at[i] = add_point(mesh, corners[i]);
    for (int i = 0; i < 6; i++) {
        add_face(mesh, at[sides[i][0]], at[sides[i][1]], at[sides[i][2]], material, false);
        add_face(mesh, at[sides[i][0]], at[sides[i][2]], at[sides[i][3]], material, false);
    }
}

static struct point on_circle(struct point c, double radius, int i)
{
    const double angle = 2 * SPACE_PI * i / DISC;
    return (struct point){c.x + radius * space_cos(angle), c.y, c.z + radius * space_sin(angle)};
}

void mesh_disc(struct mesh_builder *mesh, struct point centre, double radius, int side,
               enum material material, bool decal)
{
    const int middle = add_point(mesh, centre), first = mesh->point_count;
    for (int i = 0; i < DISC; i++) add_point(mesh, on_circle(centre, radius, i));
    for (int i = 0; i < DISC; i++) {
        const int a = first + i, b = first + (i + 1) % DISC;
        add_face(mesh, middle, side > 0 ? b : a, side > 0 ? a : b, material, decal);
    }
}

void mesh_ring(struct mesh_builder *mesh, struct point centre, double radius, double width,
               enum material material)
{
    for (int i = 0; i < DISC; i++) {
        const struct point q[4] = {on_circle(centre, radius, i), on_circle(centre, radius, i + 1),
                                   on_circle(centre, radius - width, i + 1),
                                   on_circle(centre, radius - width, i)};
        const struct point back[4] = {q[3], q[2], q[1], q[0]};
        mesh_quad(mesh, q, material, false);
        mesh_quad(mesh, back, material, false);
    }
}

void mesh_ball(struct mesh_builder *mesh, struct point centre, double radius, enum material material)
{
    enum { AROUND = 8, UP = 4 };
    int at[UP + 1][AROUND];
    for (int j = 0; j <= UP; j++)
        for (int i = 0; i < AROUND; i++) {
            const double around = 2 * SPACE_PI * i / AROUND, up = SPACE_PI * (j / (double)UP - 0.5);
            const double flat = radius * space_cos(up);
            at[j][i] = add_point(mesh, (struct point){centre.x + flat * space_cos(around),
                                                      centre.y + flat * space_sin(around),
                                                      centre.z + radius * space_sin(up)});
        }
    for (int j = 0; j < UP; j++)
        for (int i = 0; i < AROUND; i++) {
            const int k = (i + 1) % AROUND;
            add_face(mesh, at[j][i], at[j][k], at[j + 1][k], material, false);
            add_face(mesh, at[j][i], at[j + 1][k], at[j + 1][i], material, false);
        }
}

static void add_ring(struct mesh_builder *mesh, const struct station *s)
{
    const double half[5] = {s->low_half, s->widest_half, s->belt_half, s->edge_half, 0};
    const double height[5] = {s->low, s->widest, s->belt, s->edge, s->top};
    for (int k = 0; k < RING; k++) {
        const int at = k < 5 ? k : RING - 1 - k;
        add_point(mesh, (struct point){s->x, k < 5 ? half[at] : -half[at], height[at]});
    }
}

/* Mixes into every corner's normal the mean of the faces that meet there. */
static void round_normals(struct mesh_builder *mesh, int first_face, double smooth)
{
    static const struct point zero = {0, 0, 0};
    struct point mean[MESH_MAX_POINTS];
    for (int i = 0; i < mesh->point_count; i++) mean[i] = zero;
    for (int i = first_face; i < mesh->face_count; i++) {
        const uint16_t *p = mesh->faces[i].point;
        for (int k = 0; k < 3; k++) mean[p[k]] = point_add(mean[p[k]], face_normal(mesh, p[0], p[1], p[2]));
    }
    for (int i = first_face; i < mesh->face_count; i++)
        for (int k = 0; k < 3; k++) {
            float *normal = mesh->faces[i].normal[k];
            const struct point own = {normal[0], normal[1], normal[2]};
            const struct point round = point_scale(point_unit(mean[mesh->faces[i].point[k]]), smooth);
            const struct point n = point_unit(point_add(point_scale(own, 1 - smooth), round));
            normal[0] = (float)n.x;
            normal[1] = (float)n.y;
            normal[2] = (float)n.z;
        }
}

void mesh_loft(struct mesh_builder *mesh, const struct station *stations, int n,
               const enum material (*materials)[STRIPS], enum material ends, double smooth)
{
    const int first = mesh->point_count, first_face = mesh->face_count;
    for (int i = 0; i < n; i++) add_ring(mesh, &stations[i]);
    for (int i = 0; i + 1 < n; i++)
        for (int k = 0; k + 1 < RING; k++) {
            const int a = first + i * RING + k, b = a + RING;
            const enum material material = materials[i][k < STRIPS ? k : RING - 2 - k];
            add_face(mesh, a, a + 1, b + 1, material, false);
            add_face(mesh, a, b + 1, b, material, false);
        }
    round_normals(mesh, first_face, smooth);
    const int back = first, front = first + (n - 1) * RING;
    for (int k = 1; k + 1 < RING; k++) {
        add_face(mesh, back, back + k + 1, back + k, ends, false);
        add_face(mesh, front, front + k, front + k + 1, ends, false);
    }
}

bool mesh_finish(struct mesh *mesh, const struct mesh_builder *builder, struct arena *arena)
{
    struct point *points = arena_alloc(arena, (size_t)builder->point_count, sizeof *points);
    struct mesh_face *faces = arena_alloc(arena, (size_t)builder->face_count, sizeof *faces);
    if (!points || !faces) return false;
    memcpy(points, builder->points, (size_t)builder->point_count * sizeof *points);
    memcpy(faces, builder->faces, (size_t)builder->face_count * sizeof *faces);
    *mesh = (struct mesh){builder->point_count, builder->face_count, points, faces};
    return true;
}
