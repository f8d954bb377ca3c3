// SPDX-License-Identifier: MIT
#include "profile/reader/profile_tree.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/locations.h"
#include "profile/reader/paths.h"

static bool add_place(struct profile_tree *tree, struct arena *arena, const char *path) {
        char real[PATH_MAX];
        if (!realpath(path, real) || !path_is_directory(real))
                return false;
        strings_add_once(arena, &tree->places, arena_strdup(arena, real));
        return true;
}

// A folder beside the profiles is taken as it lies there: a link in its place would open what it leads to.
static void add_folder_beside(struct profile_tree *tree, struct arena *arena, const char *profiles, const char *name) {
        const char *slash = strrchr(profiles, '/');
        const char *path = arena_printf(arena, "%.*s/%s", (int)(slash - profiles), profiles, name);
        char real[PATH_MAX];
        if (realpath(path, real) && strcmp(real, path) == 0)
                (void)add_place(tree, arena, path);
}

// Absent where kiln runs without being installed: then there is nothing to reach.
static void add_own_files(struct profile_tree *tree, struct arena *arena) {
        struct locations locations;
        auto_err absent = { 0 };
        if (!locations_find(arena, &locations, &absent))
                return;
        (void)add_place(tree, arena, locations.firmware);
        static const char *const folders[] = { "profiles", "overlays", "kickstart" };
        for (size_t i = 0; i < lengthof(folders); i++)
                (void)add_place(tree, arena, arena_printf(arena, "%s/%s", locations.examples, folders[i]));
}

bool profile_tree_open(struct arena *arena, const char *cluster_path, const struct strings *allowed,
                       struct profile_tree *ret, struct err *err) {
        struct profile_tree tree = { 0 };
        if (add_place(&tree, arena, path_beside(arena, cluster_path, "."))) { // otherwise its reader says so
                const char *profiles = tree.places.items[0];
                add_folder_beside(&tree, arena, profiles, "overlays");
                add_folder_beside(&tree, arena, profiles, "kickstart");
        }
        add_own_files(&tree, arena);
        for (size_t i = 0; i < allowed->count; i++)
                if (!add_place(&tree, arena, allowed->items[i]))
                        return fail(err, ERR_USAGE, 0, "--allow-outside %s: there is no such directory",
                                    allowed->items[i]);
        *ret = tree;
        return true;
}

void profile_tree_allow_file(struct profile_tree *tree, struct arena *arena, const char *path) {
        char real[PATH_MAX];
        if (realpath(path, real))
                strings_add_once(arena, &tree->places, arena_strdup(arena, real));
}

static bool place_holds(const char *place, const char *real) {
        size_t length = strlen(place);
        if (strcmp(place, "/") == 0)
                return true;
        return strncmp(place, real, length) == 0 && (real[length] == '/' || real[length] == '\0');
}

// git keeps the passwords of its remotes there, and CI its tokens.
static bool is_of_git(const char *place, const char *real) {
        const char *found = strstr(real + strlen(place), "/.git");
        return found && (found[5] == '/' || found[5] == '\0');
}

enum tree_answer profile_tree_find(const struct profile_tree *tree, struct arena *arena, const char *path,
                                   const char **ret_real) {
        char real[PATH_MAX];
        if (!realpath(path, real))
                return TREE_NOTHING;
        bool is_inside = !tree;
        for (size_t i = 0; !is_inside && i < tree->places.count; i++)
                is_inside = place_holds(tree->places.items[i], real) && !is_of_git(tree->places.items[i], real);
        if (!is_inside)
                return TREE_OUTSIDE;
        *ret_real = arena_strdup(arena, real);
        return TREE_INSIDE;
}
