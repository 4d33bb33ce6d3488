/* The pictures and labels of a data set as inputs of a run. */
#ifndef RETORT_CLI_DATA_INPUTS_H
#define RETORT_CLI_DATA_INPUTS_H

#include "cli/command.h"
#include "detect/dataset.h"

/* Notes the folders that a data.yaml names; any other path (NULL, too) is an input as it is. */
enum status data_inputs_add(struct run *run, const char *path, enum dataset_split split, struct error *err);

#endif
