#include "world/stills.h"

#include <string.h>

/* Pixels of the patches: together as many as the drawn picture has. */
static size_t room_of(const struct place *place)
{
    const struct lens *lens = &place->layout.lens;
    return place->layout.bay_count ? (size_t)lens->width * lens->height : 0;
}

size_t stills_bytes(const struct place *place)
{
    const struct stills *s = NULL;
    return (size_t)place->layout.bay_count * sizeof *s->list +
           room_of(place) * (sizeof *s->pixels + sizeof *s->nearness);
}

bool stills_alloc(struct stills *stills, const struct place *place, struct arena *arena)
{
    *stills = (struct stills){.capacity = place->layout.bay_count, .room = room_of(place)};
    if (!stills->capacity) return true;
    stills->list = arena_alloc(arena, (size_t)stills->capacity, sizeof *stills->list);
    stills->pixels = arena_alloc(arena, stills->room, sizeof *stills->pixels);
    stills->nearness = arena_alloc(arena, stills->room, sizeof *stills->nearness);
    return stills->list && stills->pixels && stills->nearness;
}

void stills_paint(struct stills *stills, struct painter *painter, const struct canvas *canvas,
                  const struct models *models, const struct movers *movers)
{
    stills->count = 0;
    stills->used = 0;
    for (int i = 0; i < movers->count && stills->count < stills->capacity; i++) {
        const struct mover *m = &movers->movers[i];
        if (!m->parked) continue;
        const struct shine shine = canvas_shine(canvas, m);
        paint_mover(painter, &models->models[m->model], m, &shine);
        const size_t area = (size_t)painter->patch.width * (size_t)painter->patch.height;
        if (area > stills->room - stills->used) continue;
        struct still *still = &stills->list[stills->count++];
        *still = (struct still){*m, painter->patch};
        still->patch.pixels = stills->pixels + stills->used;
        still->patch.nearness = stills->nearness + stills->used;
        memcpy(still->patch.pixels, painter->patch.pixels, area * sizeof *still->patch.pixels);
        memcpy(still->patch.nearness, painter->patch.nearness, area * sizeof *still->patch.nearness);
        stills->used += area;
    }
}

static bool same(const struct mover *a, const struct mover *b)
{
    return a->id == b->id && a->kind == b->kind && a->model == b->model && a->scale == b->scale &&
           a->pose.x == b->pose.x && a->pose.y == b->pose.y && a->pose.cosine == b->pose.cosine &&
           a->pose.sine == b->pose.sine && !memcmp(a->colours, b->colours, sizeof a->colours) &&
           !memcmp(a->skin, b->skin, sizeof a->skin);
}

const struct patch *stills_find(const struct stills *stills, const struct mover *mover)
{
    for (int i = 0; mover->parked && i < stills->count; i++)
        if (same(&stills->list[i].mover, mover)) return &stills->list[i].patch;
    return NULL;
}
