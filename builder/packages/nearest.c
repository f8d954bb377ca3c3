#include <string.h>

#include "base/mem.h"
#include "packages/internal.h"

enum { SHOWN = 3, NAME_MAX_BYTES = 96 };

struct nearest {
        char *wanted;
        size_t limit;
        struct {
                char *name;
                size_t distance;
        } best[SHOWN];
};

struct nearest *nearest_new(const char *wanted) {
        struct nearest *nearest = xcalloc(1, sizeof *nearest);
        nearest->wanted = xstrdup(wanted);
        nearest->limit = strlen(wanted) / 3 + 1;
        return nearest;
}

static size_t least(size_t a, size_t b, size_t c) {
        size_t ab = a < b ? a : b;
        return ab < c ? ab : c;
}

// Levenshtein's distance in one row.
static size_t distance(const char *left, const char *right) {
        size_t row[NAME_MAX_BYTES + 1];
        size_t width = strlen(right);
        for (size_t i = 0; i <= width; i++)
                row[i] = i;
        for (size_t y = 1; left[y - 1]; y++) {
                size_t diagonal = row[0];
                row[0] = y;
                for (size_t x = 1; x <= width; x++) {
                        size_t above = row[x];
                        row[x] = least(above + 1, row[x - 1] + 1, diagonal + (left[y - 1] != right[x - 1]));
                        diagonal = above;
                }
        }
        return row[width];
}

static bool known(const struct nearest *nearest, const char *candidate) {
        for (size_t i = 0; i < SHOWN; i++)
                if (nearest->best[i].name && strcmp(nearest->best[i].name, candidate) == 0)
                        return true;
        return false;
}

void nearest_consider(struct nearest *nearest, const char *candidate) {
        size_t wanted = strlen(nearest->wanted);
        size_t size = strlen(candidate);
        if (size > NAME_MAX_BYTES || wanted == 0 || known(nearest, candidate))
                return;
        size_t far = size > wanted ? size - wanted : wanted - size;
        size_t away = far <= nearest->limit ? distance(nearest->wanted, candidate) : SIZE_MAX;
        // A longer name that holds the whole word is worth showing when nothing is closer.
        if (away > nearest->limit && wanted >= 3 && strstr(candidate, nearest->wanted))
                away = nearest->limit + far;
        else if (away > nearest->limit)
                return;
        char *name = xstrdup(candidate);
        for (size_t i = 0; i < SHOWN; i++) {
                bool better = !nearest->best[i].name || away < nearest->best[i].distance;
                if (!better)
                        continue;
                char *moved = nearest->best[i].name;
                size_t moved_distance = nearest->best[i].distance;
                nearest->best[i].name = name;
                nearest->best[i].distance = away;
                name = moved;
                away = moved_distance;
        }
        free(name);
}

char *nearest_finish(struct nearest *nearest) {
        char *text = NULL;
        for (size_t i = SHOWN; i-- > 0;) {
                if (!nearest->best[i].name)
                        continue;
                const char *joint = text && strstr(text, " or ") ? ", " : " or ";
                char *longer =
                    text ? xasprintf("%s%s%s", nearest->best[i].name, joint, text) : xstrdup(nearest->best[i].name);
                free(text);
                text = longer;
                free(nearest->best[i].name);
        }
        free(nearest->wanted);
        free(nearest);
        return text;
}
