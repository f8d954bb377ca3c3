// SPDX-License-Identifier: MIT
// Which build a machine that boots is given: the one with which it began, to the end, whatever `current` names
// meanwhile. A pin holds its build open. Not safe for several threads.
#ifndef KILN_SERVE_PINS_H
#define KILN_SERVE_PINS_H

#include <stddef.h>
#include <stdint.h>

#include "serve/served_builds.h"

struct pin {
        uint32_t client; // IPv4 address
        struct served_build *build;
        int64_t seen_ms;
};

struct pins {
        struct pin *items;
        size_t count;
};

// The build of a client; NULL: it has none. Its use is noted.
struct served_build *pins_find(struct pins *pins, uint32_t client, int64_t now_ms);
// Gives a client a build, which is held.
void pins_put(struct pins *pins, struct served_builds *builds, uint32_t client, struct served_build *build,
              int64_t now_ms);
void pins_drop(struct pins *pins, struct served_builds *builds, uint32_t client); // no pin is fine
// Drops those that were not used for long: machines that were switched off, and people's browsers.
void pins_expire(struct pins *pins, struct served_builds *builds, int64_t now_ms);
void pins_release(struct pins *pins, struct served_builds *builds);

#endif
