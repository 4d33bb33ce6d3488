/* Text buffer, charts and the HTML report. */
#include "check.h"

#include "base/text.h"
#include "train/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int occurrences(const char *text, const char *word)
{
    int n = 0;
    for (; (text = strstr(text, word)); text += strlen(word)) n++;
    return n;
}

static void html_is_escaped(void **state)
{
    (void)state;
    struct text text = {0};
    text_html(&text, "<a href='x'>\"&\" \x02\xED\xA0\x80\xC3\xA9");
    /* the surrogate's three bytes are each no UTF-8 */
    assert_string_equal(text.data, "&lt;a href=&#39;x&#39;&gt;&quot;&amp;&quot; "
                                   "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xC3\xA9");
    text_free(&text);
    text_html(&text, "cut \xF0\x9F"); /* a sequence that ends with the text */
    assert_string_equal(text.data, "cut \xEF\xBF\xBD\xEF\xBF\xBD");
    text_free(&text);
}

static void base64_matches_the_standard(void **state)
{
    (void)state;
    /* RFC 4648, section 10 */
    static const char *const expected[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
    for (size_t n = 0; n <= 6; n++) {
        struct text text = {0};
        text_base64(&text, (const uint8_t *)"foobar", n);
        assert_string_equal(text.data, expected[n]);
        text_free(&text);
    }
}

static void a_large_text_grows(void **state)
{
    (void)state;
    struct text text = {0};
    for (int i = 0; i < 20000; i++) text_format(&text, "%05d", i);
    assert_int_equal(text.size, 100000);
    assert_memory_equal(text.data + 5 * 12345, "12345", 5);
    text_free(&text);
}

static void charts_bear_any_values(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    static double dense[MANY];
    for (int i = 0; i < MANY; i++) dense[i] = i % 7 == 0 ? NAN : (i * 7919 % 1000) / 1000.0;
    const double holes[] = {NAN, 1, INFINITY, 2, NAN}, none[] = {NAN, NAN},
                 huge[] = {-1e300, 1e300, 1.7e308, -1.7e308}, same[] = {3, 3, 3}, x[] = {10, 20, 40};
    const struct svg_series cases[][2] = {
        {{"dense", NULL, dense, MANY}, {"holes", NULL, holes, 5}},
        {{"none", NULL, none, 2}, {"empty", NULL, NULL, 0}},
        {{"huge", NULL, huge, 4}, {NULL, NULL, huge, 1}},
        {{"same", x, same, 3},
         {"a long label with <tags> & \xE2\x82\xAC signs in it", x, same, 3}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct svg_chart chart = {"title", "x", "y", cases[i], 2, 0, 0};
        struct text text = {0};
        svg_chart(&text, &chart, 350, 240);
        assert_false(text.failed);
        assert_true(text.size < 40000); /* bounded by pixels, not by points */
        assert_null(strstr(text.data, "nan"));
        assert_null(strstr(text.data, "inf"));
        assert_null(strstr(text.data, "<tags>"));
        assert_int_equal(occurrences(text.data, "</svg>"), 1);
        text_free(&text);
    }
}

static void lines_reach_their_pixels(void **state)
{
    (void)state;
    const double y[] = {0, 1};
    const struct svg_series series = {"s", NULL, y, 2};
    const struct svg_chart chart = {"title", "x", "y", &series, 1, 0, 1};
    struct text text = {0};
    svg_chart(&text, &chart, 400, 240);
    /* plot: left 12 + 3 digits of 7, right 400 - 29, bottom 240 - 40, top 28 */
    assert_non_null(strstr(text.data, "d=\"M33.0 200.0L371.0 28.0\""));
    assert_non_null(strstr(text.data, ">0.0</text>"));
    assert_non_null(strstr(text.data, ">1.0</text>"));
    text_free(&text);
}

static void timelines_mark_the_chosen(void **state)
{
    (void)state;
    const double values[] = {0.1, 0.9, 0.4, NAN, 0.8};
    const int chosen[] = {1, 3, 4};
    const struct svg_timeline timeline = {"title", "frame", "confidence", values, 5,      0,
                                          1,       0.75,    "limit",      1,      chosen, 3};
    struct text text = {0};
    svg_timeline(&text, &timeline, 760, 240);
    assert_int_equal(occurrences(text.data, "class=\"rug\""), 3);
    assert_int_equal(occurrences(text.data, "class=\"mark\""), 2); /* one of them has no value */
    assert_int_equal(occurrences(text.data, "class=\"threshold\""), 1);
    assert_int_equal(occurrences(text.data, ">limit<"), 1);
    text_free(&text);
    const struct svg_timeline empty = {
        .title = "", .x_label = "", .y_label = "", .values = NULL, .threshold = NAN};
    svg_timeline(&text, &empty, 240, 120);
    assert_non_null(strstr(text.data, "</svg>"));
    text_free(&text);
}

static void reports_are_whole_and_closed(void **state)
{
    (void)state;
    struct error err;
    struct report report;
    const struct report_fact fact = {"mAP", "0.5", NULL};
    const char *const heads[] = {"class", "AP"}, *const cells[] = {"<b>", "0.5", "car", NULL};
    const struct report_table table = {"caption", 2, 2, "lr", heads, cells};
    const struct report_picture picture = {(const uint8_t *)"\xFF\xD8\xFF", 3, "one \"frame\"", NULL};
    const struct report_pair pair = {picture, picture};
    report_begin(&report, "A & B", "sub");
    report_facts(&report, &fact, 1);
    report_section(&report, "first");
    report_paragraph(&report, "<script>");
    report_table(&report, &table);
    report_section(&report, "second");
    report_sheet(&report, &picture, 1);
    report_pairs(&report, &pair, 1);
    report_code(&report, "retort rerun \"m.json\"");
    check_ok(report_end(&report, "end", &err), &err);
    const char *html = report.html.data;
    assert_memory_equal(html, "<!DOCTYPE html>", 15);
    assert_non_null(strstr(html, "<title>A &amp; B</title>"));
    assert_null(strstr(html, "<script"));
    assert_null(strstr(html, "<b>"));
    assert_null(strstr(html, "http://"));
    assert_null(strstr(html, "https://"));
    assert_int_equal(occurrences(html, "<section>"), 2);
    assert_int_equal(occurrences(html, "</section>"), 2);
    assert_int_equal(occurrences(html, "data:image/jpeg;base64,/9j/\""), 3);
    assert_int_equal(occurrences(html, "alt=\"one &quot;frame&quot;\""), 3);
    assert_string_equal(html + report.html.size - 8, "</html>\n");
    text_free(&report.html);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(html_is_escaped),
        cmocka_unit_test(base64_matches_the_standard),
        cmocka_unit_test(a_large_text_grows),
        cmocka_unit_test(charts_bear_any_values),
        cmocka_unit_test(lines_reach_their_pixels),
        cmocka_unit_test(timelines_mark_the_chosen),
        cmocka_unit_test(reports_are_whole_and_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
