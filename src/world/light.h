/* Sun, sky, weather and exposure at a time of day. */
#ifndef RETORT_WORLD_LIGHT_H
#define RETORT_WORLD_LIGHT_H

#include "world/space.h"

#include <stdbool.h>

enum weather { WEATHER_AUTO, WEATHER_CLEAR, WEATHER_CLOUDS, WEATHER_RAIN, WEATHER_FOG };

/* Light is linear; a white surface at full exposure is 1. All of it is multiplied by the exposure. */
struct light {
    struct point sun; /* unit, towards it */
    double direct[3]; /* of the sun on a surface that faces it */
    double zenith[3], horizon[3], bounce[3];
    double lamp[3];                  /* under a street lamp; 0 while they are off */
    double fog[3];                   /* colour */
    double mist;                     /* extinction per metre */
    double clouds, rain, wet, night; /* 0 to 1 */
    double exposure;
    bool lamps_on; /* street lamps and headlights */
};

void light_at(struct light *light, uint64_t seed, double clock, enum weather weather);

#endif
