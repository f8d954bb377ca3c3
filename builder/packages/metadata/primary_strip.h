// SPDX-License-Identifier: MIT
// Primary.xml without what no solver reads.
#ifndef KILN_PACKAGES_METADATA_PRIMARY_STRIP_H
#define KILN_PACKAGES_METADATA_PRIMARY_STRIP_H

#include <stdbool.h>
#include <stddef.h>

enum { PROSE_WINDOW = 256 << 10 };
struct prose { // zeroed to begin with
        bool begun, after_dropped;
        bool given_up; // everything passes
};
// Works on a part of the text in place: returns how many bytes are left of the first `ret_used`; the others must be
// brought again in front of what follows. `more`: something follows.
size_t prose_remove(struct prose *prose, char *bytes, size_t size, bool more, size_t *ret_used);

#endif
