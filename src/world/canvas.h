/* The picture under work: linear colour, depth and owner of every pixel. */
#ifndef RETORT_WORLD_CANVAS_H
#define RETORT_WORLD_CANVAS_H

#include "world/backdrop.h"
#include "world/paint.h"

struct canvas {
    const struct place *place;
    const struct backdrop *backdrop;
    uint16_t *colours;  /* [pixels][3] */
    uint16_t *nearness; /* lens_nearness; 0 on ground and sky */
    uint16_t *owners;   /* 1 + item, 0: the backdrop */
};

bool canvas_make(struct canvas *canvas, const struct place *place, struct arena *arena);
void canvas_begin(struct canvas *canvas, const struct backdrop *backdrop);

/* What a mover does to the ground: its shadow, the dark below it, the light of its lamps. */
void canvas_shadow(struct canvas *canvas, const struct model *model, const struct mover *mover);
void canvas_contact(struct canvas *canvas, const struct model *model, const struct mover *mover);
void canvas_headlights(struct canvas *canvas, const struct model *model, const struct mover *mover);

/* Sun and lamp light at a mover's place. */
struct shine canvas_shine(const struct canvas *canvas, const struct mover *mover);

/* Puts a patch over what is farther away. haze: share of its colour that the fog leaves. Marks pixels that it
 * covers by half as its own. */
void canvas_put(struct canvas *canvas, const struct patch *patch, double haze, int owner);

/* Mirrors a patch in the wet ground below row `foot`. */
void canvas_mirror(struct canvas *canvas, const struct patch *patch, int foot, double strength);

/* A point of light: halo of `radius` pixels around (u, v) when nothing nearer hides it. */
void canvas_glow(struct canvas *canvas, struct point at, const double colour[3], double radius);

/* Its streak on wet asphalt around row v. */
void canvas_streak(struct canvas *canvas, double u, double v, const double colour[3], double width,
                   double height);

#endif
