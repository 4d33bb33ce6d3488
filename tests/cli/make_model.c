/* make_model FILE: writes a detector of the smallest scale whose weights are all zero. */
#include "detect/model.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct error err;
    struct model model;
    if (argc != 2) return ERR_USAGE;
    enum status status =
        model_make(&model, (struct yolo11_config){.scale = YOLO11_PICO, .classes = 80}, &err);
    if (status == OK) status = model_save(&model, argv[1], false, NULL, NULL, &err);
    if (status != OK) fprintf(stderr, "%s\n", err.message);
    return status;
}
