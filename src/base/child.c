#define _GNU_SOURCE
#include "base/child.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static enum status broken(const struct child *child, const char *what, struct error *err)
{
    return fail(err, ERR_INPUT, "command \"%.200s\": %s", child->command, what);
}

/* A pipe that no other child inherits. */
static enum status make_pipe(int ends[2], struct error *err)
{
    if (pipe2(ends, O_CLOEXEC)) return fail(err, ERR_SYSTEM, "cannot make a pipe: %s", strerror(errno));
    return OK;
}

static int spawn(struct child *child, int in, int out)
{
    char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, (char *)child->command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return error;
    error = posix_spawnattr_init(&attributes);
    if (!error) {
        error = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        if (!error) error = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        if (!error) error = posix_spawnattr_setsigdefault(&attributes, &defaults);
        if (!error) error = posix_spawnattr_setpgroup(&attributes, 0);
        if (!error)
            error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
        if (!error) error = posix_spawn(&child->pid, "/bin/sh", &actions, &attributes, argv, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

enum status child_start(struct child *child, const char *command, struct error *err)
{
    *child = (struct child){.command = command, .in = -1, .out = -1};
    int to[2], from[2];
    TRY(make_pipe(to, err));
    const enum status status = make_pipe(from, err);
    if (status != OK) {
        close(to[0]), close(to[1]);
        return status;
    }
    const int error = spawn(child, to[0], from[1]);
    close(to[0]), close(from[1]);
    child->in = to[1], child->out = from[0];
    if (!error) return OK;
    child->pid = 0;
    child_end(child);
    return fail(err, ERR_SYSTEM, "cannot start \"%.200s\": %s", command, strerror(error));
}

/* Waits until the descriptor is ready: 1, or 0 when the time is over. */
static int ready(int fd, short events, double deadline)
{
    for (;;) {
        const double left = deadline - clock_seconds();
        if (left <= 0) return 0;
        struct pollfd one = {.fd = fd, .events = events};
        const int n = poll(&one, 1, left < 1000 ? (int)(left * 1000) + 1 : 1000000);
        if (n > 0) return 1;
        if (n < 0 && errno != EINTR) return 0;
    }
}

/* Has it written what nobody asked for? What it has not written yet is met at the next question. */
static bool said_more(const struct child *child)
{
    char byte;
    struct pollfd one = {.fd = child->out, .events = POLLIN};
    return child->used > child->answered || (poll(&one, 1, 0) > 0 && read(child->out, &byte, 1) > 0);
}

static const char surplus[] = "said more than it was asked, expected one line for each line";

static enum status ended(struct child *child, int status, struct error *err)
{
    child->pid = 0;
    if (WIFEXITED(status) && !WEXITSTATUS(status)) return OK;
    if (WIFEXITED(status))
        return fail(err, ERR_INPUT, "command \"%.200s\": ended with exit status %d", child->command,
                    WEXITSTATUS(status));
    return fail(err, ERR_INPUT, "command \"%.200s\": ended by signal %d", child->command, WTERMSIG(status));
}

static void kill_group(struct child *child)
{
    if (!child->pid) return;
    kill(-child->pid, SIGKILL);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) continue;
    child->pid = 0;
}

/* Closes its input and waits. */
static enum status wait_end(struct child *child, double deadline, struct error *err)
{
    if (child->in >= 0) close(child->in);
    child->in = -1;
    for (;;) {
        int status;
        const pid_t pid = waitpid(child->pid, &status, WNOHANG);
        if (pid == child->pid) return ended(child, status, err);
        if (clock_seconds() >= deadline) break;
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
    kill_group(child);
    return broken(child, "did not end after its input did", err);
}

/* Its exit status says more than the closed pipe does. */
static enum status ended_early(struct child *child, double deadline, struct error *err)
{
    TRY(wait_end(child, deadline, err));
    return broken(child, "ended without an answer", err);
}

/* A question is shorter than a pipe's atomic write, and the child has read the one before. */
static enum status write_line(struct child *child, const char *line, double deadline, struct error *err)
{
    char text[CHILD_MAX_QUESTION];
    const size_t n = strlen(line);
    if (n + 1 > sizeof text || strchr(line, '\n'))
        return fail(err, ERR_INPUT, "%.200s: a path for a command must be one line below %d bytes", line,
                    CHILD_MAX_QUESTION);
    memcpy(text, line, n);
    text[n] = '\n';
    if (!ready(child->in, POLLOUT, deadline)) return broken(child, "did not read in time", err);
    ssize_t written;
    do written = write(child->in, text, n + 1);
    while (written < 0 && errno == EINTR);
    return written == (ssize_t)n + 1 ? OK : ended_early(child, deadline, err);
}

static enum status read_more(struct child *child, double deadline, struct error *err)
{
    if (child->used == child->capacity) {
        const size_t capacity = child->capacity ? child->capacity * 2 : 1 << 16;
        if (capacity > CHILD_MAX_ANSWER) return broken(child, "answered with too long a line", err);
        char *const buffer = realloc(child->buffer, capacity);
        if (!buffer) return fail_memory(err, "an answer", capacity);
        child->buffer = buffer;
        child->capacity = capacity;
    }
    if (!ready(child->out, POLLIN, deadline)) return broken(child, "no answer in time", err);
    const ssize_t n = read(child->out, child->buffer + child->used, child->capacity - child->used);
    if (n < 0) return errno == EINTR ? OK : broken(child, strerror(errno), err);
    if (!n) return ended_early(child, deadline, err);
    child->used += (size_t)n;
    return OK;
}

enum status child_ask(struct child *child, const char *line, double seconds, const char **answer,
                      size_t *size, struct error *err)
{
    assert(child->pid);
    const double deadline = clock_seconds() + seconds;
    if (said_more(child)) return broken(child, surplus, err);
    child->used = child->answered = 0;
    TRY(write_line(child, line, deadline, err));
    size_t searched = 0;
    for (;;) {
        char *const end =
            child->used > searched ? memchr(child->buffer + searched, '\n', child->used - searched) : NULL;
        if (end) {
            *end = 0;
            *answer = child->buffer;
            *size = (size_t)(end - child->buffer);
            child->answered = *size + 1;
            return OK;
        }
        searched = child->used;
        TRY(read_more(child, deadline, err));
    }
}

enum status child_stop(struct child *child, double seconds, struct error *err)
{
    if (!child->pid) return OK;
    TRY(wait_end(child, clock_seconds() + seconds, err));
    return said_more(child) ? broken(child, surplus, err) : OK;
}

void child_end(struct child *child)
{
    kill_group(child);
    if (child->in >= 0) close(child->in);
    if (child->out >= 0) close(child->out);
    free(child->buffer);
    *child = (struct child){.in = -1, .out = -1};
}
