/* The part of an Ultralytics data.yaml that describes a data set: path, train, val, nc, names.
 *
 * A bounded subset of YAML: "key: value" lines; names as a block list, a block map "0: name", or either in
 * brackets on one line; quotes; comments. Other keys and what is indented below them are skipped. ERR_INPUT
 * with "file:line" for anything else under these five keys. */
#ifndef RETORT_DETECT_DATA_YAML_H
#define RETORT_DETECT_DATA_YAML_H

#include "base/arena.h"
#include "base/status.h"

#include <stddef.h>

enum { DATA_YAML_MAX_BYTES = 1 << 20, DATA_YAML_MAX_CLASSES = 10000 };

/* Texts live in the arena given; NULL where the key is absent. */
struct data_yaml {
    const char *path, *train, *val;
    int classes;        /* nc, or the number of names; 0 when neither is there */
    const char **names; /* [classes], or NULL */
};

enum status data_yaml_parse(struct data_yaml *yaml, struct arena *arena, const void *data, size_t n,
                            const char *name, struct error *err);

#endif
