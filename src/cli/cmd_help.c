/* retort help: the list of commands, a command's page, its manual page. */
#include "base/version.h"
#include "cli/command.h"

#include <stdlib.h>
#include <string.h>

struct values {
    bool man, names;
};

static const struct option options[] = {
    {"man", 0, OPTION_FLAG, offsetof(struct values, man), .help = "print the manual page (roff) instead"},
    {"names", 0, OPTION_FLAG, offsetof(struct values, names),
     .help = "print the names of the commands, one a line"},
    {0},
};

static const char purpose[] = "Distils a large vision model into a small one for one camera, on the machine "
                              "that the camera is plugged into, and gives the same bits on every machine.";

static const char exit_statuses[] = "0 done, 1 a check did not hold, 2 wrong usage, 3 bad input, 4 the "
                                    "system failed (disk, memory), 130 interrupted.";

static void upper(struct text *out, const char *name)
{
    for (; *name; name++) text_format(out, "%c", *name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name);
}

static void list_commands(struct text *out)
{
    text_add(out, "Usage: retort COMMAND [OPTION]... [OPERAND]...\n\n");
    text_wrap(out, purpose, 0, 0);
    text_add(out, "\nCommands:\n");
    for (int i = 0; i < command_count; i++)
        text_format(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    text_add(out, "\n");
    text_wrap(out, "Exit status: ", 0, 0);
    out->size -= out->size > 0; /* the sentence goes on behind the colon */
    text_add(out, " ");
    text_wrap(out, exit_statuses, 0, 13);
    text_add(out, "\n'retort help COMMAND' explains one. 'retort --version' prints the version.\n");
}

static void usage(struct text *out, const struct command *command)
{
    text_format(out, "retort %s [OPTION]...%s%s", command->name, command->operands ? " " : "",
                command->operands ? command->operands : "");
}

static void page(struct text *out, const struct command *command)
{
    text_add(out, "Usage: ");
    usage(out, command);
    text_format(out, "\n\n%s.\n", command->summary);
    if (command->description) {
        text_add(out, "\n");
        text_wrap(out, command->description, 0, 0);
    }
    text_add(out, "\nOptions:\n");
    if (command->options) options_help(out, command->options);
    options_help(out, common_option_table);
    text_add(out, strchr(command->example, '\n') ? "\nExamples:\n" : "\nExample:\n");
    for (const char *line = command->example; *line;) {
        const int n = (int)strcspn(line, "\n");
        text_format(out, "  %.*s\n", n, line);
        line += n + (line[n] != 0);
    }
}

static void man_start(struct text *out, const char *name, const char *summary)
{
    text_add(out, ".TH ");
    upper(out, name);
    text_format(out, " 1 \"\" \"retort %s\" \"User Commands\"\n.SH NAME\n", RETORT_VERSION);
    man_escape(out, name);
    text_add(out, " \\- ");
    man_escape(out, summary);
    text_add(out, "\n.SH SYNOPSIS\n");
}

static void man_section(struct text *out, const char *title, const char *words)
{
    text_format(out, ".SH %s\n", title);
    for (; *words; words++) {
        const char *end = strchr(words, '\n');
        const size_t n = end ? (size_t)(end - words) : strlen(words);
        char *paragraph = strndup(words, n);
        if (!paragraph) {
            out->failed = true;
            return;
        }
        man_escape(out, paragraph);
        free(paragraph);
        text_add(out, end ? "\n.PP\n" : "\n");
        words += n;
        if (!*words) return;
    }
}

static void man_overview(struct text *out)
{
    man_start(out, "retort", "distil a detector for one camera");
    text_add(out, ".B retort\n.I COMMAND\n[\\fIOPTION\\fR]... [\\fIOPERAND\\fR]...\n");
    man_section(out, "DESCRIPTION", purpose);
    text_add(out, ".SH COMMANDS\n");
    for (int i = 0; i < command_count; i++) {
        text_format(out, ".TP\n\\fBretort-%s\\fR(1)\n", commands[i]->name);
        man_escape(out, commands[i]->summary);
        text_add(out, "\n");
    }
    man_section(out, "EXIT STATUS", exit_statuses);
}

static void man_page(struct text *out, const struct command *command)
{
    struct text name = {0};
    text_format(&name, "retort-%s", command->name);
    if (name.failed) {
        out->failed = true;
        return;
    }
    man_start(out, name.data, command->summary);
    text_free(&name);
    text_format(out, ".B retort %s\n[\\fIOPTION\\fR]...", command->name);
    if (command->operands) {
        text_add(out, " \\fI");
        man_escape(out, command->operands);
        text_add(out, "\\fR");
    }
    text_add(out, "\n");
    if (command->description) man_section(out, "DESCRIPTION", command->description);
    text_add(out, ".SH OPTIONS\n");
    if (command->options) options_man(out, command->options);
    options_man(out, common_option_table);
    man_section(out, "EXIT STATUS", exit_statuses);
    text_add(out, ".SH EXAMPLES\n.nf\n");
    man_escape(out, command->example);
    text_add(out, "\n.fi\n.SH SEE ALSO\n.BR retort (1)\n");
}

static enum status run_help(struct run *run, struct error *err)
{
    const struct values *values = run->values;
    const struct command *command = NULL;
    if (run->operand_count && !(command = command_find(run->operands[0])))
        return fail(err, ERR_USAGE, "%.60s: unknown command", run->operands[0]);
    struct text out = {0};
    if (values->names)
        for (int i = 0; i < command_count; i++) text_format(&out, "%s\n", commands[i]->name);
    else if (values->man && command)
        man_page(&out, command);
    else if (values->man)
        man_overview(&out);
    else if (command)
        page(&out, command);
    else
        list_commands(&out);
    return console_print_buffer(&run->console, &out, err);
}

const struct command command_help = {
    .name = "help",
    .summary = "Lists the commands or explains one",
    .operands = "[COMMAND]",
    .max_operands = 1,
    .options = options,
    .values_size = sizeof(struct values),
    .example = "retort help distill\nretort help --man select | man -l -",
    .run = run_help,
};
