/* retort: the table of commands and the way in. Only src/cli prints and exits. */
#include "base/version.h"
#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_INTERRUPTED = 130, MAX_COMMANDS = 64 };

const struct command *const commands[] = {
    &command_distill, &command_detect, &command_train,    &command_eval,    &command_label, &command_embed,
    &command_select,  &command_filter, &command_quantize, &command_convert, &command_info,  &command_pretrain,
    &command_profile, &command_world,  &command_verify,   &command_rerun,   &command_help,
};
const int command_count = (int)(sizeof commands / sizeof *commands);

const struct command *command_find(const char *name)
{
    for (int i = 0; i < command_count; i++)
        if (!strcmp(commands[i]->name, name)) return commands[i];
    return NULL;
}

static int exit_status(enum status status)
{
    return status == ERR_INTERRUPTED ? EXIT_INTERRUPTED : (int)status;
}

static int unknown_command(const char *name)
{
    const char *names[MAX_COMMANDS];
    int count = 0;
    for (int i = 0; i < command_count; i++) names[count++] = commands[i]->name;
    const char *nearest = nearest_name(name, names, count);
    fprintf(stderr, "retort: %.60s: unknown command", name);
    if (nearest) fprintf(stderr, ", did you mean %s?", nearest);
    fputs("\nretort: the commands are listed by 'retort help'\n", stderr);
    return ERR_USAGE;
}

/* Messages of a usage error carry the command's name, because the library's own do not. */
static int show_error(struct console *console, const struct command *command, const struct error *err)
{
    console_error(console, err->message);
    if (err->status == ERR_USAGE) fprintf(stderr, "retort: see 'retort %s --help'\n", command->name);
    return exit_status(err->status);
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct error err = {0};
    struct run run;
    void *values;
    enum status status = run_prepare(&run, command, &values, &err);
    console_open(&run.console, false, false);
    if (status == OK) {
        status = run_parse(&run, values, argc, argv, &err);
        if (run.common.help) {
            char *operands[] = {(char *)command->name, NULL};
            run_free(&run);
            return run_command(&command_help, 1, operands);
        }
    }
    if (status == OK) status = run_execute(&run, &err);
    err.status = status;
    const int code = status == OK ? 0 : show_error(&run.console, command, &err);
    run_free(&run);
    return code;
}

int main(int argc, char **argv)
{
    console_catch_signals();
    char *no_operands[] = {NULL};
    if (argc < 2) {
        fputs("retort: expected a command; they are listed by 'retort help'\n", stderr);
        return ERR_USAGE;
    }
    if (!strcmp(argv[1], "--version")) {
        puts("retort " RETORT_VERSION);
        return fflush(stdout) ? ERR_SYSTEM : OK;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return run_command(&command_help, 0, no_operands);
    const struct command *command = command_find(argv[1]);
    return command ? run_command(command, argc - 2, argv + 2) : unknown_command(argv[1]);
}
