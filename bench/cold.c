/* Cold start: whole processes of `retort detect`, as a user starts them, and the memory they take. */
#define _GNU_SOURCE
#include "bench.h"

#include "base/json_write.h"
#include "image/encode.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MORE = 8, PATH_ROOM = 4096, WIDTH = 640, HEIGHT = 360 };

/* The program beside this one, its weights and a picture, in a folder of their own. */
struct cold {
    char retort[PATH_ROOM], folder[64], weights[128], picture[128];
    bool own_weights;
};

struct process {
    double wall, cpu; /* seconds */
    long kilobytes;   /* largest resident set */
};

/* One or 1 + MORE pictures at one size, round by round. */
struct series {
    double wall[BENCH_MAX_RUNS], cpu[BENCH_MAX_RUNS];
    long kilobytes;
};

static enum status find_retort(struct cold *c, struct error *err)
{
    char self[PATH_ROOM];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0) return fail_errno(err, "read", "/proc/self/exe");
    self[n] = 0;
    snprintf(c->retort, sizeof c->retort, "%.*s/retort", PATH_ROOM - 8, dirname(dirname(self)));
    if (!access(c->retort, X_OK)) return OK;
    return fail(err, ERR_INPUT, "%.200s: not there: cold start needs the command, run make first", c->retort);
}

static enum status write_picture(const char *path, struct error *err)
{
    struct image image;
    TRY(image_alloc(&image, WIDTH, HEIGHT, err));
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            uint8_t *p = image.pixels + 3 * (y * WIDTH + x);
            p[0] = (uint8_t)x;
            p[1] = (uint8_t)(y + (x / 40 + y / 40) % 2 * 90);
            p[2] = (uint8_t)((x * x + y * y) >> 9);
        }
    const enum status status = image_write(path, &image, IMAGE_QUALITY, err);
    image_free(&image);
    return status;
}

static enum status start(struct cold *c, const struct bench_setup *setup, struct error *err)
{
    TRY(find_retort(c, err));
    snprintf(c->folder, sizeof c->folder, "/tmp/retort-cold-XXXXXX");
    if (!mkdtemp(c->folder)) return fail_errno(err, "make", c->folder);
    snprintf(c->picture, sizeof c->picture, "%s/picture.jpg", c->folder);
    snprintf(c->weights, sizeof c->weights, "%s/weights.safetensors", c->folder);
    TRY(write_picture(c->picture, err));
    if (setup->weights) return OK;
    struct model model;
    TRY(bench_open_model(&model, setup, err));
    const enum status status = model_save(&model, c->weights, false, NULL, NULL, err);
    model_free(&model);
    c->own_weights = status == OK;
    return status;
}

static void stop(struct cold *c)
{
    unlink(c->picture);
    if (c->own_weights) unlink(c->weights);
    rmdir(c->folder);
}

static enum status run_process(struct process *p, char **arguments, struct error *err)
{
    posix_spawn_file_actions_t actions;
    struct rusage usage;
    pid_t pid;
    int state;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    const double begun = bench_wall();
    errno = posix_spawn(&pid, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (errno) return fail_errno(err, "start", arguments[0]);
    while (wait4(pid, &state, 0, &usage) < 0)
        if (errno != EINTR) return fail_errno(err, "wait for", arguments[0]);
    p->wall = bench_wall() - begun;
    if (!WIFEXITED(state) || WEXITSTATUS(state))
        return fail(err, ERR_CHECK, "%.200s detect: status %d", arguments[0], state);
    p->cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
             1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    p->kilobytes = usage.ru_maxrss;
    return OK;
}

static enum status detect(struct process *p, struct cold *c, const struct bench_setup *setup, int threads,
                          int size, int pictures, struct error *err)
{
    char thread_text[16], size_text[16];
    snprintf(thread_text, sizeof thread_text, "%d", threads);
    snprintf(size_text, sizeof size_text, "%d", size);
    char *arguments[16 + MORE] = {
        c->retort,   "detect", "--quiet", "--square", "--threads",
        thread_text, "--size", size_text, "--model",  setup->weights ? (char *)setup->weights : c->weights};
    for (int i = 0; i < pictures; i++) arguments[10 + i] = c->picture;
    return run_process(p, arguments, err);
}

static void print(const struct series series[2], int size, int threads, int rounds, bool json)
{
    double value[2][4]; /* one picture; each more: wall minimum and median, CPU minimum and median */
    for (int k = 0; k < 2; k++) {
        const double parts = k ? MORE : 1;
        const double now[4] = {bench_minimum(series[k].wall, rounds), bench_median(series[k].wall, rounds),
                               bench_minimum(series[k].cpu, rounds), bench_median(series[k].cpu, rounds)};
        for (int i = 0; i < 4; i++) value[k][i] = 1e3 * (now[i] - (k ? 1e-3 * value[0][i] : 0)) / parts;
    }
    const char *const names[3] = {"one picture, whole process", "each picture more", "start and end"};
    for (int row = 0; row < 3; row++) {
        double ms[4];
        for (int i = 0; i < 4; i++) ms[i] = row < 2 ? value[row][i] : value[0][i] - value[1][i];
        if (json) {
            struct json_writer out = {.stream = stdout};
            json_open(&out, NULL, '{');
            json_put_text(&out, "cold", names[row]);
            json_put_int(&out, "size", size);
            json_put_int(&out, "threads", threads);
            json_put_double(&out, "wall_minimum_ms", ms[0]);
            json_put_double(&out, "wall_median_ms", ms[1]);
            json_put_double(&out, "cpu_minimum_ms", ms[2]);
            json_put_double(&out, "cpu_median_ms", ms[3]);
            if (!row) json_put_int(&out, "kilobytes", series->kilobytes);
            json_close(&out);
            putchar('\n');
        } else {
            printf("%-6d %-28s %9.1f %9.1f %9.1f %9.1f", size, names[row], ms[0], ms[1], ms[2], ms[3]);
            printf(row ? "\n" : " %8.1f\n", 1e-3 * (double)series->kilobytes);
        }
    }
}

static enum status measure(struct cold *c, const struct bench_setup *setup, int threads, int rounds,
                           bool json, struct error *err)
{
    static const int sizes[2] = {640, 320};
    static struct series series[2][2]; /* size; pictures */
    memset(series, 0, sizeof series);
    for (int round = -1; round < rounds; round++)
        for (int k = 0; k < 4; k++) {
            struct series *s = &series[k / 2][k % 2];
            struct process p = {0};
            TRY(detect(&p, c, setup, threads, sizes[k / 2], k % 2 ? 1 + MORE : 1, err));
            if (p.kilobytes > s->kilobytes) s->kilobytes = p.kilobytes;
            if (round < 0) continue;
            s->wall[round] = p.wall;
            s->cpu[round] = p.cpu;
        }
    if (!json)
        printf("\ncold start, retort detect, %d thread%s\n%-6s %-28s %9s %9s %9s %9s %8s\n", threads,
               threads == 1 ? "" : "s", "size", "", "wall min", "median", "CPU min", "median", "MB");
    for (int i = 0; i < 2; i++) print(series[i], sizes[i], threads, rounds, json);
    return OK;
}

enum status bench_cold(const struct bench_setup *setup, int threads, int rounds, bool json, struct error *err)
{
    struct cold c = {0};
    enum status status = start(&c, setup, err);
    if (status == OK) status = measure(&c, setup, threads, rounds, json, err);
    stop(&c);
    return status;
}
