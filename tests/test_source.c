/* Frame sources: folders, lists, pictures, Y4M, motion JPEG. */
#include "check_image.h"

#include "base/arena.h"
#include "base/file.h"
#include "image/decode.h"
#include "image/encode.h"
#include "image/mjpeg.h"
#include "image/source.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct arena paths;

static const char *at(const char *folder, const char *name)
{
    const char *path = arena_printf(&paths, "%s/%s", folder, name);
    assert_non_null(path);
    return path;
}

static void write_text(const char *path, const char *text)
{
    struct error err;
    check_ok(file_write(path, text, strlen(text), &err), &err);
}

/* A grey PGM of one pixel. */
static void write_dot(const char *path, int value)
{
    char text[16];
    snprintf(text, sizeof text, "P5 1 1 255\n%c", value);
    write_text(path, text);
}

static void expect_refused(const char *path, const char *part)
{
    struct source *source;
    struct error err;
    assert_int_equal(source_open(&source, path, &err), ERR_INPUT);
    assert_null(source);
    if (!strstr(err.message, part)) print_error("%s lacks %s\n", err.message, part);
    assert_non_null(strstr(err.message, part));
}

static void folders_are_sorted_and_go_on_after_a_broken_frame(void **state)
{
    (void)state;
    const char *folder = at(check_folder(), "pictures");
    struct error err;
    check_ok(file_make_folder(folder, &err), &err);
    write_dot(at(folder, "b.pgm"), 'b');
    write_dot(at(folder, "a10.PGM"), 'a');
    write_text(at(folder, "a2.ppm"), "P6 1 1 255\nx");
    write_text(at(folder, "notes.md"), "not a picture");
    write_dot(at(folder, ".hidden.pgm"), 'h');
    struct source *source;
    check_ok(source_open(&source, folder, &err), &err);
    assert_int_equal(source_count(source), 3);
    struct frame frame = {0};
    bool end;
    check_ok(source_next(source, &frame, &end, &err), &err);
    assert_false(end);
    assert_int_equal(frame.id, 0);
    assert_int_equal(frame.image.pixels[0], 'a');
    assert_non_null(strstr(frame.name, "pictures/a10.PGM"));
    assert_int_equal(source_next(source, &frame, &end, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "pictures/a2.ppm"));
    check_ok(source_next(source, &frame, &end, &err), &err);
    assert_int_equal(frame.id, 2);
    assert_int_equal(frame.image.pixels[0], 'b');
    check_ok(source_next(source, &frame, &end, &err), &err);
    assert_true(end);
    source_close(source);
    image_free(&frame.image);
}

static void lists_keep_their_order(void **state)
{
    (void)state;
    const char *folder = at(check_folder(), "list");
    struct error err;
    check_ok(file_make_folder(at(folder, "deep"), &err), &err);
    write_dot(at(folder, "deep/x.pgm"), 'x');
    write_dot(at(folder, "y.pgm"), 'y');
    char text[1500];
    snprintf(text, sizeof text, "%s\r\n\n  \ndeep/x.pgm\nmissing.pgm", at(folder, "y.pgm"));
    write_text(at(folder, "list.txt"), text);
    struct source *source;
    struct frame frame = {0};
    bool end;
    check_ok(source_open(&source, at(folder, "list.txt"), &err), &err);
    assert_int_equal(source_count(source), 3);
    check_ok(source_next(source, &frame, &end, &err), &err);
    assert_int_equal(frame.image.pixels[0], 'y');
    check_ok(source_next(source, &frame, &end, &err), &err);
    assert_int_equal(frame.image.pixels[0], 'x');
    assert_int_equal(source_next(source, &frame, &end, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "missing.pgm"));
    check_ok(source_next(source, &frame, &end, &err), &err);
    assert_true(end);
    source_close(source);
    image_free(&frame.image);
}

/* Hashes over all frames. 420 and limited range: what OpenCV's I420 conversion gives; others, with chroma
 * repeated, the same. Full range: by the formula of y4m.h, at most 1 from the real-valued one. */
