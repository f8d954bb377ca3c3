// SPDX-License-Identifier: MIT
// rack/rack_machine: how far a machine is, by what kiln serve and its own services say.
#include "rack/rack_machine.h"

#include <jansson.h>

#include "base/err.h"
#include "tests/unit/test.h"

enum { ON_MS = 5000 };

static struct rack_machine machine_that_is_on(void) {
        return (struct rack_machine){ .power = RACK_ON, .on_ms = ON_MS, .stage = "on" };
}

static void learn(struct rack_machine *machine, const char *text) {
        json_t *known = json_loads(text, 0, NULL);
        EXPECT(known != NULL);
        (void)rack_machine_learn(machine, known);
        json_decref(known);
}

// Who answered before its power was cut is not up because of that.
static void answers_of_the_boot_before_count_for_nothing(void) {
        struct rack_machine machine = machine_that_is_on();
        learn(&machine, "{\"answers\": \"all\"}");
        EXPECT_TEXT(machine.stage, "on");
        learn(&machine, "{\"answers\": \"all\", \"stage\": \"healthy\", \"started\": 4000}");
        EXPECT_TEXT(machine.stage, "on");
        EXPECT(machine.attempt_ms == 0);
}

static void answers_of_this_boot_say_how_it_is(void) {
        struct rack_machine machine = machine_that_is_on();
        learn(&machine, "{\"answers\": \"none\", \"stage\": \"kernel\", \"started\": 6000}");
        EXPECT_TEXT(machine.stage, "kernel");
        learn(&machine, "{\"answers\": \"some\", \"stage\": \"kernel\", \"started\": 6000}");
        EXPECT_TEXT(machine.stage, "services");
        learn(&machine, "{\"answers\": \"all\", \"stage\": \"kernel\", \"started\": 6000}");
        EXPECT_TEXT(machine.stage, "healthy");
        learn(&machine, "{\"answers\": \"none\", \"stage\": \"kernel\", \"started\": 6000}");
        EXPECT_TEXT(machine.stage, "silent");
}

int main(void) {
        RUN(answers_of_the_boot_before_count_for_nothing);
        RUN(answers_of_this_boot_say_how_it_is);
        return test_done();
}
