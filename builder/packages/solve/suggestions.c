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

static bool known(const struct suggestions *suggestions, const char *candidate) {
        for (size_t i = 0; i < SHOWN; i++)
                if (suggestions->best[i].name && strcmp(suggestions->best[i].name, candidate) == 0)
                        return true;
        return false;
}

void suggestions_consider(struct suggestions *suggestions, const char *candidate) {
        size_t wanted = strlen(suggestions->wanted);
        size_t size = strlen(candidate);
        if (wanted == 0 || known(suggestions, candidate))
                return;
        size_t far = size > wanted ? size - wanted : wanted - size;
        size_t away = far <= suggestions->limit ? mistake_distance(suggestions->wanted, candidate) : SIZE_MAX;
        // A longer name that holds the whole word is worth showing when nothing is closer.
        if (away > suggestions->limit && wanted >= 3 && strstr(candidate, suggestions->wanted))
                away = suggestions->limit + far;
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

char *suggestions_finish(struct suggestions *suggestions) {
        char *text = NULL;
        for (size_t i = SHOWN; i-- > 0;) {
                if (!suggestions->best[i].name)
                        continue;
                const char *joint = text && strstr(text, " or ") ? ", " : " or ";
                char *longer = text ? xasprintf("%s%s%s", suggestions->best[i].name, joint, text)
                                    : xstrdup(suggestions->best[i].name);
                free(text);
                text = longer;
                free(suggestions->best[i].name);
        }
        free(suggestions->wanted);
        free(suggestions);
        return text;
}
