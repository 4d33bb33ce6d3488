/* The camera world: what a fixed camera somewhere sees, frame by frame, with the truth about it.
 *
 * A seed is a place with its own roads, look and traffic. A frame is a pure function of the options and its
 * index: the same bytes on every machine, instruction set, compiler and number of threads. Geometry is plain
 * double arithmetic in fixed order, random numbers are counter-based draws of named streams (base/rng.h),
 * pixels are integers; backdrops are lit in float, one operation a rounding.
 *
 * Time of motion is index / fps. The time of day starts at `start` and runs `rate` times as fast: with 1 the
 * frames are an ordinary recording, with more a whole day passes while vehicles keep their pace, so that
 * neighbouring frames are near-duplicates and light, weather and density still change. */
#ifndef RETORT_WORLD_WORLD_H
#define RETORT_WORLD_WORLD_H

#include "base/status.h"
#include "image/image.h"
#include "world/light.h"

#include <stdbool.h>
#include <stdint.h>

enum { WORLD_MAX_OBJECTS = 800, WORLD_MIN_SIDE = 64, WORLD_MAX_SIDE = 4096, WORLD_MAX_FRAMES = 10000000 };

/* Another one where the same options give other pictures than before. */
#define WORLD_FORMAT "retort-world-2"

/* So motion stays below 1e10 s and the clock below 1e13 s, and noise of either in the cells of space_noise.
 */
#define WORLD_MIN_FPS 0.001
#define WORLD_MAX_STEP 1e6 /* seconds of the day from one frame to the next */

struct world_options {
    uint64_t seed;
    int width, height; /* [WORLD_MIN_SIDE, WORLD_MAX_SIDE] */
    double fps;        /* [WORLD_MIN_FPS, 1000] */
    double start;      /* seconds since midnight, in [0, 86400) */
    double rate;       /* >= 0, rate / fps at most WORLD_MAX_STEP */
    enum weather weather;
    bool still; /* no shake, shift or exposure jump */
    int threads;
};

struct world_options world_default_options(void); /* 640x360, 5 fps, from 08:00 at rate 1 */

/* Below this visibility, or with a shorter side of its visible box below so many pixels (whatever the
 * picture's size), an object is not for learning or scoring (`ignored`). A detector at 320 sees half of the 8
 * pixels. */
#define WORLD_MIN_VISIBILITY 0.2
enum { WORLD_MIN_BOX = 8 };

struct world_object {
    uint64_t id;       /* the same in every frame that shows it */
    int class_id;      /* COCO's */
    const char *kind;  /* "car", "van", "bus", "lorry", "motorcycle", "bicycle", "person", "rider" */
    int box[4];        /* x1, y1, x2, y2 of its visible pixels; x2 and y2 are one behind the last */
    int whole[4];      /* of all its pixels in the picture, seen or hidden */
    int pixels;        /* visible ones */
    double visibility; /* visible pixels of all its pixels in the picture */
    double depth;      /* metres from the camera along its view */
    double speed;      /* m/s */
    bool parked, cut;  /* cut: touches the picture's border */
    bool ignored;
};

/* Objects come nearest first: the order of depth. */
struct world_truth {
    int64_t index;
    double motion, clock;              /* seconds; clock since midnight of the first day */
    double sun, rain, fog, wet, night; /* sun: sine of its height; fog: extinction per metre */
    int shift[2];                      /* pixels by which shake and knocks move the picture */
    double gain;                       /* of the exposure, 1 but for jumps */
    int count;
    struct world_object objects[WORLD_MAX_OBJECTS];
};

struct world;

/* ERR_USAGE for options out of range. After OK world_close must follow. */
enum status world_open(struct world **world, const struct world_options *options, struct error *err);
void world_close(struct world *world); /* NULL is fine */

const char *
world_setting(const struct world *world); /* "straight", "curve", "junction", "car park", "roundabout" */

/* Receives one frame. Called from several threads at once, for different frames; worker is in [0, threads).
 * mask holds width x height bytes, class id + 1 of what is seen, 0 elsewhere. All belong to the world and
 * hold until it returns. */
struct world_sink {
    void *context;
    enum status (*frame)(void *context, int64_t index, const struct image *image, const uint8_t *mask,
                         const struct world_truth *truth, int worker, struct error *err);
};

/* Frames first .. first + count - 1, below WORLD_MAX_FRAMES. The sink's first failure ends it. */
enum status world_render(struct world *world, int64_t first, int count, const struct world_sink *sink,
                         struct error *err);

#endif
