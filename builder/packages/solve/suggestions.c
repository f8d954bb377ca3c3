// SPDX-License-Identifier: MIT
#include "packages/solve/suggestions.h"

#include <string.h>

#include "base/mem.h"
#include "base/mistake.h"

enum { SHOWN = 3 };

struct suggestions {
        char *wanted;
        size_t limit;
        struct {
                char *name;
                size_t distance;
        } best[SHOWN];
};

struct suggestions *suggestions_new(const char *wanted) {
        struct suggestions *suggestions = xcalloc(1, sizeof *suggestions);
        suggestions->wanted = xstrdup(wanted);
        suggestions->limit = strlen(wanted) / 3 + 1;
        return suggestions;
}

static bool is_suggested(const struct suggestions *suggestions, const char *candidate) {
        for (size_t i = 0; i < SHOWN; i++)
                if (suggestions->best[i].name && strcmp(suggestions->best[i].name, candidate) == 0)
                        return true;
        return false;
}

void suggestions_consider(struct suggestions *suggestions, const char *candidate) {
        size_t wanted = strlen(suggestions->wanted);
        size_t size = strlen(candidate);
        if (wanted == 0 || is_suggested(suggestions, candidate))
                return;
        size_t longer = 0, away = SIZE_MAX;
        if (size > wanted)
                longer = size - wanted;
        if (longer <= suggestions->limit && wanted <= size + suggestions->limit)
                away = mistake_distance(suggestions->wanted, candidate);
        // A longer name that holds the whole word is worth showing when nothing is closer.
        if (away > suggestions->limit && wanted >= 3 && strstr(candidate, suggestions->wanted))
                away = suggestions->limit + longer;
        else if (away > suggestions->limit)
                return;
        char *name = xstrdup(candidate);
        for (size_t i = 0; i < SHOWN; i++) {
                bool better = !suggestions->best[i].name || away < suggestions->best[i].distance;
                if (!better)
                        continue;
                char *moved = suggestions->best[i].name;
                size_t moved_distance = suggestions->best[i].distance;
                suggestions->best[i].name = name;
                suggestions->best[i].distance = away;
                name = moved;
                away = moved_distance;
        }
        free(name);
}

// "a, b or c", built from its end.
static char *prepend_name(const char *name, const char *text) {
        if (!text)
                return xstrdup(name);
        if (strstr(text, " or "))
                return xasprintf("%s, %s", name, text);
        return xasprintf("%s or %s", name, text);
}

char *suggestions_finish(struct suggestions *suggestions) {
        char *text = NULL;
        for (size_t i = SHOWN; i-- > 0;) {
                if (!suggestions->best[i].name)
                        continue;
                char *longer = prepend_name(suggestions->best[i].name, text);
                free(text);
                text = longer;
                free(suggestions->best[i].name);
        }
        free(suggestions->wanted);
        free(suggestions);
        return text;
}
