// SPDX-License-Identifier: MIT
// Files as manifests list them, and what they mean to systemd: links in *.wants and *.requires enable a unit.
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "diff/internal.h"

// Changes with every build, or is told in other words: node.json and templates node by node.
static bool is_told_elsewhere(const char *path) {
        return strcmp(path, "/etc/kiln/node.json") == 0 || strncmp(path, "/usr/share/kiln/templates", 25) == 0;
}

void set_text_diff(json_t *object, const struct text *from, const struct text *to) {
        static const struct text empty = { "", 0 };
        auto_buf diff = { 0 };
        if (!from)
                from = &empty;
        if (!to)
                to = &empty;
        if (!text_is_shown(from) || !text_is_shown(to))
                return;
        text_diff(from, to, &diff);
        json_object_set_new(object, "diff", json_stringn(buf_text(&diff), diff.size));
}

static const struct text *content_of(const struct config_layer *layer, const char *path) {
        const struct config_file *file = config_layer_find(layer, path);
        if (!file)
                return NULL;
        return &file->content;
}

static const char *file_change(const json_t *from, const json_t *to) {
        static const char *const content[] = { "type", "sha256", "target" };
        if (!from)
                return "new";
        if (!to)
                return "gone";
        for (size_t i = 0; i < lengthof(content); i++)
                if (strcmp(member_text(from, content[i]), member_text(to, content[i])) != 0)
                        return "content";
        return "attributes";
}

// Two lists of one layer, by path: manifests name each path once.
struct lists {
        const struct role_pair *roles;
        const char *layer;
        json_t *found;
};

bool diffed_file_is_private(const json_t *file) {
        return json_is_object(file) && mode_is_private(strtol(member_text(file, "mode"), NULL, 8));
}

static void add_file(const struct lists *lists, const char *path, json_t *from, json_t *to) {
        json_t *file = json_pack("{ss ss ss sO? sO?}", "path", path, "layer", lists->layer, "change",
                                 file_change(from, to), "from", from, "to", to);
        bool is_text_known = strcmp(lists->layer, "configuration") == 0;
        if (is_text_known && !diffed_file_is_private(from) && !diffed_file_is_private(to))
                set_text_diff(file, content_of(&lists->roles->from_layer, path),
                              content_of(&lists->roles->to_layer, path));
        json_array_append_new(lists->found, file);
}

static json_t *by_path(const json_t *files) {
        json_t *found = json_object(), *file;
        size_t i;
        json_array_foreach(files, i, file)(void) !json_object_set_nocheck(found, member_text(file, "path"), file);
        return found;
}

// A whiteout of the configuration layer takes a file of the root away: nothing is there.
static bool is_whiteout(const json_t *file) { return strcmp(member_text(file, "type"), "whiteout") == 0; }

static json_t *find_in_root(const json_t *role, const char *path) {
        size_t i;
        json_t *file;
        json_array_foreach(json_object_get(role, "files"), i,
                           file) if (strcmp(member_text(file, "path"), path) == 0) return file;
        return NULL;
}

// What is there at a path of which the layer says `own`. Where the other build takes the root's file away, that of the
// root is what comes or goes.
static json_t *state_in_layer(json_t *own, const json_t *other, const json_t *role, const char *path) {
        if (is_whiteout(own))
                return NULL;
        if (!own && is_whiteout(other))
                return find_in_root(role, path);
        return own;
}

static void compare_configuration(struct lists *lists, const char *path, json_t *from, json_t *to) {
        json_t *before = state_in_layer(from, to, lists->roles->from, path);
        json_t *after = state_in_layer(to, from, lists->roles->to, path);
        if ((before || after) && !(before && after && json_equal(before, after)))
                add_file(lists, path, before, after);
}

static void compare_root(struct lists *lists, const char *path, json_t *from, json_t *to) {
        if (!from || !to || !json_equal(from, to))
                add_file(lists, path, from, to);
}

// Calls `compare` for each path of either list that is not in `but`.
static void compare_lists(struct lists *lists, const json_t *from, const json_t *to, const json_t *but,
                          void (*compare)(struct lists *lists, const char *path, json_t *from, json_t *to)) {
        json_t *before = by_path(from), *after = by_path(to), *file;
        size_t i;
        json_array_foreach(from, i, file) {
                const char *path = member_text(file, "path");
                if (!is_told_elsewhere(path) && !json_object_get(but, path))
                        compare(lists, path, file, json_object_get(after, path));
        }
        json_array_foreach(to, i, file) {
                const char *path = member_text(file, "path");
                bool is_new = !json_object_get(before, path) && !json_object_get(but, path);
                if (is_new && !is_told_elsewhere(path))
                        compare(lists, path, NULL, file);
        }
        json_decref(before);
        json_decref(after);
}

