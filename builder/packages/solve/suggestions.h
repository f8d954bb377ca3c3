// SPDX-License-Identifier: MIT
// "Did you mean": the known names that look most like one that is not.
#ifndef KILN_PACKAGES_SOLVE_SUGGESTIONS_H
#define KILN_PACKAGES_SOLVE_SUGGESTIONS_H

struct suggestions;
struct suggestions *suggestions_new(const char *wanted);
void suggestions_consider(struct suggestions *nearest, const char *candidate);
// Up to three of the candidates, as "a, b or c"; heap; NULL: none is near. Frees the suggestions.
char *suggestions_finish(struct suggestions *nearest);

#endif
