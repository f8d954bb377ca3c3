// SPDX-License-Identifier: MIT
// What the steps of a build took, as bars on one axis of time.
#include "base/mem.h"
#include "report/internal.h"

enum { STEPS_MAX = 100, LABEL_WIDTH = 260, AXIS_WIDTH = 640, VALUE_WIDTH = 90, ROW_HEIGHT = 22, BAR_HEIGHT = 14 };

static double milliseconds(const json_t *object, const char *key) { return (double)report_size(object, key); }

static double end_of_steps(const json_t *steps) {
        double end = 1;
        size_t i;
        json_t *step;
        json_array_foreach((json_t *)steps, i, step) {
                double ends = milliseconds(step, "began_ms") + milliseconds(step, "took_ms");
                if (ends > end)
                        end = ends;
        }
        return end;
}

static void draw_step(const json_t *step, size_t row, double end, struct buf *to) {
        double began = milliseconds(step, "began_ms"), took = milliseconds(step, "took_ms");
        double x = LABEL_WIDTH + began / end * AXIS_WIDTH, width = took / end * AXIS_WIDTH;
        double y = (double)(row * ROW_HEIGHT);
        if (width < 1.5)
                width = 1.5;
        html_format(to, "<g><title>%s", member_text(step, "step"));
        buf_printf(to, ": began after %.1f s, took %.1f s</title><text x=\"0\" y=\"%.1f\">", began / 1000, took / 1000,
                   y + BAR_HEIGHT);
        html_text_cut(to, member_text(step, "step"), 38);
        buf_printf(to,
                   "</text><line class=\"track\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                   "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"/>"
                   "<text x=\"%.1f\" y=\"%.1f\">%.1f s</text></g>\n",
                   LABEL_WIDTH, LABEL_WIDTH + AXIS_WIDTH, y + ROW_HEIGHT - 2, y + ROW_HEIGHT - 2, x, y + 3, width,
                   BAR_HEIGHT, x + width + 5, y + BAR_HEIGHT, took / 1000);
}

void report_steps(const struct report_data *data, struct buf *to) {
        const json_t *steps = json_object_get(data->source->notes, "steps");
        size_t count = size_min(json_array_size(steps), STEPS_MAX), all = json_array_size(steps);
        report_heading(to, "steps", "What the steps took");
        if (count == 0) {
                buf_append_text(to,
                                "<p>Nobody wrote down what the steps of this build took: it was made by an older kiln, "
                                "or copied from elsewhere.</p>\n");
                return;
        }
        buf_printf(
            to,
            "<p class=\"dim\">The build took %.1f s. Steps of several roles run at the same time; what the cache had "
            "took none.</p>\n",
            milliseconds(data->source->notes, "took_ms") / 1000);
        int width = LABEL_WIDTH + AXIS_WIDTH + VALUE_WIDTH, height = (int)count * ROW_HEIGHT;
        double end = end_of_steps(steps);
        buf_printf(to,
                   "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Picture of the steps\"><svg "
                   "role=\"group\" aria-label=\"Steps in the order of their beginning\" width=\"%d\" height=\"%d\" "
                   "viewBox=\"0 "
                   "0 %d %d\">\n",
                   width, height, width, height);
        for (size_t i = 0; i < count; i++)
                draw_step(json_array_get(steps, i), i, end, to);
        buf_append_text(to, "</svg></div>\n");
        if (all > count)
                buf_printf(to, "<p>And %zu more.</p>\n", all - count);
}
