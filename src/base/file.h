/* Files: read-only views and atomic writing.
 *
 * All writing goes through struct file_writer: a hidden temporary file in the same folder, fsync, rename,
 * fsync of the folder. A reader sees the old file or the new one, whole, whatever happens in between; a full
 * disk or a kill leaves the old file as it was. */
#ifndef RETORT_BASE_FILE_H
#define RETORT_BASE_FILE_H

#include "base/status.h"

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A whole file, memory-mapped where possible. data is never NULL, even for an empty file. */
struct file_view {
    const uint8_t *data;
    size_t size;
    void *owned; /* a heap copy where mapping is not possible (a pipe) */
};

enum status file_map(struct file_view *view, const char *path, struct error *err);
void file_unmap(struct file_view *view);
static inline bool file_is_mapped(const struct file_view *view) { return view->size && !view->owned; }

struct file_writer {
    FILE *stream; /* write here with stdio; failures are found by file_commit */
    char *path, *temporary;
};

/* ERR_INPUT when a folder, a pipe or a device is where the file would be written. */
enum status file_check_target(const char *path, struct error *err);

/* Opens a temporary file beside path, or beside what it is a link to. After OK exactly one of commit and
 * discard must follow. */
enum status file_create(struct file_writer *writer, const char *path, struct error *err);
enum status file_commit(struct file_writer *writer, struct error *err); /* discards by itself when it fails */
void file_discard(struct file_writer *writer);

/* Writes n bytes to path in one atomic step. */
enum status file_write(const char *path, const void *data, size_t n, struct error *err);

/* The same without waiting for the disk: whole or not there after a kill, but not after a power cut. For
 * files by the thousand that can be made again. */
enum status file_write_loose(const char *path, const void *data, size_t n, struct error *err);

/* Makes the folder and its parents; an existing folder is fine. */
enum status file_make_folder(const char *path, struct error *err);

/* *name = the next entry of an open folder, until the next call; NULL after the last. path is for the message
 * when reading fails. */
enum status file_next_entry(const char **name, DIR *folder, const char *path, struct error *err);

bool file_exists(const char *path);
bool file_is_folder(const char *path);

#endif