static const struct {
    const char *name;
    int width, height, frames;
    const char *hash;
} videos[] = {
    {"c420.y4m", 18, 10, 2, "84f108b71404f345e5aa70ac2184a2efbdccba253c66b7c59dabe53d7b70bab3"},
    {"c420odd.y4m", 7, 5, 1, "3389d277df27329b0f51572afea26237a1bc6e229bed387cff4d554eb5f4baeb"},
    {"c422.y4m", 9, 4, 2, "bcb50084abf4604a8933b7d0b7eb8ed4b3e13c399e4c56b8779697595bc0550a"},
    {"c444.y4m", 8, 8, 1, "9aede52d405d08581c6d53c7c978c4ceec09d76116556feb3fffc988ded896a0"},
    {"mono.y4m", 11, 3, 3, "26674cc20c46fb45baeb7ba0be42fd1aed6cb53418bcfc063bf7e20c1d0501a9"},
    {"full.y4m", 16, 8, 1, "d9977e4d984016b1496e11b110a2311f938464668870bf4b98af27aa08889c27"},
};
enum { VIDEO_COUNT = sizeof videos / sizeof *videos };

static const char *video_path(int i) { return at("fuzz/corpus/y4m", videos[i].name); }

static void y4m_frames_are_exact(void **state)
{
    (void)state;
    struct frame frame = {0};
    struct error err;
    for (int i = 0; i < VIDEO_COUNT; i++) {
        struct source *source;
        check_ok(source_open(&source, video_path(i), &err), &err);
        assert_int_equal(source_count(source), -1);
        struct sha256 hash;
        sha256_init(&hash);
        int frames = 0;
        for (bool end = false;;) {
            check_ok(source_next(source, &frame, &end, &err), &err);
            if (end) break;
            assert_int_equal(frame.id, frames++);
            assert_int_equal(frame.image.width, videos[i].width);
            assert_int_equal(frame.image.height, videos[i].height);
            sha256_add(&hash, frame.image.pixels, image_bytes(&frame.image));
        }
        char hex[SHA256_HEX];
        sha256_hex(&hash, hex);
        assert_int_equal(frames, videos[i].frames);
        assert_string_equal(hex, videos[i].hash);
        source_close(source);
    }
    image_free(&frame.image);
}

/* Status of reading all of n bytes as a stream called "some.stream"; *frames good ones. */
static enum status read_all(const void *data, size_t n, int *frames, struct error *err)
{
    *frames = 0;
    *err = (struct error){.message = ""};
    FILE *file = fmemopen((void *)data, n, "rb");
    assert_non_null(file);
    struct source *source;
    struct frame frame = {0};
    bool end = false;
    enum status worst = source_open_stream(&source, file, "some.stream", err);
    for (int i = 0; i < 100 && source && !end; i++) {
        const enum status status = source_next(source, &frame, &end, worst == OK ? err : NULL);
        if (worst == OK) worst = status;
        *frames += status == OK && !end;
    }
    source_close(source);
    image_free(&frame.image);
    fclose(file);
    if (worst != OK) assert_non_null(strstr(err->message, "some.stream"));
    return worst;
}

static void cut_video_is_an_error(void **state)
{
    (void)state;
    struct error err;
    for (int i = 0; i < VIDEO_COUNT; i++) {
        size_t n;
        int frames;
        uint8_t *data = check_bytes(video_path(i), &n);
        const size_t header = (size_t)((uint8_t *)memchr(data, '\n', n) - data) + 1;
        const size_t frame = (n - header) / (size_t)videos[i].frames;
        for (size_t m = 1; m <= n; m++) {
            const bool whole = m >= header && (m - header) % frame == 0;
            assert_int_equal(read_all(data, m, &frames, &err), whole ? OK : ERR_INPUT);
            assert_int_equal(frames, m < header ? 0 : (m - header) / frame);
        }
        for (size_t bit = 0; bit < 8 * (header + 6); bit++) {
            data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            const enum status status = read_all(data, n, &frames, &err);
            assert_true(status == OK || status == ERR_INPUT);
            data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        free(data);
    }
}

static void strange_headers_are_refused(void **state)
{
    (void)state;
    static const char *const headers[][2] = {
        {"YUV4MPEG2 W4 H4 C420p10\n", "C420p10"},
        {"YUV4MPEG2 W4 H4 It\n", "progressive"},
        {"YUV4MPEG2 W99999 H4\n", "99999 x 4"},
        {"YUV4MPEG2 W99999999999 H4\n", "0 x 4"},
        {"YUV4MPEG2 H4\n", "0 x 4"},
        {"YUV4MPEG2 W-4 H4\n", "0 x 4"},
        {"YUV4MPEG2 W4 H4\nFRAMES", "expected FRAME"},
        {"YUV4MPEG2 W4 H4\nFRAMES\n", "expected FRAME"},
        {"YUV4MPEG2 W4 H4\nX", "expected FRAME"},
        {"something else", "expected Y4M"},
    };
    struct error err;
    int frames;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const bool cut = !strcmp(headers[i][0], "YUV4MPEG2 W4 H4\nFRAMES"); /* no end of line */
        assert_int_equal(read_all(headers[i][0], strlen(headers[i][0]), &frames, &err), ERR_INPUT);
        if (!strstr(err.message, cut ? "frame 0" : headers[i][1])) print_error("%s\n", err.message);
        assert_non_null(strstr(err.message, cut ? "frame 0" : headers[i][1]));
    }
    char line[3000];
    memset(line, ' ', sizeof line);
    memcpy(line, "YUV4MPEG2 ", 10);
    assert_int_equal(read_all(line, sizeof line, &frames, &err), ERR_INPUT);
    assert_non_null(strstr(err.message, "longer than"));
}

