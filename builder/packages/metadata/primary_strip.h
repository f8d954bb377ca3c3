// SPDX-License-Identifier: MIT
// primary.xml without what neither the solver nor a bill of materials reads. Summaries, descriptions and the like are a
// quarter of it and the indentation a tenth; libsolv would parse them only for kiln to forget them.
#ifndef KILN_PACKAGES_METADATA_PRIMARY_STRIP_H
#define KILN_PACKAGES_METADATA_PRIMARY_STRIP_H

#include <stdbool.h>
#include <stddef.h>

enum { STRIP_WINDOW = 256 << 10 };

// What is known from the text so far; zeroed to begin with.
struct strip {
        bool begun, after_dropped;
        bool given_up; // everything passes
};
// Works in place on the next part of the text, at most STRIP_WINDOW bytes: returns how many bytes are left of the first
// `ret_used`; the others must be brought again in front of what follows. `more`: something follows.
size_t primary_strip(struct strip *strip, char *bytes, size_t size, bool more, size_t *ret_used);

#endif
