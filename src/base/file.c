#define _GNU_SOURCE
#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE = 0666, FOLDER_MODE = 0777, PIPE_LIMIT = 1 << 30, NAMES = 100 };

/* Reads a pipe or other unmappable file into memory, up to PIPE_LIMIT. */
static enum status read_all(struct file_view *view, int fd, const char *path, struct error *err)
{
    size_t capacity = 1 << 16, size = 0;
    uint8_t *data = malloc(capacity);
    while (data) {
        const ssize_t n = read(fd, data + size, capacity - size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            free(data);
            return fail_errno(err, "read", path);
        }
        if (n == 0) {
            *view = (struct file_view){data, size, data};
            return OK;
        }
        size += (size_t)n;
        if (size < capacity) continue;
        if (capacity >= PIPE_LIMIT) {
            free(data);
            return fail(err, ERR_INPUT, "%s: more than %d bytes on a pipe", path, PIPE_LIMIT);
        }
        uint8_t *larger = realloc(data, capacity *= 2);
        if (!larger) free(data);
        data = larger;
    }
    return fail_memory(err, path, capacity);
}

enum status file_map(struct file_view *view, const char *path, struct error *err)
{
    *view = (struct file_view){(const uint8_t *)"", 0, NULL};
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail_errno(err, "open", path);
    struct stat info;
    enum status status = OK;
    if (fstat(fd, &info)) {
        status = fail_errno(err, "examine", path);
    } else if (S_ISDIR(info.st_mode)) {
        status = fail(err, ERR_INPUT, "%s: is a folder, expected a file", path);
    } else if (!S_ISREG(info.st_mode)) {
        status = read_all(view, fd, path, err);
    } else if (info.st_size > 0) {
        void *data = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            status = fail_errno(err, "map", path);
        else
            *view = (struct file_view){data, (size_t)info.st_size, NULL};
    }
    close(fd);
    return status;
}

void file_unmap(struct file_view *view)
{
    if (view->owned)
        free(view->owned);
    else if (view->size)
        munmap((void *)view->data, view->size);
    *view = (struct file_view){(const uint8_t *)"", 0, NULL};
}

enum status file_check_target(const char *path, struct error *err)
{
    struct stat info;
    if (stat(path, &info) || S_ISREG(info.st_mode)) return OK;
    return fail(err, ERR_INPUT, "%s: is a %s, expected a file", path,
                S_ISDIR(info.st_mode) ? "folder" : "pipe or a device");
}

/* A new file in the folder of path: "." + the name + "." + six digits. The mask of the process applies, which
 * mkstemp leaves no way to do. */
static int open_temporary(struct file_writer *writer)
{
    const char *const slash = strrchr(writer->path, '/');
    const int folder = slash ? (int)(slash + 1 - writer->path) : 0;
    unsigned number = (unsigned)getpid();
    for (int i = 0; i < NAMES; i++, number += 0x9e3779) {
        if (asprintf(&writer->temporary, "%.*s.%s.%06x", folder, writer->path, writer->path + folder,
                     number & 0xffffff) < 0) {
            writer->temporary = NULL;
            errno = ENOMEM;
            return -1;
        }
        const int fd = open(writer->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
        if (fd >= 0 || errno != EEXIST) return fd;
        free(writer->temporary);
    }
    writer->temporary = NULL;
    errno = EEXIST;
    return -1;
}

enum status file_create(struct file_writer *writer, const char *path, struct error *err)
{
    TRY(file_check_target(path, err)); /* the rename would put a file in the place of a device */
    struct stat info;
    const bool link = lstat(path, &info) == 0 && S_ISLNK(info.st_mode);
    char *const target = link ? realpath(path, NULL) : NULL; /* NULL: of a link that leads nowhere, too */
    *writer = (struct file_writer){.path = target ? target : strdup(path)};
    if (!writer->path) return fail_memory(err, path, strlen(path));
    const int fd = open_temporary(writer);
    if (fd >= 0) writer->stream = fdopen(fd, "wb");
    if (!writer->stream) {
        const enum status status = fail_errno(err, "create", path);
        if (fd >= 0) {
            close(fd);
            unlink(writer->temporary);
        }
        free(writer->temporary);
        free(writer->path);
        return status;
    }
    return OK;
}

static void forget(struct file_writer *writer)
{
    free(writer->temporary);
    free(writer->path);
    *writer = (struct file_writer){0};
}

void file_discard(struct file_writer *writer)
{
    fclose(writer->stream);
    unlink(writer->temporary);
    forget(writer);
}

/* The rename is durable only when its folder is. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    const int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

/* lasting: waits for the disk. */
static enum status commit(struct file_writer *writer, bool lasting, struct error *err)
{
    assert(writer->stream);
    bool failed = ferror(writer->stream) != 0;
    failed = fflush(writer->stream) || failed;
    failed = (lasting && fsync(fileno(writer->stream))) || failed;
    const int reason = errno;
    if (fclose(writer->stream))
        failed = true;
    else if (failed)
        errno = reason;
    if (failed || rename(writer->temporary, writer->path)) {
        fail_errno(err, "write", writer->path);
        if (err) err->status = ERR_SYSTEM;
        unlink(writer->temporary);
        forget(writer);
        return ERR_SYSTEM;
    }
    if (lasting) sync_folder(writer->path);
    forget(writer);
    return OK;
}

enum status file_commit(struct file_writer *writer, struct error *err) { return commit(writer, true, err); }

static enum status write_whole(const char *path, const void *data, size_t n, bool lasting, struct error *err)
{
    struct file_writer writer;
    TRY(file_create(&writer, path, err));
    fwrite(data, 1, n, writer.stream);
    return commit(&writer, lasting, err);
}

enum status file_write_loose(const char *path, const void *data, size_t n, struct error *err)
{
    return write_whole(path, data, n, false, err);
}

enum status file_write(const char *path, const void *data, size_t n, struct error *err)
{
    return write_whole(path, data, n, true, err);
}

enum status file_make_folder(const char *path, struct error *err)
{
    char *copy = strdup(path);
    if (!copy) return fail_memory(err, path, strlen(path));
    enum status status = OK;
    for (char *end = copy + 1; status == OK; end++) {
        if (*end != '/' && *end) continue;
        const char kept = *end;
        *end = 0;
        if (mkdir(copy, FOLDER_MODE) && (errno != EEXIST || !file_is_folder(copy)))
            status = fail_errno(err, "make folder", copy);
        *end = kept;
        if (!kept) break;
    }
    free(copy);
    return status;
}

enum status file_next_entry(const char **name, DIR *folder, const char *path, struct error *err)
{
    errno = 0;
    const struct dirent *const entry = readdir(folder);
    *name = entry ? entry->d_name : NULL;
    return !entry && errno ? fail_errno(err, "read", path) : OK;
}

bool file_exists(const char *path) { return access(path, F_OK) == 0; }

bool file_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}
