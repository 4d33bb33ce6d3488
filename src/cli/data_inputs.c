#include "cli/data_inputs.h"

#include "base/file.h"

enum status data_inputs_add(struct run *run, const char *path, enum dataset_split split, struct error *err)
{
    struct dataset data;
    if (!path || file_is_folder(path)) return OK;
    TRY(dataset_open(&data, path, split, err));
    enum status status = run_add_input(run, data.images, err);
    if (status == OK && file_is_folder(data.labels)) status = run_add_input(run, data.labels, err);
    dataset_close(&data);
    return status;
}
