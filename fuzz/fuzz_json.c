/* The JSON reader on any bytes. */
/* Parser: src/base/json.c -json_read_file */
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
        int64_t integer;
        double number;
        const char *text;
        bool truth;
        json_get_int(&integer, root, key, -10, 10, "input", &err);
        json_get_number(&number, root, key, "input", &err);
        json_get_text(&text, root, key, "input", &err);
        json_get_bool(&truth, root, key, "input", &err);
        json_get_array(&value, root, key, "input", &err);
        for (size_t i = 0; i < json_count(value); i++) json_item(value, i);
    }
    json_get_bool(&(bool){false}, root, "absent", "input", &err);
    json_free(root);
    return 0;
}