/* The time of a frame is its number divided by the rate, where there is a rate. */
static void y4m_frames_have_times(void **state)
{
    (void)state;
    static const struct {
        const char *rate;
        double time; /* of frame 2; -1: unknown */
    } cases[] = {{" F30000:1001", 2002.0 / 30000},
                 {" F25:1", 0.08},
                 {" F1:2", 4},
                 {"", -1},
                 {" F0:0", -1},
                 {" F25", -1},
                 {" F-25:1", -1},
                 {" F25:0", -1},
                 {" F123456789:1", -1},
                 {" F9999999:9999999", 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char video[200];
        struct error err;
        struct source *source;
        struct frame frame = {0};
        bool end;
        const int n =
            snprintf(video, sizeof video, "YUV4MPEG2 W1 H1%s Cmono\nFRAME\n@FRAME\n@FRAME\n@", cases[i].rate);
        FILE *file = fmemopen(video, (size_t)n, "rb");
        check_ok(source_open_stream(&source, file, "some.stream", &err), &err);
        for (int k = 0; k < 3; k++) check_ok(source_next(source, &frame, &end, &err), &err);
        assert_true(cases[i].time < 0 ? isnan(frame.time) : frame.time == cases[i].time);
        source_close(source);
        image_free(&frame.image);
        fclose(file);
    }
    struct error err;
    struct source *source;
    struct frame frame = {0};
    bool end;
    check_ok(source_open(&source, at("fuzz/corpus", "image"), &err), &err); /* files tell no time */
    check_ok(source_next(source, &frame, &end, &err), &err);
    assert_true(isnan(frame.time));
    source_close(source);
    image_free(&frame.image);
}

static void motion_jpeg_is_split(void **state)
{
    (void)state;
    if (!HAVE_JPEG) {
        printf("skip: this build has no JPEG library\n");
        skip();
    }
    static const char *const names[] = {"fuzz/corpus/image/colour420.jpg", "fuzz/corpus/image/grey.jpg",
                                        "fuzz/corpus/image/colour422-progressive.jpg",
                                        "fuzz/corpus/image/colour444-restart.jpg"};
    enum { COUNT = sizeof names / sizeof *names };
    static uint8_t stream[40000];
    size_t size = 0, first = 0;
    struct error err;
    int frames;
    for (int i = 0; i < COUNT; i++) {
        size_t n;
        uint8_t *data = check_bytes(names[i], &n);
        memcpy(stream + size, data, n);
        size += n;
        if (i == 0) first = n;
        memcpy(stream + size, "\r\n--gap\xff\r\n", (size_t)i); /* gaps of 0 to 3 bytes */
        size += (size_t)i;
        free(data);
    }
    const char *path = at(check_folder(), "camera.mjpeg");
    check_ok(file_write(path, stream, size, &err), &err);
    struct source *source;
    struct frame frame = {0};
    struct image alone = {0};
    bool end;
    check_ok(source_open(&source, path, &err), &err);
    for (int i = 0; i < COUNT; i++) {
        int largest;
        check_ok(source_next(source, &frame, &end, &err), &err);
        assert_false(end);
        check_ok(image_read(&alone, names[i], &err), &err);
        assert_int_equal(check_image_difference(&frame.image, &alone, &largest), 0);
    }
    check_ok(source_next(source, &frame, &end, &err), &err);
    assert_true(end);
    source_close(source);
    /* a picture without its end costs itself only */
    memmove(stream + first - 40, stream + first, size - first);
    assert_int_equal(read_all(stream, size - 40, &frames, &err), ERR_INPUT);
    assert_int_equal(frames, COUNT - 1);
    /* the last one cut */
    assert_int_equal(read_all(stream, size - 140, &frames, &err), ERR_INPUT);
    assert_int_equal(frames, COUNT - 2);
    memset(stream, 0, sizeof stream);
    memcpy(stream, "\xff\xd8\xff\xd9", 4); /* then nothing but padding */
    assert_int_equal(read_all(stream, sizeof stream, &frames, &err), ERR_INPUT);
    image_free(&frame.image);
    image_free(&alone);
}

static void pipes_and_single_pictures(void **state)
{
    (void)state;
    struct source *source;
    struct frame frame = {0};
    struct error err;
    bool end;
    int frames;
    check_ok(source_open(&source, "fuzz/corpus/image/grey.pgm", &err), &err);
    assert_int_equal(source_count(source), 1);
    check_ok(source_next(source, &frame, &end, &err), &err);
    assert_string_equal(frame.name, "fuzz/corpus/image/grey.pgm");
    check_ok(source_next(source, &frame, &end, &err), &err);
    assert_true(end);
    source_close(source);
    assert_int_equal(read_all("P6 1 1 255\nabc", 14, &frames, &err), OK);
    assert_int_equal(frames, 1);
    assert_int_equal(read_all("P6 1 1 255\nab", 13, &frames, &err), ERR_INPUT);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1],
                           "YUV4MPEG2 W1 H1 Cmono\nFRAME\n\xeb"
                           "FRAME x\n\x10",
                           38),
                     38);
    close(ends[1]);
    FILE *pipe_file = fdopen(ends[0], "rb");
    check_ok(source_open_stream(&source, pipe_file, "camera", &err), &err);
    check_ok(source_next(source, &frame, &end, &err), &err);
    assert_string_equal(frame.name, "camera#0");
    assert_int_equal(frame.image.pixels[0], 255);
    check_ok(source_next(source, &frame, &end, &err), &err);
    assert_int_equal(frame.image.pixels[2], 0);
    check_ok(source_next(source, &frame, &end, &err), &err);
    assert_true(end);
    source_close(source);
    fclose(pipe_file);
    image_free(&frame.image);
}

