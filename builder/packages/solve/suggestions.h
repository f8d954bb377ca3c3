// SPDX-License-Identifier: MIT
#ifndef KILN_PACKAGES_SOLVE_SUGGESTIONS_H
#define KILN_PACKAGES_SOLVE_SUGGESTIONS_H

// Up to three of the candidates that look most like `wanted`, as "a, b or c"; heap, NULL if none does.
struct suggestions;
struct suggestions *suggestions_new(const char *wanted);
void suggestions_consider(struct suggestions *nearest, const char *candidate);
char *suggestions_finish(struct suggestions *nearest); // and free it

#endif
