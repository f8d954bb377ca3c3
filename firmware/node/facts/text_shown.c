// SPDX-License-Identifier: MIT
#include "firmware/node/facts/text_shown.h"

#include <assert.h>
#include <string.h>

#include "base/mistake.h"

#define INDENT "    "

void facts_append_shown(struct buf *ret, const char *text) {
        assert(text);
        for (;;) {
                size_t size = strcspn(text, "\n");
                mistake_printable(ret, text, size);
                text += size;
                if (*text == '\0')
                        return;
                text++;
                buf_append_char(ret, '\n');
                bool is_indented = strncmp(text, INDENT, sizeof INDENT - 1) == 0;
                if (!is_indented)
                        buf_append_text(ret, INDENT);
        }
}
