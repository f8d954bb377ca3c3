// SPDX-License-Identifier: MIT
// Listens to progress while a build is made.
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/progress.h"
#include "report/build_report.h"

enum { STEPS_MAX = 1000, WARNINGS_MAX = 1000 };

static struct report_notes {
        pthread_mutex_t lock; // steps end in several threads
        json_t *steps, *warnings;
        char *before;
        int64_t started_ms;
} running = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void note_step(const struct progress *progress, int64_t now_ms) {
        pthread_mutex_lock(&running.lock);
        if (json_array_size(running.steps) < STEPS_MAX)
                json_array_append_new(running.steps, json_pack("{ss sI sI}", "step", progress->step, "began_ms",
                                                               (json_int_t)(progress->started_ms - running.started_ms),
                                                               "took_ms", (json_int_t)(now_ms - progress->started_ms)));
        pthread_mutex_unlock(&running.lock);
}

static void note_warning(const char *text) {
        pthread_mutex_lock(&running.lock);
        if (json_array_size(running.warnings) < WARNINGS_MAX)
                json_array_append_new(running.warnings, json_string(text));
        pthread_mutex_unlock(&running.lock);
}

static const struct progress_observer observer = { note_step, note_warning };

void report_notes_begin(const char *out, const char *cluster) {
        char target[PATH_MAX];
        auto_free char *current = xasprintf("%s/%s/current", out, cluster);
        ssize_t length = readlink(current, target, sizeof target - 1);
        running.steps = json_array();
        running.warnings = json_array();
        running.started_ms = monotonic_ms();
        if (length > 0)
                running.before = xstrndup(target, (size_t)length);
        progress_observe(&observer);
}

static int compare_beginnings(const void *left, const void *right) {
        json_int_t a = json_integer_value(json_object_get(*(json_t *const *)left, "began_ms"));
        json_int_t b = json_integer_value(json_object_get(*(json_t *const *)right, "began_ms"));
        return (a > b) - (a < b);
}

// They were written down as they ended.
static json_t *sort_steps(json_t *steps) {
        size_t count = json_array_size(steps);
        json_t *sorted = json_array();
        auto_free json_t **items = xcalloc(count + 1, sizeof(json_t *));
        for (size_t i = 0; i < count; i++)
                items[i] = json_array_get(steps, i);
        qsort(items, count, sizeof *items, compare_beginnings);
        for (size_t i = 0; i < count; i++)
                json_array_append(sorted, items[i]);
        json_decref(steps);
        return sorted;
}

json_t *report_notes_end(void) {
        progress_observe(NULL);
        pthread_mutex_lock(&running.lock);
        json_t *notes =
            json_pack("{si sI ss sI so so}", "format", 1, "made", (json_int_t)time(NULL), "before",
                      text_or(running.before, ""), "took_ms", (json_int_t)(monotonic_ms() - running.started_ms),
                      "steps", sort_steps(take_ptr(running.steps)), "warnings", take_ptr(running.warnings));
        free(take_ptr(running.before));
        pthread_mutex_unlock(&running.lock);
        return notes;
}
