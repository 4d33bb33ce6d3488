#include "train/report.h"

#include <string.h>

enum { WIDE = 760, WIDE_HEIGHT = 300, NARROW = 350, NARROW_HEIGHT = 240, TIMELINE_HEIGHT = 240 };

void report_begin(struct report *report, const char *title, const char *subtitle)
{
    *report = (struct report){0};
    struct text *html = &report->html;
    text_add(html,
             "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
             "style-src 'unsafe-inline'\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    text_html(html, title);
    text_add(html, "</title>\n<style>\n");
    text_add(html, report_style);
    text_add(html, "</style>\n</head>\n<body>\n<main>\n<header>\n<h1>");
    text_html(html, title);
    text_add(html, "</h1>\n<p class=\"sub\">");
    text_html(html, subtitle);
    text_add(html, "</p>\n</header>\n");
}

void report_section(struct report *report, const char *heading)
{
    text_add(&report->html, report->in_section ? "</section>\n<section>\n<h2>" : "<section>\n<h2>");
    text_html(&report->html, heading);
    text_add(&report->html, "</h2>\n");
    report->in_section = true;
}

static void element(struct text *html, const char *open, const char *words, const char *close)
{
    text_add(html, open);
    text_html(html, words);
    text_add(html, close);
}

void report_paragraph(struct report *report, const char *words)
{
    element(&report->html, "<p>", words, "</p>\n");
}

void report_code(struct report *report, const char *lines)
{
    element(&report->html, "<pre>", lines, "</pre>\n");
}

void report_facts(struct report *report, const struct report_fact *facts, int count)
{
    struct text *html = &report->html;
    text_add(html, "<dl class=\"facts\">\n");
    for (int i = 0; i < count; i++) {
        element(html, "<div><dt>", facts[i].label, "</dt>");
        element(html, "<dd>", facts[i].value, "</dd>");
        if (facts[i].note) element(html, "<dd class=\"note\">", facts[i].note, "</dd>");
        text_add(html, "</div>\n");
    }
    text_add(html, "</dl>\n");
}

void report_table(struct report *report, const struct report_table *table)
{
    struct text *html = &report->html;
    text_add(html, "<div class=\"scroll\"><table>\n");
    if (table->caption) element(html, "<caption>", table->caption, "</caption>\n");
    text_add(html, "<thead><tr>");
    for (int column = 0; column < table->columns; column++)
        element(html, table->align[column] == 'r' ? "<th scope=\"col\" class=\"r\">" : "<th scope=\"col\">",
                table->heads[column], "</th>");
    text_add(html, "</tr></thead>\n<tbody>\n");
    for (int row = 0; row < table->rows; row++) {
        text_add(html, "<tr>");
        for (int column = 0; column < table->columns; column++) {
            const char *cell = table->cells[row * table->columns + column];
            element(html, table->align[column] == 'r' ? "<td class=\"r\">" : "<td>", cell ? cell : "",
                    "</td>");
        }
        text_add(html, "</tr>\n");
    }
    text_add(html, "</tbody></table></div>\n");
}

static void figure_end(struct text *html, const char *caption)
{
    if (caption) element(html, "<figcaption>", caption, "</figcaption>");
    text_add(html, "</figure>\n");
}

void report_chart(struct report *report, const char *caption, const struct svg_chart *chart)
{
    text_add(&report->html, "<figure><div class=\"wide\">");
    svg_chart(&report->html, chart, WIDE, WIDE_HEIGHT);
    text_add(&report->html, "</div><div class=\"narrow\">");
    svg_chart(&report->html, chart, NARROW, NARROW_HEIGHT);
    text_add(&report->html, "</div>");
    figure_end(&report->html, caption);
}

void report_timeline(struct report *report, const char *caption, const struct svg_timeline *timeline)
{
    text_add(&report->html, "<figure><div class=\"wide\">");
    svg_timeline(&report->html, timeline, WIDE, TIMELINE_HEIGHT);
    text_add(&report->html, "</div><div class=\"narrow\">");
    svg_timeline(&report->html, timeline, NARROW, NARROW_HEIGHT);
    text_add(&report->html, "</div>");
    figure_end(&report->html, caption);
}

static void picture(struct text *html, const struct report_picture *shown)
{
    text_add(html, "<figure><img alt=\"");
    text_html(html, shown->caption);
    text_add(html, "\" src=\"data:image/jpeg;base64,");
    text_base64(html, shown->jpeg, shown->size);
    text_add(html, "\"><figcaption>");
    text_html(html, shown->caption);
    if (shown->note) element(html, "<span>", shown->note, "</span>");
    text_add(html, "</figcaption></figure>\n");
}

void report_sheet(struct report *report, const struct report_picture *pictures, int count)
{
    text_add(&report->html, "<div class=\"sheet\">\n");
    for (int i = 0; i < count; i++) picture(&report->html, &pictures[i]);
    text_add(&report->html, "</div>\n");
}

void report_keys(struct report *report, const struct report_key *keys, int count)
{
    text_add(&report->html, "<ul class=\"keys\">");
    for (int i = 0; i < count; i++) {
        const struct report_key *const k = &keys[i];
        text_format(&report->html, "<li><i style=\"border:3px %s #%02x%02x%02x\"></i>",
                    k->dashed ? "dashed" : "solid", k->rgb[0], k->rgb[1], k->rgb[2]);
        element(&report->html, "", k->words, "</li>");
    }
    text_add(&report->html, "</ul>\n");
}

void report_pairs(struct report *report, const struct report_pair *pairs, int count)
{
    for (int i = 0; i < count; i++) {
        text_add(&report->html, "<div class=\"pair\">\n");
        picture(&report->html, &pairs[i].before);
        picture(&report->html, &pairs[i].after);
        text_add(&report->html, "</div>\n");
    }
}

enum status report_end(struct report *report, const char *footer, struct error *err)
{
    if (report->in_section) text_add(&report->html, "</section>\n");
    element(&report->html, "<footer>", footer, "</footer>\n</main>\n</body>\n</html>\n");
    const enum status status = text_check(&report->html, "the report", err);
    if (status != OK) text_free(&report->html);
    return status;
}
