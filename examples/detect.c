/* Finds objects in pictures: detect MODEL PICTURE...
 *
 *     cc detect.c $(pkg-config --cflags --libs --static retort) -o detect */
#include <retort.h>

#include <stdio.h>

static int show(struct retort_detector *detector, const struct retort_model *model, const char *path)
{
    struct retort_error err;
    struct retort_picture picture;
    if (retort_picture_read(&picture, path, &err) != RETORT_OK) {
        fprintf(stderr, "%s\n", err.message);
        return err.status;
    }
    const struct retort_detection *found;
    int count;
    const enum retort_status status = retort_detect(detector, &picture, &found, &count, &err);
    if (status != RETORT_OK) fprintf(stderr, "%s\n", err.message);
    for (int i = 0; status == RETORT_OK && i < count; i++)
        printf("%s: %s %.3f at %.0f %.0f %.0f %.0f\n", path,
               retort_model_class_name(model, found[i].class_id), found[i].confidence, found[i].x1,
               found[i].y1, found[i].x2, found[i].y2);
    retort_picture_free(&picture);
    return status;
}

int main(int argc, char **argv)
{
    struct retort_error err;
    struct retort_model *model;
    struct retort_detector *detector = NULL;
    if (argc < 3) {
        fprintf(stderr, "usage: detect MODEL PICTURE...\n");
        return RETORT_USAGE;
    }
    int status = retort_model_open(&model, argv[1], &err);
    if (status == RETORT_OK) status = retort_detector_open(&detector, model, NULL, &err);
    if (status != RETORT_OK) fprintf(stderr, "%s\n", err.message);
    for (int i = 2; i < argc && status == RETORT_OK; i++) status = show(detector, model, argv[i]);
    retort_detector_close(detector);
    retort_model_close(model);
    return status;
}
