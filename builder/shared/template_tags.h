// SPDX-License-Identifier: MIT
// A template as it was split: for template.c and template_parse.c alone.
#ifndef KILN_SHARED_TEMPLATE_TAGS_H
#define KILN_SHARED_TEMPLATE_TAGS_H

#include <string.h>

#include "shared/template.h"

enum tag_kind { TAG_TEXT, TAG_VARIABLE, TAG_SECTION, TAG_INVERTED, TAG_END, TAG_COMMENT };

struct tag {
        enum tag_kind kind;
        const char *raw, *name; // slices of the text; raw includes the line's blanks and newline if standalone
        size_t raw_size, name_size;
        size_t offset;    // of "{{"
        size_t bare_size; // of the tag alone, from `offset`
        bool standalone;
        size_t end; // SECTION, INVERTED: index of their END
};

struct template {
        const char *name, *text;
        size_t size;
        struct tag *tags;
        size_t count;
        template_mistake *unknown; // NULL: one ends the rendering
        void *context;
};

static inline bool is_blank_or_tab(char byte) { return byte == ' ' || byte == '\t'; }

static inline bool same_name(const struct tag *a, const struct tag *b) {
        return a->name_size == b->name_size && memcmp(a->name, b->name, a->name_size) == 0;
}

#endif
