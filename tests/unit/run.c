// SPDX-License-Identifier: MIT
// A program that may take no longer is ended, whatever it does about it.
#include "base/run.h"

#include <string.h>

#include "tests/unit/test.h"

static void expect_late(const char *script) {
        const char *argv[] = { "sh", "-c", script, NULL };
        auto_buf output = { 0 };
        auto_err err = { 0 };
        EXPECT(!run(&(struct run){ .argv = argv, .output = &output, .limit_s = 1 }, &err) && err.kind == ERR_TOOL);
        EXPECT(err.text && strstr(err.text, "sh does not end within 1 s"));
}

static void one_that_takes_too_long_is_ended(void) { expect_late("exec sleep 60"); }

static void one_that_will_not_end_is_killed(void) { expect_late("trap '' TERM; while :; do sleep 1; done"); }

static void what_it_started_is_not_waited_for(void) { expect_late("sleep 8 & exit 0"); }

static void one_that_ends_in_time_is_left_alone(void) {
        const char *argv[] = { "sh", "-c", "cat; exit 3", NULL };
        auto_buf output = { 0 };
        int status = 0;
        EXPECT_OK(run(&(struct run){ .argv = argv,
                                     .input = "words",
                                     .input_size = strlen("words"),
                                     .output = &output,
                                     .ret_status = &status,
                                     .limit_s = 60 },
                      err));
        EXPECT(status == 3);
        EXPECT_TEXT(buf_text(&output), "words");
}

int main(void) {
        RUN(one_that_takes_too_long_is_ended);
        RUN(one_that_will_not_end_is_killed);
        RUN(what_it_started_is_not_waited_for);
        RUN(one_that_ends_in_time_is_left_alone);
        return test_done();
}
