// SPDX-License-Identifier: MIT
// What is different between two builds (build_recipe.h), in sentences for people. The functions append to an array of
// texts, none of them twice; nothing is appended where nothing is different.
#ifndef KILN_BUILD_RECIPE_REASONS_H
#define KILN_BUILD_RECIPE_REASONS_H

#include <jansson.h>
#include <stdbool.h>

// Of a step that both have.
void recipe_step_reasons(const json_t *before, const json_t *now, const char *step, json_t *reasons);
// Of a role's configuration layer: its files, its settings, and those of the cluster.
void recipe_configuration_reasons(const json_t *before, const json_t *now, const char *role, json_t *reasons);
// Of the whole build.
void recipe_build_reasons(const json_t *before, const json_t *now, json_t *reasons);

// The value of the first line of a step's inputs that begins with the word; NULL: there is none. Heap.
char *recipe_input(const json_t *recipe, const char *step, const char *word);
// Whether two steps of a recipe have the same inputs, as far as they are known.
bool recipe_inputs_are_same(const json_t *recipe, const char *step, const char *other);
// Whether a step has the same inputs in both, as far as they are known.
bool recipe_step_is_same(const json_t *before, const json_t *now, const char *step);

#endif
