// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "profile/checks/checks.h"

static int compare_once(const void *left, const void *right) {
        const struct once *a = left, *b = right;
        int order = strcmp(a->key, b->key);
        if (order)
                return order;
        if (a->place->line != b->place->line)
                return a->place->line - b->place->line;
        return a->place->column - b->place->column;
}

const char *number_key(struct arena *arena, int number) {
        if (number == 0)
                return "";
        return arena_printf(arena, "%d", number);
}

void check_once(struct loader *loader, const char *what, struct once *entries, size_t count) {
        if (count > 0)
                qsort(entries, count, sizeof *entries, compare_once);
        for (size_t i = 1, first = 0; i < count; i++) {
                if (strcmp(entries[i].key, entries[first].key) != 0) {
                        first = i;
                        continue;
                }
                if (!entries[i].key[0])
                        continue;
                report(loader->diagnostics, ERR_DUPLICATE, entries[i].place, "duplicate %s `%s`", what, entries[i].key);
                report_hint(loader->diagnostics, "it is given first at %s",
                            place_text(loader->arena, entries[first].place));
        }
}

const struct place *place_in_row(const struct value *row, const char *key, const char *item) {
        const struct value *value = value_get(row, key);
        for (size_t i = 0; value->type == VALUE_LIST && i < value->count; i++)
                if (value->items[i]->text == item)
                        return &value->items[i]->place;
        return &value->place;
}
