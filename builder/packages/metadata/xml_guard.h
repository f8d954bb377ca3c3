// SPDX-License-Identifier: MIT
// Keeps XML that would fill the memory away from a parser: expat and libsolv hold a whole tag, comment, declaration or
// text, and every element that is open, however large or many. This is no XML parser: what is not well-formed may pass,
// and the parser refuses it.
#ifndef KILN_PACKAGES_METADATA_XML_GUARD_H
#define KILN_PACKAGES_METADATA_XML_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
        XML_ELEMENT_MAX = 4 << 20, // bytes from one tag to the next
        XML_DEPTH_MAX = 64,
        XML_PACKAGES_MAX = 1000000,
};

enum xml_part {
        XML_TEXT,
        XML_OPEN, // behind a "<"
        XML_TAG,
        XML_BANG, // behind "<!"
        XML_COMMENT_OPEN,
        XML_COMMENT,
        XML_CDATA,
        XML_DECLARATION,
        XML_INSTRUCTION,
};

// Zeroed to begin with, but for the limit.
struct xml_guard {
        uint64_t max_bytes; // of the whole text
        uint64_t bytes, element_bytes, packages;
        int64_t depth;
        enum xml_part part;
        unsigned repeated; // "-", "]" or "?" before the end of a comment, CDATA section or instruction
        unsigned name_length;
        char name[8], quote, last;
};
// Looks at the next bytes. NULL: they may pass. Else what is wrong with the text, to say of it.
const char *xml_guard_check(struct xml_guard *guard, const char *bytes, size_t size);

#endif