static const char *root_digest(const json_t *role) { return member_text(json_object_get(role, "root"), "sha256"); }

static void note_whiteouts(const json_t *configuration, json_t *ret) {
        size_t i;
        json_t *file;
        json_array_foreach(configuration, i,
                           file) if (is_whiteout(file))(void) !json_object_set(ret, member_text(file, "path"), file);
}

json_t *diff_files(const struct role_pair *roles) {
        struct lists lists = { roles, "root", json_array() };
        const json_t *before = json_object_get(roles->from, "configuration");
        const json_t *after = json_object_get(roles->to, "configuration");
        bool is_same_root = strcmp(root_digest(roles->from), root_digest(roles->to)) == 0;
        json_t *whiteouts = json_object();
        note_whiteouts(before, whiteouts);
        note_whiteouts(after, whiteouts);
        if (!is_same_root)
                compare_lists(&lists, json_object_get(roles->from, "files"), json_object_get(roles->to, "files"),
                              whiteouts, compare_root);
        lists.layer = "configuration";
        compare_lists(&lists, before, after, NULL, compare_configuration);
        json_decref(whiteouts);
        return lists.found;
}

// ---- units ----

static bool is_mask_link(const json_t *file) { return strcmp(member_text(file, "target"), "/dev/null") == 0; }

static const char *unit_file_change(const json_t *file, const char *change) {
        bool was_mask = is_mask_link(json_object_get(file, "from")),
             is_masked = is_mask_link(json_object_get(file, "to"));
        if (is_masked)
                return "masked";
        if (was_mask)
                return "unmasked";
        if (strcmp(change, "content") == 0 || strcmp(change, "attributes") == 0)
                return "changed";
        return change;
}

static const char *enabling_change(const char *change) {
        if (strcmp(change, "new") == 0)
                return "enabled";
        if (strcmp(change, "gone") == 0)
                return "disabled";
        return "changed";
}

// The unit that a drop-in changes: /etc/systemd/system/UNIT.d/NAME.conf; heap.
static char *unit_of_drop_in(const char *path) {
        const char *end = strrchr(path, '/') - strlen(".d"), *start = end;
        while (start > path && start[-1] != '/')
                start--;
        return xstrndup(start, (size_t)(end - start));
}

// Of a path, the first that fits says what kind it is.
static const struct unit_place {
        const char *pattern;
        enum unit_place_kind { ENABLES, DROP_IN, UNIT_FILE } kind;
} unit_places[] = {
        { "*/systemd/system/*.wants/*", ENABLES },
        { "*/systemd/system/*.requires/*", ENABLES },
        { "*/systemd/system/*.d/*.conf", DROP_IN },
        { "*/systemd/system/*", UNIT_FILE },
};

static const struct unit_place *find_unit_place(const char *path) {
        for (size_t i = 0; i < lengthof(unit_places); i++)
                if (fnmatch(unit_places[i].pattern, path, 0) == 0)
                        return &unit_places[i];
        return NULL;
}

static void add_unit(json_t *units, const json_t *file, enum unit_place_kind kind) {
        const char *path = member_text(file, "path"), *change = member_text(file, "change");
        auto_free char *unit = NULL;
        if (kind == DROP_IN)
                unit = unit_of_drop_in(path);
        else
                unit = xstrdup(strrchr(path, '/') + 1);
        if (kind == ENABLES)
                change = enabling_change(change);
        else if (kind == DROP_IN)
                change = "changed";
        else
                change = unit_file_change(file, change);
        json_array_append_new(units, json_pack("{ss ss}", "unit", unit, "change", change));
}

static bool is_directory(const json_t *state) { return strcmp(member_text(state, "type"), "directory") == 0; }

json_t *diff_units(const json_t *files) {
        json_t *units = json_array(), *file;
        size_t i;
        json_array_foreach(files, i, file) {
                const struct unit_place *place = find_unit_place(member_text(file, "path"));
                if (place && !is_directory(json_object_get(file, "from")) && !is_directory(json_object_get(file, "to")))
                        add_unit(units, file, place->kind);
        }
        return units;
}
