/* The JSON reader on any bytes. */
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json *root;
    struct error err;
    if (json_read_bytes(&root, data, size, "input", 1 << 20, &err) != OK) return 0;
    struct json_cursor cursor = {.object = root};
    const char *key;
    for (const struct json *value; json_next(&cursor, &key, &value);) {
        int64_t number;
        json_get_int(&number, root, key, -10, 10, "input", &err);
    }
    json_free(root);
    return 0;
}
