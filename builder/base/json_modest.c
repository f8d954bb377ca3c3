// SPDX-License-Identifier: MIT
#include "base/json_modest.h"

#include <assert.h>

// Each value but the first follows a comma, a colon or a bracket.
bool json_is_modest(const char *text, size_t size, size_t values_max, size_t depth_max) {
        size_t values = 1, depth = 0;
        bool in_string = false;
        assert(text);
        for (size_t i = 0; i < size; i++) {
                char byte = text[i];
                if (byte == '"')
                        in_string = !in_string;
                if (in_string && byte == '\\')
                        i++;
                if (in_string)
                        continue;
                bool opens = byte == '{' || byte == '[', closes = byte == '}' || byte == ']';
                values += opens || byte == ',' || byte == ':';
                if (closes && depth == 0)
                        return true; // who parses it stops here: it is no JSON
                depth += opens;
                depth -= closes;
                if (depth > depth_max || values > values_max)
                        return false;
        }
        return true;
}
