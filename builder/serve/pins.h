// SPDX-License-Identifier: MIT
// Which build a machine that boots is given: the one with which it began, to the end, whatever `current` names
// meanwhile. A pin holds its build open, so that it is not removed. Machines that are given another build now are done
// with an older one after PINS_HELD_MS at the latest: by then nobody's requests keep it any more. Not safe for several
// threads.
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

// A build that machines are not given any more, or that somebody asked for who was not given it.
struct retired_build {
        char id[SERVED_ID_SIZE];
        int64_t since_ms;
};

struct pins {
        struct pin *items; // sorted by client
        size_t count;
        struct retired_build *retired;
        size_t retired_count;
        char wanted[SERVED_ID_SIZE]; // what machines are given
};

enum { PINS_HELD_MS = 4 * 3600 * 1000 };

// The build of a client; NULL: it has none. Its use is noted.
struct served_build *pins_find(struct pins *pins, uint32_t client, int64_t now_ms);
// Gives a client a build, which is held; unless it has been retired for too long.
void pins_put(struct pins *pins, struct served_builds *builds, uint32_t client, struct served_build *build,
              int64_t now_ms);
// From now on machines are given `wanted`, and `before` no more; NULL: there was none.
void pins_switch(struct pins *pins, const struct served_build *before, const struct served_build *wanted,
                 int64_t now_ms);
// A client begins anew, as is heard a little late: a pin that has just been used is of this boot already.
void pins_begin(struct pins *pins, struct served_builds *builds, uint32_t client, int64_t now_ms);
void pins_drop(struct pins *pins, struct served_builds *builds, uint32_t client); // no pin is fine
// Drops those that were not used for long: machines that were switched off, and people's browsers.
void pins_expire(struct pins *pins, struct served_builds *builds, int64_t now_ms);
void pins_release(struct pins *pins, struct served_builds *builds);

#endif
