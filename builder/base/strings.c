// SPDX-License-Identifier: MIT
#include "base/strings.h"

#include <stdlib.h>
#include <string.h>

bool strings_have(const struct strings *strings, const char *text) {
        for (size_t i = 0; i < strings->count; i++)
                if (strcmp(strings->items[i], text) == 0)
                        return true;
        return false;
}

void strings_add_once(struct arena *arena, struct strings *strings, const char *text) {
        if (strings_have(strings, text))
                return;
        strings->items = arena_grow(arena, strings->items, strings->count, sizeof *strings->items);
        strings->items[strings->count++] = text;
}

void strings_remove(struct strings *strings, const char *text) {
        size_t kept = 0;
        for (size_t i = 0; i < strings->count; i++)
                if (strcmp(strings->items[i], text) != 0)
                        strings->items[kept++] = strings->items[i];
        strings->count = kept;
}

static int compare_strings(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

void strings_sort(struct strings *strings) {
        if (strings->count > 0) // qsort(3) does not take NULL
                qsort(strings->items, strings->count, sizeof *strings->items, compare_strings);
}
