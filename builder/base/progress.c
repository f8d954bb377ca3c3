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
#include "base/colour.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/mistake.h"

// In a log, a line now and then says that a long step goes on: build servers end what is silent.
enum { REDRAW_INTERVAL_MS = 100, LINE_INTERVAL_MS = 30000, EVENT_INTERVAL_MS = 1000, RATE_AFTER_MS = 500 };
enum { SHOWN_AS_MINUTES_S = 100 };

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

static int64_t wall_clock_ms(void) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void progress_event(const char *event, json_t *members) {
        json_t *object = json_pack("{ss sI}", "event", event, "at_ms", (json_int_t)wall_clock_ms());
        if (!object || json_object_update(object, members) < 0)
                emit("{\"event\":\"error\",\"kind\":\"INTERNAL\",\"text\":\"an event is no JSON\"}\n");
        else
                emit_json(json_incref(object));
        json_decref(object);
        json_decref(members);
}

// ---- how far it is ----

// What is fetched again counts twice.
static uint64_t shown_done(const struct progress *progress) {
        uint64_t done = __atomic_load_n(&progress->done, __ATOMIC_RELAXED);
        return progress->total > 0 ? size_min(done, progress->total) : done;
}

// By the mean so far, once there is something to take a mean of; -1: nobody knows.
static int64_t left_ms(const struct progress *progress, int64_t elapsed_ms) {
        uint64_t done = shown_done(progress);
        if (progress->total == 0 || elapsed_ms < RATE_AFTER_MS || done == 0)
                return -1;
        return (int64_t)((double)(progress->total - done) * (double)elapsed_ms / (double)done);
}

static char *describe_time(int64_t ms) {
        int64_t seconds = (ms + 500) / 1000;
        if (seconds < SHOWN_AS_MINUTES_S)
                return xasprintf("%lld s", (long long)seconds);
        return xasprintf("%lld min %lld s", (long long)(seconds / 60), (long long)(seconds % 60));
}

// ", 12.3 MB/s, 4 s left"
static char *describe_rate(const struct progress *progress, int64_t elapsed_ms) {
        int64_t remaining_ms = left_ms(progress, elapsed_ms);
        if (remaining_ms < 0)
                return xstrdup("");
        auto_free char *time_left = describe_time(remaining_ms);
        double rate = (double)shown_done(progress) * 1000 / (double)elapsed_ms; // a second
        if (strcmp(progress->unit, "bytes") == 0)
                return xasprintf(", %.1f MB/s, %s left", rate / 1e6, time_left);
        return xasprintf(", %s left", time_left);
}

// "download: 12 of 345 MB, 3%, 10 s, 1.2 MB/s, 4 min 10 s left"
static char *describe_progress(const struct progress *progress, int64_t now) {
        int64_t elapsed_ms = now - progress->started_ms;
        uint64_t scale = 1, done = shown_done(progress);
        const char *unit = progress->unit;
        auto_free char *elapsed = describe_time(elapsed_ms);
        if (strcmp(unit, "bytes") == 0) {
                scale = 1000000;
                unit = "MB";
        }
        if (progress->total == 0)
                return xasprintf("%s: %s", progress->step, elapsed);
        auto_free char *rate = describe_rate(progress, elapsed_ms);
        return xasprintf("%s: %llu of %llu %s, %llu%%, %s%s", progress->step, (unsigned long long)(done / scale),
                         (unsigned long long)(progress->total / scale), unit,
                         (unsigned long long)(done * 100 / progress->total), elapsed, rate);
}

static void clear_line(void) {
        if (atomic_exchange(&line_is_drawn, false))
                emit("\r\033[K");
}

static void draw(const struct progress *progress, int64_t now) {
        auto_free char *text = describe_progress(progress, now);
        auto_free char *line = xasprintf("\r\033[K%s", text);
        line_is_drawn = true;
        emit(line);
}

static void emit_step(const struct progress *progress, const char *event, int64_t now, json_t *more) {
        json_t *members = json_pack("{ss ss sI sI sI}", "step", progress->step, "unit", progress->unit, "done",
                                    (json_int_t)progress->done, "total", (json_int_t)progress->total, "elapsed_ms",
                                    (json_int_t)(now - progress->started_ms));
        if (members && more)
                (void)json_object_update(members, more);
        json_decref(more);
        progress_event(event, members);
}

