#include "cli/data_inputs.h"

#include "base/file.h"

enum status data_inputs_note(struct run *run, const char *path, const struct dataset *data, struct error *err)
{
    if (file_is_folder(path)) return OK;
    TRY(run_add_input(run, data->images, err));
    return file_is_folder(data->labels) ? run_add_input(run, data->labels, err) : OK;
}

enum status data_inputs_add(struct run *run, const char *path, enum dataset_split split, struct error *err)
{
    struct dataset data;
    if (!path || file_is_folder(path)) return OK;
    TRY(dataset_open(&data, path, split, err));
    const enum status status = data_inputs_note(run, path, &data, err);
    dataset_close(&data);
    return status;
}
