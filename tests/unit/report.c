// SPDX-License-Identifier: MIT
// A report's parts: escaped texts and the places of a treemap. tests/builds looks at whole pages.
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "report/html.h"
#include "report/treemap.h"
#include "tests/unit/test.h"

static void same_text(struct buf *buf, const char *expected) {
        EXPECT_TEXT(buf_text(buf), expected);
        buf_clear(buf);
}

static void a_text_stays_a_text(void) {
        auto_buf buf = { 0 };
        html_text(&buf, "<a href=\"x\">'&amp;'</a>\x01\xff");
        same_text(&buf, "&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;&#39;&lt;/a&gt;??");
        html_text(&buf, "a\xe2\x80\xae"
                        "b\xe2\x81\xa6\xe2\x80\x8f\xe2\x80\xa6\xe2");
        same_text(&buf, "a?b??\xe2\x80\xa6?");
        html_format(&buf, "<b title=\"%s\">%s</b>", "\"", "<i>");
        same_text(&buf, "<b title=\"&quot;\">&lt;i&gt;</b>");
}

static void a_text_is_cut_between_characters(void) {
        auto_buf buf = { 0 };
        html_text_cut(&buf, "äöü<", 4);
        same_text(&buf, "äöü&lt;");
        html_text_cut(&buf, "äöü<x", 4);
        same_text(&buf, "äöü…");
        html_text_cut(&buf, "ab", 1);
        same_text(&buf, "…");
        html_text_cut(&buf, "", 1);
        same_text(&buf, "");
        html_text_cut(&buf, "ab", 0);
        same_text(&buf, "…");
}

static const double slack = 1e-3; // of a pixel: what rounding may do

static bool overlap(const struct treemap_place *a, const struct treemap_place *b) {

        return a->x + slack < b->x + b->width && b->x + slack < a->x + a->width && a->y + slack < b->y + b->height &&
               b->y + slack < a->y + a->height;
}

static void check_places(const double *sizes, size_t count, const struct treemap_place *area) {
        auto_free struct treemap_place *places = xcalloc(count + 1, sizeof *places);
        double total = 0;
        treemap_layout(sizes, count, area, places);
        for (size_t i = 0; i < count; i++)
                total += sizes[i];
        for (size_t i = 0; i < count; i++) {
                const struct treemap_place *place = &places[i];
                double wanted = sizes[i] / total * area->width * area->height;
                EXPECT(fabs(place->width * place->height - wanted) < 1e-3);
                EXPECT(place->x >= area->x - slack && place->x + place->width <= area->x + area->width + slack);
                EXPECT(place->y >= area->y - slack && place->y + place->height <= area->y + area->height + slack);
                for (size_t j = 0; j < i; j++)
                        EXPECT(!overlap(place, &places[j]));
        }
}

static void a_treemap_fills_its_area(void) {
        const struct treemap_place area = { 10, 20, 600, 400 };
        const double paper[] = { 6, 6, 4, 3, 2, 2, 1 }, one[] = { 5 }, uneven[] = { 1e9, 1, 1, 0.001 };
        double many[500];
        for (size_t i = 0; i < lengthof(many); i++)
                many[i] = 1e6 / (double)(i + 1);
        check_places(paper, lengthof(paper), &area);
        check_places(one, 1, &area);
        check_places(uneven, lengthof(uneven), &area);
        check_places(many, lengthof(many), &area);
}

// The example of the paper: areas 6 6 4 3 2 2 1 in 6 by 4 begin with a column of the two largest.
static void a_treemap_is_squarish(void) {
        const struct treemap_place area = { 0, 0, 6, 4 };
        const double sizes[] = { 6, 6, 4, 3, 2, 2, 1 };
        struct treemap_place places[lengthof(sizes)];
        treemap_layout(sizes, lengthof(sizes), &area, places);
        EXPECT(fabs(places[0].width - 3) < 1e-9 && fabs(places[0].height - 2) < 1e-9);
        EXPECT(fabs(places[1].y - 2) < 1e-9 && fabs(places[2].x - 3) < 1e-9);
}

static void nothing_has_no_place(void) {
        const struct treemap_place area = { 0, 0, 6, 4 };
        const double sizes[] = { 3, 0, 0 }, nothing[] = { 0, 0, 0 };
        struct treemap_place places[3];
        treemap_layout(sizes, 3, &area, places);
        EXPECT(fabs(places[0].width * places[0].height - 24) < 1e-9);
        EXPECT(places[1].width == 0 && places[2].height == 0);
        treemap_layout(nothing, 3, &area, places);
        EXPECT(places[0].width == 0);
        treemap_layout(NULL, 0, &area, NULL);
}

int main(void) {
        RUN(a_text_stays_a_text);
        RUN(a_text_is_cut_between_characters);
        RUN(a_treemap_fills_its_area);
        RUN(a_treemap_is_squarish);
        RUN(nothing_has_no_place);
        return test_done();
}
