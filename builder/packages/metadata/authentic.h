// SPDX-License-Identifier: MIT
// Whether anything vouches for what a repository says.
#ifndef KILN_PACKAGES_METADATA_AUTHENTIC_H
#define KILN_PACKAGES_METADATA_AUTHENTIC_H

struct source;

// Warns of a repository whose metadata anybody on the way could have written, and says what helps.
void authentic_warn(const struct source *source);

#endif
