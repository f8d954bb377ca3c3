// SPDX-License-Identifier: MIT
// Names of units: systemd.unit(5), "getty@tty1.service" is the instance tty1 of the template getty@.service.
#include <string.h>

#include "base/mem.h"
#include "configure/unit.h"

const char *unit_base_name(const char *path) {
        const char *slash = strrchr(path, '/');
        return slash ? slash + 1 : path;
}

bool unit_is_template(const char *name) {
        const char *at = strchr(name, '@');
        return at && at[1] == '.';
}

char *unit_template_of(const char *name) {
        const char *at = strchr(name, '@'), *dot = strrchr(name, '.');
        bool has_instance = at && dot && dot > at + 1;
        if (!has_instance)
                return NULL;
        return xasprintf("%.*s%s", (int)(at + 1 - name), name, dot);
}

char *unit_next_word(const char **words) {
        *words += strspn(*words, " ");
        size_t length = strcspn(*words, " ");
        if (length == 0)
                return NULL;
        char *word = xstrndup(*words, length);
        *words += length;
        if (**words == ' ')
                ++*words;
        return word;
}
