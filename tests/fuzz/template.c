// SPDX-License-Identifier: MIT
// Fuzz target: templates. Rendering must end; what the build leaves for the node must be a template that parses; and
// where nothing is left, both ways of rendering agree.
//     clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ibuilder -I. tests/fuzz/template.c
//         builder/profile/{template,value,mistake}.c builder/base/{buf,err,mem}.c && ./a.out tests/fuzz/template.corpus
// tests/unit/profile_fuzz.c replays the corpus on every run.
#include <stdint.h>
#include <string.h>

#include "shared/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_OUTPUT_MAX = 1 << 16 };

static struct value *fuzz_list(struct arena *arena, const char *key) {
        static const char *const texts[] = { "x", "{", "" };
        struct value *list = value_list(arena);
        for (size_t i = 0; i < lengthof(texts); i++) {
                struct value *item = value_map(arena);
                value_set(arena, item, key, value_scalar(arena, texts[i]));
                value_append(arena, list, item);
        }
        return list;
}

static struct value *fuzz_scope(struct arena *arena) {
        struct value *scope = value_map(arena), *map = value_map(arena);
        value_set(arena, map, "b", value_scalar(arena, "B"));
        value_set(arena, map, "l", fuzz_list(arena, "n"));
        value_set(arena, scope, "a", map);
        value_set(arena, scope, "t", value_scalar(arena, "text\n"));
        value_set(arena, scope, "f", value_bool(arena, false));
        value_set(arena, scope, "l", fuzz_list(arena, "node"));
        return scope;
}

static struct value *fuzz_node(struct arena *arena) {
        struct value *node = value_map(arena), *scope = value_map(arena);
        value_set(arena, node, "x", fuzz_list(arena, "q"));
        value_set(arena, node, "ip", value_scalar(arena, "1.2.3.4\n "));
        value_set(arena, node, "no", value_bool(arena, false));
        value_set(arena, scope, "node", node);
        return scope;
}

// What is left may name things that only some nodes have, but it must parse, and say what one rendering says.
static void check_left(const struct buf *left, struct arena *arena, struct value *scope, const uint8_t *data,
                       size_t size) {
        static const char *const fine[] = { "unknown variable", " is a ", "too much text" };
        struct err err = { 0 };
        struct buf two = { .max = FUZZ_OUTPUT_MAX }, one = { .max = FUZZ_OUTPUT_MAX };
        struct value *node = fuzz_node(arena);
        bool ok = template_render("t", buf_text(left), left->size, node, NULL, &two, NULL, &err), known = ok;
        for (size_t i = 0; !known && i < lengthof(fine); i++)
                known = strstr(err.text, fine[i]) != NULL;
        value_set(arena, scope, "node", value_get(node, "node"));
        bool whole = template_render("t", (const char *)data, size, scope, NULL, &one, NULL, &err);
        if (!known || (ok && whole && (one.size != two.size || memcmp(buf_text(&one), buf_text(&two), one.size) != 0)))
                abort();
        err_release(&err);
        buf_release(&two);
        buf_release(&one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct arena arena = { 0 };
        struct value *scope = fuzz_scope(&arena);
        struct buf left = { .max = FUZZ_OUTPUT_MAX }, whole = { .max = FUZZ_OUTPUT_MAX };
        struct err err = { 0 };
        bool kept = false;
        bool first = template_render("t", (const char *)data, size, scope, "node", &left, &kept, &err);
        bool second = template_render("t", (const char *)data, size, scope, NULL, &whole, NULL, &err);
        if (first && !kept &&
            (!second || left.size != whole.size || memcmp(buf_text(&left), buf_text(&whole), left.size) != 0))
                abort();
        if (first && kept)
                check_left(&left, &arena, scope, data, size);
        err_release(&err);
        buf_release(&left);
        buf_release(&whole);
        arena_release(&arena);
        return 0;
}
