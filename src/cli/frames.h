/* Commands that go through frames one by one: those of --frames, then the operands, each any frame source. */
#ifndef RETORT_CLI_FRAMES_H
#define RETORT_CLI_FRAMES_H

#include "cli/command.h"
#include "image/source.h"

/* Handles one frame; an error ends the command. */
typedef enum status frame_body(void *context, const struct frame *frame, struct error *err);

struct frame_count {
    int64_t done, broken;
};

/* A frame or file that cannot be read is reported on standard error and passed over; frames_check turns that
 * into the command's status at its end. ERR_USAGE without any source, ERR_INPUT without any frame, ERR_INTERRUPTED. */
enum status frames_run(struct frame_count *count, struct run *run, const char *frames, const char *stage,
                       frame_body *body, void *context, struct error *err);

/* The end of a command that has written its outputs: ERR_INPUT when frames were passed over. */
enum status frames_check(const struct frame_count *count, struct run *run, struct error *err);

/* folder/NAME.extension in the arena, NAME being the frame's without folder and ending; frame 12 of a stream
 * is stream-000012. */
enum status frames_output(const char **path, struct arena *arena, const char *folder,
                          const struct frame *frame, const char *extension, struct error *err);

/* ERR_USAGE unless the side is a multiple of 32. */
enum status frames_check_size(int64_t size, struct error *err);

#endif
