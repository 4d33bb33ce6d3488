/* Lists of pictures, beside a folder that does not exist. */
/* Parser: src/image/source_list.c -source_list_ends_in -by_name -add_entries -source_list_folder */
/* Parser: -source_list_file */
#include "image/source_list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct source_list list = {0};
    struct error err;
    source_list_parse(&list, &arena, data, size, "nowhere/list.txt", &err);
    arena_free(&arena);
    return 0;
}
