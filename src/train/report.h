/* The report of a run: one HTML file that needs nothing else (no scripts, no requests, pictures inside).
 *
 * Built in memory from plain data, section by section; light and dark follow the reader's setting, charts
 * come in a wide and a phone size. All text is escaped. Memory failures stick and are told by report_end. */
#ifndef RETORT_TRAIN_REPORT_H
#define RETORT_TRAIN_REPORT_H

#include "base/text.h"
#include "train/svg.h"

struct report {
    struct text html; /* complete after report_end; freed with text_free(&report.html) */
    bool in_section;
};

/* A figure that the reader should see first. */
struct report_fact {
    const char *label, *value;
    const char *note; /* or NULL */
};

struct report_table {
    const char *caption; /* or NULL */
    int columns, rows;
    const char *align;        /* per column 'l' or 'r' (numbers) */
    const char *const *heads; /* [columns] */
    const char *const *cells; /* [rows][columns]; NULL is an empty cell */
};

struct report_picture {
    const uint8_t *jpeg; /* a JPEG file */
    size_t size;
    const char *caption;
    const char *note; /* a second, quieter line, or NULL */
};

/* What an outline of a colour means. */
struct report_key {
    const char *words;
    uint8_t rgb[3];
    bool dashed;
};

struct report_pair {
    struct report_picture before, after; /* captions stand below each */
};

void report_begin(struct report *report, const char *title, const char *subtitle);
void report_section(struct report *report, const char *heading);
void report_paragraph(struct report *report, const char *words);
void report_facts(struct report *report, const struct report_fact *facts, int count);
void report_table(struct report *report, const struct report_table *table);
void report_chart(struct report *report, const char *caption, const struct svg_chart *chart);
void report_timeline(struct report *report, const char *caption, const struct svg_timeline *timeline);
void report_sheet(struct report *report, const struct report_picture *pictures, int count);
void report_keys(struct report *report, const struct report_key *keys, int count);
void report_pairs(struct report *report, const struct report_pair *pairs, int count);
void report_code(struct report *report, const char *lines); /* a command line, as it is */

/* Closes the document. ERR_SYSTEM when memory ran out on the way (the buffer is then freed). */
enum status report_end(struct report *report, const char *footer, struct error *err);

/* The style sheet (report_style.c). */
extern const char report_style[];

#endif
