// SPDX-License-Identifier: MIT
// What of long work is written where nobody watches, and what programs read. A terminal is in tests/answers.
#include "base/progress.h"

#include <jansson.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/colour.h"
#include "base/mem.h"
#include "tests/unit/test.h"

// Standard error between these two calls goes to a file.
static int kept_stderr;
static FILE *written;

static void listen_to(enum progress_mode mode) {
        written = tmpfile();
        kept_stderr = dup(STDERR_FILENO);
        dup2(fileno(written), STDERR_FILENO);
        progress_setup(mode);
}

static char *heard(void) {
        static char text[4096];
        dup2(kept_stderr, STDERR_FILENO);
        close(kept_stderr);
        rewind(written);
        text[fread(text, 1, sizeof text - 1, written)] = '\0';
        fclose(written);
        progress_setup(PROGRESS_QUIET);
        return text;
}

static void do_step(bool is_done) {
        struct progress progress;
        progress_begin(&progress, "install master", "packages", 10);
        progress_add(&progress, 4);
        progress_end(&progress, is_done);
}

static void a_step_is_a_line(void) {
        listen_to(PROGRESS_PLAIN);
        do_step(true);
        EXPECT_TEXT(heard(), "install master: 0.0 s\n");
        listen_to(PROGRESS_VERBOSE);
        do_step(true);
        EXPECT_TEXT(heard(), "install master ...\ninstall master: 0.0 s\n");
        listen_to(PROGRESS_QUIET);
        do_step(true);
        do_step(false);
        EXPECT_TEXT(heard(), "");
}

static void what_failed_claims_no_time(void) {
        listen_to(PROGRESS_PLAIN);
        do_step(false);
        EXPECT_TEXT(heard(), "install master: failed\n");
        listen_to(PROGRESS_JSON);
        do_step(false);
        EXPECT(strstr(heard(), "\"event\":\"end\"") != NULL);
}

// As if it had begun, and been shown, so long ago.
static void grow_old(struct progress *progress, int64_t ms) {
        progress->started_ms -= ms;
        progress->shown_ms -= ms;
}

static void long_work_says_that_it_goes_on(void) {
        struct progress progress;
        listen_to(PROGRESS_PLAIN);
        progress_begin(&progress, "download", "bytes", 400000000);
        progress_add(&progress, 50000000);
        grow_old(&progress, 100000);
        progress_add(&progress, 50000000);
        progress_add(&progress, 1);
        EXPECT_TEXT(heard(), "download: 100 of 400 MB, 25%, 1 min 40 s, 1.0 MB/s, 5 min 0 s left\n");
        listen_to(PROGRESS_PLAIN);
        progress_begin(&progress, "pack master", "bytes", 0);
        grow_old(&progress, 40000);
        progress_add(&progress, 50000000);
        EXPECT_TEXT(heard(), "pack master: 40 s\n"); // of no total nothing is left
        listen_to(PROGRESS_PLAIN);
        progress_begin(&progress, "download", "bytes", 10);
        grow_old(&progress, 40000);
        progress_add(&progress, 20); // what is fetched again counts twice
        EXPECT_TEXT(heard(), "download: 0 of 0 MB, 100%, 40 s, 0.0 MB/s, 0 s left\n");
}

static void events_have_times(void) {
        struct progress progress;
        static const char *const names[] = { "begin", "progress", "end" };
        listen_to(PROGRESS_JSON);
        progress_begin(&progress, "install \"ü\"", "packages", 10);
        grow_old(&progress, 2000);
        progress_add(&progress, 5);
        progress_end(&progress, true);
        char *next = heard();
        for (size_t i = 0; i < lengthof(names); i++) {
                json_t *event = json_loads(next, JSON_DISABLE_EOF_CHECK, NULL);
                EXPECT_TEXT(json_string_value(json_object_get(event, "event")), names[i]);
                EXPECT(json_integer_value(json_object_get(event, "at_ms")) > 1500000000000);
                EXPECT(json_integer_value(json_object_get(event, "elapsed_ms")) >= (i > 0 ? 2000 : 0));
                json_int_t left = json_integer_value(json_object_get(event, "left_ms"));
                EXPECT(i == 1 ? left >= 1900 && left < 60000 : left == 0);
                json_decref(event);
                next = strchr(next, '\n') + 1;
        }
        EXPECT_TEXT(next, "");
}

static void states_are_coloured_as_words(void) {
        auto_buf text = { 0 };
        colour_append_states(&text, "c: healthy (1)\nunhealthy currently\n !! x: not serving");
        EXPECT_TEXT(buf_text(&text), "c: \033[32mhealthy\033[0m (1)\nunhealthy currently\n \033[31m!!\033[0m x: "
                                     "\033[31mnot serving\033[0m");
}

int main(void) {
        RUN(a_step_is_a_line);
        RUN(what_failed_claims_no_time);
        RUN(long_work_says_that_it_goes_on);
        RUN(events_have_times);
        RUN(states_are_coloured_as_words);
        return test_done();
}
