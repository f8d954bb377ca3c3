// SPDX-License-Identifier: MIT
// The packages: a treemap of boxes in boxes, the outer ones by which roles have the packages, and a table of all.
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/internal.h"
#include "report/treemap.h"

enum { MAP_WIDTH = 1200, MAP_HEIGHT = 640, SETS_MAX = 24, COLOURS = 8, TITLE_HEIGHT = 18, LINE_HEIGHT = 15 };
static const double character_width = 6.6, gap = 2;

// Packages that the same roles have.
struct package_set_box {
        const char *roles;
        size_t *packages; // indexes, heap; the largest first
        size_t count, role_count;
        double size;
};

struct package_map {
        const struct report_data *data;
        struct package_set_box *sets; // the largest first
        size_t count;
        struct buf *to;
};

static struct package_set_box *find_set(struct package_map *map, const struct report_package *package) {
        for (size_t i = 0; i < map->count; i++)
                if (strcmp(map->sets[i].roles, package->roles) == 0)
                        return &map->sets[i];
        // Many roles make many sets: those that come late share the last one.
        if (map->count == SETS_MAX) {
                map->sets[SETS_MAX - 1].roles = "other roles";
                return &map->sets[SETS_MAX - 1];
        }
        struct package_set_box *set = array_append(&map->sets, &map->count);
        *set = (struct package_set_box){ .roles = package->roles, .role_count = package->role_count };
        return set;
}

static int larger_set_first(const void *left, const void *right) {
        const struct package_set_box *a = left, *b = right;
        if (a->size != b->size)
                return (a->size < b->size) - (a->size > b->size);
        return strcmp(a->roles, b->roles);
}

static void collect_sets(struct package_map *map) {
        for (size_t i = 0; i < map->data->package_count; i++) {
                const struct report_package *package = &map->data->packages[i];
                struct package_set_box *set = find_set(map, package);
                *array_append(&set->packages, &set->count) = i;
                set->size += (double)package->size_bytes;
        }
        if (map->count > 0)
                qsort(map->sets, map->count, sizeof *map->sets, larger_set_first);
}

// ---- the picture ----

static const char *state_word(const struct report_package *package) {
        if (package->is_new)
                return "new";
        if (package->is_changed)
                return "changed";
        return "";
}

static const char *state_sign(const struct report_package *package) {
        if (package->is_new)
                return "+ ";
        if (package->is_changed)
                return "↻ ";
        return "";
}

static const char *version_of(const struct report_package *package) {
        const char *nevra = member_text(package->package, "nevra");
        size_t length = strlen(package->name);
        if (strncmp(nevra, package->name, length) == 0 && nevra[length] == '-')
                return nevra + length + 1;
        return nevra;
}

static void draw_label(const struct report_package *package, const struct treemap_place *place, struct buf *to) {
        auto_free char *label = xasprintf("%s%s", state_sign(package), package->name);
        auto_free char *size = html_size(package->size_bytes);
        double room = place->width - 2 * gap;
        if (room < 3 * character_width || place->height < LINE_HEIGHT)
                return;
        buf_printf(to, "<text x=\"%.1f\" y=\"%.1f\">", place->x + 2 * gap, place->y + LINE_HEIGHT - 2);
        html_text_cut(to, label, (size_t)(room / character_width));
        buf_append_text(to, "</text>");
        if (place->height < 2 * LINE_HEIGHT || room < character_width * (double)strlen(size))
                return;
        buf_printf(to, "<text class=\"small\" x=\"%.1f\" y=\"%.1f\">", place->x + 2 * gap,
                   place->y + 2 * LINE_HEIGHT - 2);
        html_text(to, size);
        buf_append_text(to, "</text>");
}