static void nothing_there(void **state)
{
    (void)state;
    const char *folder = at(check_folder(), "empty");
    struct error err;
    check_ok(file_make_folder(folder, &err), &err);
    expect_refused(folder, "found none");
    expect_refused("/nowhere/at/all", "/nowhere/at/all");
    write_text(at(folder, "empty.txt"), "\n\n");
    expect_refused(at(folder, "empty.txt"), "empty.txt");
    write_text(at(folder, "video.mp4"), "....ftypisom....");
    expect_refused(at(folder, "video.mp4"), "yuv4mpegpipe");
    write_text(at(folder, "nothing.y4m"), "");
    expect_refused(at(folder, "nothing.y4m"), "is empty");
    check_ok(file_write(at(folder, "nul.txt"), "a\0b\n", 4, &err), &err);
    expect_refused(at(folder, "nul.txt"), "line 1");
}

/* The fuzzers' seeds through both entrances. */
static void corpus_is_survived(void **state)
{
    (void)state;
    static const char *const folders[] = {"fuzz/corpus/image", "fuzz/corpus/y4m"};
    int seen = 0;
    for (int f = 0; f < 2; f++) {
        DIR *folder = opendir(folders[f]);
        assert_non_null(folder);
        for (struct dirent *entry; (entry = readdir(folder));) {
            if (entry->d_name[0] == '.') continue;
            size_t n;
            int frames;
            struct error err;
            struct image image = {0};
            uint8_t *data = check_bytes(at(folders[f], entry->d_name), &n);
            (void)image_decode(&image, data, n, "some.stream", &err);
            if (n) (void)read_all(data, n, &frames, &err);
            image_free(&image);
            free(data);
            seen++;
        }
        closedir(folder);
    }
    assert_true(seen >= 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_are_sorted_and_go_on_after_a_broken_frame),
        cmocka_unit_test(lists_keep_their_order),
        cmocka_unit_test(y4m_frames_are_exact),
        cmocka_unit_test(y4m_frames_have_times),
        cmocka_unit_test(cut_video_is_an_error),
        cmocka_unit_test(strange_headers_are_refused),
        cmocka_unit_test(motion_jpeg_is_split),
        cmocka_unit_test(pipes_and_single_pictures),
        cmocka_unit_test(nothing_there),
        cmocka_unit_test(corpus_is_survived),
    };
    const int failed = cmocka_run_group_tests_name("source", tests, NULL, NULL);
    arena_free(&paths);
    return failed;
}
