// SPDX-License-Identifier: MIT
// node.variables.*: what a role says of all of its nodes (`default`), what the cluster file says of all nodes, and what
// it says of one. The nearer one holds, key by key; lists are whole.
#include <assert.h>

#include "profile/internal.h"

const struct value *variables_merge(struct arena *arena, const struct value *general, const struct value *special) {
        assert(arena);
        if (!general || general->type != VALUE_MAP || general->count == 0)
                return special;
        if (!special)
                return general;
        if (special->type != VALUE_MAP)
                return special;
        struct value *merged = value_map(arena);
        merged->place = special->place;
        for (size_t i = 0; i < general->count; i++)
                value_append_pair(arena, merged, general->keys[i], &general->key_places[i], general->items[i]);
        for (size_t i = 0; i < special->count; i++) {
                const struct value *below = value_get(general, special->keys[i]);
                const struct value *item = variables_merge(arena, below, special->items[i]);
                value_set(arena, merged, special->keys[i], (struct value *)item);
        }
        return merged;
}
