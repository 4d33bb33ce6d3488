/* The pictures and labels of a data set as inputs of a run. */
#ifndef RETORT_CLI_DATA_INPUTS_H
#define RETORT_CLI_DATA_INPUTS_H

#include "cli/command.h"
#include "detect/dataset.h"

/* Notes the folders of the data set opened from path where it is a data.yaml; a folder is an input as it is. */
enum status data_inputs_note(struct run *run, const char *path, const struct dataset *data, struct error *err);

/* The same for a set that only the library opens; NULL: none. */
enum status data_inputs_add(struct run *run, const char *path, enum dataset_split split, struct error *err);

#endif
