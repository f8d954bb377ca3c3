// SPDX-License-Identifier: MIT
#include "firmware/node/facts/text_json.h"

#include <assert.h>
#include <string.h>

#include "base/mistake.h"

json_t *facts_text_json(const char *text) {
        assert(text);
        json_t *json = json_string(text);
        if (json)
                return json;
        auto_buf shown = { 0 };
        mistake_printable(&shown, text, strlen(text));
        return json_string(buf_text(&shown));
}
