/* Names of the 80 COCO classes, in the order of the detection models trained on them. */
#ifndef RETORT_DETECT_CLASS_NAMES_H
#define RETORT_DETECT_CLASS_NAMES_H

enum { CLASS_NAMES_COCO = 80 };

/* "person" .. "toothbrush"; NULL outside [0, 80). */
const char *class_names_coco(int class_id);

/* COCO's own category number of a class (1..90, with gaps); 0 outside [0, 80). */
int class_names_coco_category(int class_id);

#endif
