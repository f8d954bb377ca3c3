// SPDX-License-Identifier: MIT
// Users and groups, from passwd(5) and group(5) as the node sees them: the configuration layer's, or else the root's.
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "compare/compare_squashfs.h"
#include "diff/internal.h"

enum { TABLE_MAX_BYTES = 16 << 20 };

static bool read_from_root(const struct diffed_build *build, const char *role, const char *path, struct buf *ret,
                           struct err *err) {
        auto_free char *image = xasprintf("%s/rootfs.squashfs", role);
        auto_close int fd = -1;
        bool found;
        if (!fs_exists(build->dir, image))
                return true;
        return fs_open(build->dir, image, O_RDONLY, 0, &fd, err) && squashfs_read_file(fd, path, ret, &found, err);
}

static bool read_account_table(const struct diffed_build *build, const char *role, const struct config_layer *layer,
                               const char *path, struct buf *ret, struct err *err) {
        const struct config_file *file = config_layer_find(layer, path);
        if (!file)
                return read_from_root(build, role, path, ret, err);
        buf_append(ret, file->content.data, file->content.size);
        return true;
}

// NAME -> its whole line.
static json_t *lines_by_name(const struct buf *table) {
        json_t *lines = json_object();
        auto_free char *text = xstrdup(buf_text(table));
        char *rest = text;
        for (char *line; (line = strsep(&rest, "\n"));) {
                auto_free char *name = xstrndup(line, strcspn(line, ":"));
                if (*name)
                        (void)!json_object_set_new(lines, name, json_string(line));
        }
        return lines;
}

static void add_account(json_t *list, const char *kind, const char *name, const char *change) {
        json_array_append_new(list, json_pack("{ss ss ss}", "name", name, "kind", kind, "change", change));
}

static void compare_tables(const struct buf *from, const struct buf *to, const char *kind, json_t *list) {
        json_t *before = lines_by_name(from), *after = lines_by_name(to), *line;
        const char *name;
        json_object_foreach(before, name, line) {
                const json_t *now = json_object_get(after, name);
                if (!now)
                        add_account(list, kind, name, "gone");
                else if (!json_equal(line, now))
                        add_account(list, kind, name, "changed");
        }
        json_object_foreach(after, name, line) if (!json_object_get(before, name)) add_account(list, kind, name, "new");
        json_decref(before);
        json_decref(after);
}

static const struct table_kind {
        const char *path, *kind;
} table_kinds[] = { { "/etc/passwd", "user" }, { "/etc/group", "group" } };

static bool same_table(const struct role_pair *roles, const char *path) {
        const json_t *before = json_object_get(roles->from, "root"), *after = json_object_get(roles->to, "root");
        bool is_of_root = !config_layer_find(&roles->from_layer, path) && !config_layer_find(&roles->to_layer, path);
        return is_of_root && strcmp(member_text(before, "sha256"), member_text(after, "sha256")) == 0;
}

bool diff_accounts(const struct diffed_build *from, const struct diffed_build *to, const struct role_pair *roles,
                   json_t *ret, struct err *err) {
        for (size_t i = 0; i < lengthof(table_kinds); i++) {
                const char *path = table_kinds[i].path;
                if (same_table(roles, path))
                        continue;
                auto_buf before = { .max = TABLE_MAX_BYTES }, after = { .max = TABLE_MAX_BYTES };
                if (!read_account_table(from, roles->name, &roles->from_layer, path, &before, err) ||
                    !read_account_table(to, roles->name, &roles->to_layer, path, &after, err))
                        return wrap(err, "%s of role %s", path, roles->name);
                compare_tables(&before, &after, table_kinds[i].kind, ret);
        }
        return true;
}
