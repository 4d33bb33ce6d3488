/* The place a seed stands for: camera, roads, car park, and the ways on which traffic moves. */
#ifndef RETORT_WORLD_LAYOUT_H
#define RETORT_WORLD_LAYOUT_H

#include "world/lens.h"
#include "world/site.h"
#include "world/track.h"

#include <stdbool.h>

enum setting {
    SETTING_STRAIGHT,
    SETTING_CURVE,
    SETTING_JUNCTION,
    SETTING_CAR_PARK,
    SETTING_ROUNDABOUT,
    SETTING_COUNT
};
extern const char *const setting_names[SETTING_COUNT];

struct road {
    struct chain axis;
    int lanes; /* each way */
    double lane_width, median;
    double half;             /* from the axis to the edge of the carriageway */
    double pavement;         /* width beyond the kerb, 0: none */
    double gap_from, gap_to; /* no marks between these places of the axis: a junction */
    bool stop_lines;         /* at both ends of the gap, with crossings for people */
};

struct ring {
    double x, y, radius, half; /* of the middle of its one lane; radius 0: there is none */
};

struct lot {
    double x, y, cosine, sine; /* centre, direction of the aisles */
    double half_x, half_y;     /* half_x 0: there is none */
};

struct bay {
    double x, y, cosine, sine; /* where a parked car stands */
};

enum traffic { TRAFFIC_VEHICLES, TRAFFIC_CYCLES, TRAFFIC_WALKERS };

/* Movers that come one behind the other and then take one of up to three ways that begin alike. */
struct stream {
    enum traffic traffic;
    int way_count;
    struct track ways[3];
    double speed, headway; /* m/s; seconds between the places that a mover may take */
    double weight;         /* share of the density */
    int phase;             /* of the signals, -1: none */
    double stop;           /* metres along the ways to the stop line */
};

/* A roundabout's ways: from arm a, enters the ring at `entry` metres and leaves at the arm b arms further on.
 */
enum { LAYOUT_MAX_ARMS = 4, LAYOUT_MAX_STREAMS = 32, LAYOUT_MAX_BAYS = 140, LAYOUT_MAX_ROADS = 4 };
struct ring_way {
    struct track track;
    double entry;
};

struct layout {
    const struct site *site;
    enum setting setting;
    struct lens lens;
    double focus; /* metres to the place on the ground that the camera looks at */
    double sight; /* metres within which movers are large enough to be drawn */
    double end;   /* metres to where the ground ends, beyond sight */
    int side;     /* 1: traffic keeps right, -1: left */
    int road_count, stream_count, bay_count, arms;
    struct road roads[LAYOUT_MAX_ROADS];
    struct ring ring;
    struct lot lot;
    struct stream streams[LAYOUT_MAX_STREAMS];
    struct bay bays[LAYOUT_MAX_BAYS];
    double arm_angles[LAYOUT_MAX_ARMS];                              /* ascending, radians */
    struct ring_way ring_ways[LAYOUT_MAX_ARMS][LAYOUT_MAX_ARMS + 1]; /* [a][1..arms] */
    double ring_speed;                                               /* m/s */
};

/* The place of a site in pictures of this size. false: memory is short. */
bool layout_make(struct layout *layout, const struct site *site, int width, int height, struct arena *arena);

/* Metres outside the carriageways (negative: on one) and the road that is nearest, -1 for ring and car park.
 */
double layout_edge(const struct layout *layout, double x, double y, int *road, double *s, double *d);

/* The parts for settings with crossings. */
bool layout_junction(struct layout *layout, double heading, int lanes, struct arena *arena);
bool layout_roundabout(struct layout *layout, double heading, struct arena *arena);

/* A stream on one way beside a road's axis, d to its left, along it or back. */
bool layout_add_stream(struct layout *layout, const struct chain *axis, double d, bool back,
                       enum traffic traffic, double speed, double weight, struct arena *arena);

#endif
