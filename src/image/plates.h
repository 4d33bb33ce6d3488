/* Where the labels of detections go: next to their boxes, whole in the picture, never on one another as long
 * as there is room, and on as little of the objects as can be. */
#ifndef RETORT_IMAGE_PLATES_H
#define RETORT_IMAGE_PLATES_H

struct plate_area {
    int x0, y0, x1, y1; /* [x0, x1) x [y0, y1) in pixels of the picture */
};

struct plate {
    struct plate_area box; /* of the object with its outline; may reach outside the picture */
    int length;            /* letters of the label; 0: none */
    /* The answer. */
    struct plate_area area;
    int scale; /* pixels of a letter's dot */
};

/* Size of a plate: margins of two dots around the letters, and no gap behind the last one. */
int plates_width(int scale, int length);
int plates_height(int scale);

/* Places the plates [count] one after the other, so the most important come first. Letters have dots of
 * `scale` pixels, or where that gives room one less. Plates after the 300th, which nobody could read anyway,
 * go above their boxes without a search. A plate that is larger than the picture is cut. */
void plates_place(struct plate *plates, int count, int width, int height, int scale);

/* How far a plate is from its box, in pixels across and down; 0, 0: it touches. */
void plates_gap(const struct plate *plate, int *across, int *down);

#endif