static void draw_package(const struct report_package *package, const struct treemap_place *place, size_t colour,
                         struct buf *to) {
        auto_free char *size = html_size(package->size_bytes);
        const char *word = state_word(package), *fresh = "";
        if (place->width <= 0 || place->height <= 0)
                return;
        if (*word)
                fresh = " fresh";
        html_format(to, "<g><title>%s %s: %s; %s", package->name, version_of(package), size, package->roles);
        if (*word)
                html_format(to, "; %s", word);
        buf_printf(to, "</title><rect class=\"p g%zu%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                   colour % COLOURS, fresh, place->x, place->y, place->width, place->height);
        draw_label(package, place, to);
        buf_append_text(to, "</g>\n");
}

static char *set_title(const struct package_map *map, const struct package_set_box *set) {
        auto_free char *size = html_size((int64_t)set->size);
        if (map->data->role_count > 1 && set->role_count == map->data->role_count)
                return xasprintf("all roles: %s", size);
        return xasprintf("%s: %s", set->roles, size);
}

static void draw_set(const struct package_map *map, size_t index, const struct treemap_place *outer) {
        const struct package_set_box *set = &map->sets[index];
        struct buf *to = map->to;
        struct treemap_place inner = { outer->x + gap, outer->y + gap, outer->width - 2 * gap,
                                       outer->height - 2 * gap };
        if (inner.width <= 0 || inner.height <= 0)
                return;
        auto_free char *title = set_title(map, set);
        if (inner.height > 3 * TITLE_HEIGHT && inner.width > 4 * character_width) {
                buf_printf(to, "<text class=\"bold\" x=\"%.1f\" y=\"%.1f\">", inner.x + gap,
                           inner.y + TITLE_HEIGHT - 5);
                html_text_cut(to, title, (size_t)((inner.width - 2 * gap) / (character_width + 0.6)));
                buf_append_text(to, "</text>\n");
                inner.y += TITLE_HEIGHT;
                inner.height -= TITLE_HEIGHT;
        }
        auto_free double *sizes = xcalloc(set->count + 1, sizeof *sizes);
        auto_free struct treemap_place *places = xcalloc(set->count + 1, sizeof *places);
        for (size_t i = 0; i < set->count; i++)
                sizes[i] = (double)map->data->packages[set->packages[i]].size_bytes;
        treemap_layout(sizes, set->count, &inner, places);
        for (size_t i = 0; i < set->count; i++)
                draw_package(&map->data->packages[set->packages[i]], &places[i], index, to);
        html_format(to, "<g><title>%s</title>", title);
        buf_printf(to, "<rect class=\"set\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/></g>\n", outer->x + 1,
                   outer->y + 1, outer->width - 2, outer->height - 2);
}

static void draw_map(struct package_map *map) {
        const struct treemap_place all = { 0, 0, MAP_WIDTH, MAP_HEIGHT };
        auto_free double *sizes = xcalloc(map->count + 1, sizeof *sizes);
        auto_free struct treemap_place *places = xcalloc(map->count + 1, sizeof *places);
        for (size_t i = 0; i < map->count; i++)
                sizes[i] = map->sets[i].size;
        treemap_layout(sizes, map->count, &all, places);
        buf_printf(
            map->to,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Picture of the packages\">"
            "<svg role=\"img\" aria-label=\"Treemap of the packages by installed size; the table below it has the "
            "same in words\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n",
            MAP_WIDTH, MAP_HEIGHT, MAP_WIDTH, MAP_HEIGHT);
        for (size_t i = 0; i < map->count; i++)
                draw_set(map, i, &places[i]);
        buf_append_text(map->to, "</svg></div>\n");
}

// ---- the table ----

static void list_packages_of_all(const struct report_data *data, struct buf *to) {
        auto_free char *count = html_count(data->package_count, "package");
        html_format(to, "<details><summary>%s as a table, the largest first</summary>", count);
        buf_append_text(to, "<div class=\"long\" tabindex=\"0\" role=\"region\" aria-label=\"Table of the packages\">"
                            "<table><thead><tr><th scope=\"col\">package<th scope=\"col\">version"
                            "<th scope=\"col\" class=\"n\">installed<th scope=\"col\">roles<th scope=\"col\">repository"
                            "<th scope=\"col\">since the build before</tr></thead><tbody>\n");
        for (size_t i = 0; i < data->package_count; i++) {
                const struct report_package *package = &data->packages[i];
                auto_free char *size = html_size(package->size_bytes);
                html_format(to, "<tr><th scope=\"row\">%s<td>%s<td class=\"n\">%s<td>%s<td>%s<td>%s</tr>\n",
                            package->name, version_of(package), size, package->roles,
                            member_text(package->package, "repository"), state_word(package));
        }
        buf_append_text(to, "</tbody></table></div></details>\n");
}

void report_packages(const struct report_data *data, struct buf *to) {
        struct package_map map = { .data = data, .to = to };
        report_heading(to, "packages", "Packages by size");
        if (data->package_count == 0) {
                buf_append_text(to, "<p>The build has no packages.</p>\n");
                return;
        }
        buf_append_text(to,
                        "<p class=\"dim\">Each box is a package, as large as what it installs. Boxes with a name above "
                        "them hold what the same roles have. A dashed border and “+” is a package that the build "
                        "before did not have, “↻” one that had another version.</p>\n");
        collect_sets(&map);
        draw_map(&map);
        list_packages_of_all(data, to);
        for (size_t i = 0; i < map.count; i++)
                free(map.sets[i].packages);
        free(map.sets);
}
