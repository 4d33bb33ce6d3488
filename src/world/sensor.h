/* From linear light to the camera's picture: shake and knocks, rain before the lens, dirt on it, exposure,
 * colours, focus, noise. */
#ifndef RETORT_WORLD_SENSOR_H
#define RETORT_WORLD_SENSOR_H

#include "image/image.h"
#include "world/canvas.h"
#include "world/site.h"

enum { SENSOR_NOISE = 1 << 16, SENSOR_TONES = 1 << 16 };

struct sensor {
    uint64_t seed;
    const struct site_look *look;
    const struct lens *lens;
    uint8_t *gain;              /* [picture pixels][3] white balance, vignette and dirt, 255: all the light */
    uint8_t *veil;              /* light that dirt scatters, share of the mean */
    uint8_t tone[SENSOR_TONES]; /* of light in steps of 2 / BACKDROP_ONE */
    int8_t *noise; /* [SENSOR_NOISE + a row of pixels][3]; normal, 32 is one deviation; channels alike but for
                      a tinge */
};

/* What happens to the camera at a moment. */
struct jolt {
    int x, y; /* pixels, within the margin */
    double gain;
};

bool sensor_make(struct sensor *sensor, const struct site *site, const struct lens *lens,
                 struct arena *arena);
struct jolt sensor_jolt(const struct sensor *sensor, double motion, bool still);

/* Drops in the air and on the lens. index is the frame's. */
void sensor_rain(const struct sensor *sensor, struct canvas *canvas, double rain, double motion,
                 int64_t index);

/* The rows that one thread works on. NULL: memory is short. */
struct develop;
struct develop *sensor_develop_make(struct arena *arena);

/* image has the picture's size already. */
void sensor_develop(struct develop *develop, const struct sensor *sensor, struct image *image,
                    const struct canvas *canvas, const struct jolt *jolt, int64_t index);

#endif
