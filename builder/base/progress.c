// SPDX-License-Identifier: MIT
#include "base/progress.h"

#include <assert.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/mistake.h"

enum { REDRAW_INTERVAL_MS = 100, RATE_AFTER_MS = 500 };

static enum progress_mode mode;
static atomic_bool line_is_drawn;
static const struct progress_observer *_Atomic observer;

void progress_setup(enum progress_mode wanted) { mode = wanted; }

void progress_observe(const struct progress_observer *wanted) { observer = wanted; }

int64_t monotonic_ms(void) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void emit(const char *text) { (void)!write(STDERR_FILENO, text, strlen(text)); }

static void emit_json(json_t *object) {
        auto_free char *text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);
        json_decref(object);
        auto_free char *line = xasprintf("%s\n", text_or(text, "{}"));
        emit(line);
}

static void emit_step(const struct progress *progress, const char *event, int64_t now) {
        emit_json(json_pack("{ss ss ss sI sI sI}", "event", event, "step", progress->step, "unit", progress->unit,
                            "done", (json_int_t)progress->done, "total", (json_int_t)progress->total, "elapsed_ms",
                            (json_int_t)(now - progress->started_ms)));
}

// ", 12.3 MB/s, 4 s left": the mean so far, once there is something to take a mean of.
static char *describe_rate(const struct progress *progress, int64_t elapsed_ms) {
        uint64_t done = size_min(progress->done, progress->total);
        if (elapsed_ms < RATE_AFTER_MS || done == 0)
                return xstrdup("");
        double rate = (double)done * 1000 / (double)elapsed_ms; // a second
        auto_free char *left = xasprintf(", %.0f s left", (double)(progress->total - done) / rate);
        if (strcmp(progress->unit, "bytes") == 0)
                return xasprintf(", %.1f MB/s%s", rate / 1e6, left);
        return take_ptr(left);
}

static void draw(const struct progress *progress, int64_t now) {
        auto_free char *line = NULL;
        int64_t elapsed_ms = now - progress->started_ms;
        uint64_t scale = 1;
        const char *unit = progress->unit;
        if (strcmp(unit, "bytes") == 0) {
                scale = 1000000;
                unit = "MB";
        }
        uint64_t done = size_min(progress->done, progress->total); // what is fetched again counts twice
        auto_free char *rate = describe_rate(progress, elapsed_ms);
        if (progress->total > 0)
                line =
                    xasprintf("\r\033[K%s %llu/%llu %s %llu%% %llds%s", progress->step,
                              (unsigned long long)(done / scale), (unsigned long long)(progress->total / scale), unit,
                              (unsigned long long)(done * 100 / progress->total), (long long)(elapsed_ms / 1000), rate);
        else
                line = xasprintf("\r\033[K%s %llds", progress->step, (long long)(elapsed_ms / 1000));
        line_is_drawn = true;
        emit(line);
}

void progress_begin(struct progress *progress, const char *step, const char *unit, uint64_t total) {
        assert(step && unit);
        int64_t now = monotonic_ms();
        *progress = (struct progress){ step, unit, 0, total, now, now };
        if (mode == PROGRESS_TERMINAL)
                draw(progress, now);
        else if (mode == PROGRESS_JSON)
                emit_step(progress, "begin", now);
}

void progress_add(struct progress *progress, uint64_t amount) {
        __atomic_add_fetch(&progress->done, amount, __ATOMIC_RELAXED);
        if (mode != PROGRESS_TERMINAL)
                return;
        int64_t now = monotonic_ms();
        int64_t shown = __atomic_load_n(&progress->shown_ms, __ATOMIC_RELAXED);
        if (now - shown >= REDRAW_INTERVAL_MS &&
            __atomic_compare_exchange_n(&progress->shown_ms, &shown, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
                draw(progress, now);
}

static void clear_line(void) {
        if (atomic_exchange(&line_is_drawn, false))
                emit("\r\033[K");
}

void progress_end(struct progress *progress) {
        int64_t now = monotonic_ms();
        const struct progress_observer *told = observer;
        if (told)
                told->step_ended(progress, now);
        if (mode == PROGRESS_JSON) {
                emit_step(progress, "end", now);
                return;
        }
        if (mode == PROGRESS_QUIET)
                return;
        clear_line();
        auto_free char *line = xasprintf("%s: %.1f s\n", progress->step, (double)(now - progress->started_ms) / 1000);
        emit(line);
}

// `prefix`: what of the level is shown on a terminal.
static void say(const char *level, const char *prefix, const char *format, va_list arguments) {
        auto_free char *written = xvasprintf(format, arguments);
        auto_buf text = { 0 };
        mistake_printable(&text, written, strlen(written));
        const struct progress_observer *told = observer;
        if (told && strcmp(level, "warning") == 0)
                told->warned(buf_text(&text));
        if (mode == PROGRESS_JSON) {
                emit_json(json_pack("{ss ss}", "event", level, "text", buf_text(&text)));
                return;
        }
        clear_line();
        auto_free char *line = xasprintf("%s%s\n", prefix, buf_text(&text));
        emit(line);
}

void warning(const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        say("warning", "warning: ", format, arguments);
        va_end(arguments);
}

void notice(const char *format, ...) {
        if (mode == PROGRESS_QUIET)
                return;
        va_list arguments;
        va_start(arguments, format);
        say("notice", "", format, arguments);
        va_end(arguments);
}