static void show_progress(const struct progress *progress, int64_t now) {
        int64_t remaining_ms = left_ms(progress, now - progress->started_ms);
        if (mode == PROGRESS_TERMINAL) {
                draw(progress, now);
        } else if (mode == PROGRESS_JSON) {
                emit_step(progress, "progress", now,
                          remaining_ms < 0 ? NULL : json_pack("{sI}", "left_ms", (json_int_t)remaining_ms));
        } else {
                auto_free char *text = describe_progress(progress, now);
                auto_free char *line = xasprintf("%s\n", text);
                emit(line);
        }
}

// ---- steps ----

void progress_begin(struct progress *progress, const char *step, const char *unit, uint64_t total) {
        assert(step && unit);
        int64_t now = monotonic_ms();
        *progress = (struct progress){ step, unit, 0, total, now, now };
        if (mode == PROGRESS_TERMINAL) {
                draw(progress, now);
        } else if (mode == PROGRESS_JSON) {
                emit_step(progress, "begin", now, NULL);
        } else if (mode == PROGRESS_VERBOSE) {
                auto_free char *line = xasprintf("%s ...\n", step);
                emit(line);
        }
}

static int64_t show_interval_ms(void) {
        if (mode == PROGRESS_TERMINAL)
                return REDRAW_INTERVAL_MS;
        if (mode == PROGRESS_JSON)
                return EVENT_INTERVAL_MS;
        return LINE_INTERVAL_MS;
}

void progress_add(struct progress *progress, uint64_t amount) {
        __atomic_add_fetch(&progress->done, amount, __ATOMIC_RELAXED);
        if (mode == PROGRESS_QUIET)
                return;
        int64_t now = monotonic_ms();
        int64_t shown = __atomic_load_n(&progress->shown_ms, __ATOMIC_RELAXED);
        if (now - shown >= show_interval_ms() &&
            __atomic_compare_exchange_n(&progress->shown_ms, &shown, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
                show_progress(progress, now);
}

// The mistake itself is told by whoever reports it.
static char *describe_end(const struct progress *progress, bool is_done, int64_t now) {
        if (is_done)
                return xasprintf("%s: %.1f s\n", progress->step, (double)(now - progress->started_ms) / 1000);
        const char *how = interrupt_requested() ? "interrupted" : "failed";
        return xasprintf("%s: %s%s%s\n", progress->step, colour_begin(COLOUR_BAD, STDERR_FILENO), how,
                         colour_end(STDERR_FILENO));
}

void progress_end(struct progress *progress, bool is_done) {
        int64_t now = monotonic_ms();
        const struct progress_observer *told = observer;
        if (told)
                told->step_ended(progress, now);
        if (mode == PROGRESS_JSON) {
                emit_step(progress, "end", now, json_pack("{sb}", "ok", is_done));
                return;
        }
        if (mode == PROGRESS_QUIET)
                return;
        clear_line();
        auto_free char *line = describe_end(progress, is_done, now);
        emit(line);
}

// ---- remarks ----

// `prefix`: what of the level is shown on a terminal.
static void say(const char *level, const char *prefix, const char *format, va_list arguments) {
        auto_free char *written = xvasprintf(format, arguments);
        auto_buf text = { 0 };
        mistake_printable(&text, written, strlen(written));
        const struct progress_observer *told = observer;
        if (told && strcmp(level, "warning") == 0)
                told->warned(buf_text(&text));
        if (mode == PROGRESS_JSON) {
                progress_event(level, json_pack("{ss}", "text", buf_text(&text)));
                return;
        }
        clear_line();
        auto_free char *line = xasprintf("%s%s\n", prefix, buf_text(&text));
        emit(line);
}

void warning(const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        auto_free char *prefix =
            xasprintf("%swarning:%s ", colour_begin(COLOUR_DOUBTFUL, STDERR_FILENO), colour_end(STDERR_FILENO));
        say("warning", prefix, format, arguments);
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
