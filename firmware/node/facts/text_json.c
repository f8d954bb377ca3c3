// SPDX-License-Identifier: MIT
#include "firmware/node/facts/text_json.h"

#include <assert.h>

json_t *facts_text_json(const char *text) {
        assert(text);
        json_t *json = json_string(text);
        if (!json)
                json = json_string("(not UTF-8)");
        return json;
}
