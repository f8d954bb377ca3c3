// SPDX-License-Identifier: MIT
// The links below /etc/systemd/system: TARGET.wants/NAME, TARGET.requires/NAME and aliases. systemctl(1), enable and
// disable.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "configure/sysv_script.h"
#include "configure/unit.h"
#include "rootfs/tree.h"

enum { ALSO_DEPTH_MAX = 4 };

// ---- enabling ----

static bool link_from_targets(int root, const struct unit *unit, const char *name, const struct buf *targets,
                              const char *suffix, struct err *err) {
        for (const char *rest = buf_text(targets);;) {
                auto_free char *target = unit_next_word(&rest);
                if (!target)
                        return true;
                auto_free char *path = xasprintf("%s/%s.%s/%s", UNIT_CONFIG_DIR, target, suffix, name);
                if (!tree_link(root, path, unit->file, err))
                        return false;
        }
}

// A template can only be the alias of one, and a name not of itself: systemd refuses such aliases, and goes on.
static bool alias_fits(const struct unit *unit, const char *alias) {
        bool is_template = strchr(unit->name, '@') != NULL;
        if (is_template && !strchr(alias, '@'))
                return false;
        return strcmp(alias, unit_base_name(unit->file)) != 0;
}

static bool link_aliases(int root, const struct unit *unit, struct err *err) {
        for (const char *rest = buf_text(&unit->alias);;) {
                auto_free char *alias = unit_next_word(&rest);
                if (!alias)
                        return true;
                auto_free char *path = xasprintf("%s/%s", UNIT_CONFIG_DIR, alias);
                if (alias_fits(unit, unit_base_name(path)) && !tree_link(root, path, unit->file, err))
                        return false;
        }
}

// The name that links below targets get: a template is enabled as its default instance.
static bool name_of_links(const struct unit *unit, char **ret_name, struct err *err) {
        bool is_started = unit->wanted_by.size || unit->required_by.size;
        if (!unit_is_template(unit->name) || !is_started) {
                *ret_name = xstrdup(unit->name);
                return true;
        }
        const char *suffix = strchr(unit->name, '@') + 1;
        int stem = (int)(suffix - unit->name);
        if (!unit->default_instance.size)
                return fail(err, ERR_REFERENCE, 0,
                            "%s is a template and has no default instance: name one (%.*sNAME%s)", unit->name, stem,
                            unit->name, strrchr(unit->name, '.'));
        *ret_name = xasprintf("%.*s%s%s", stem, unit->name, buf_text(&unit->default_instance), suffix);
        return true;
}

static bool enable_also(int root, const struct unit *unit, int depth, struct err *err);

static bool enable_to_depth(int root, const struct unit *unit, int depth, struct err *err) {
        if (sysv_is_script(unit->file))
                return sysv_enable(root, unit->file, err);
        auto_free char *mask = xasprintf("%s/%s", UNIT_CONFIG_DIR, unit->name);
        auto_free char *name = NULL;
        if (unit->masked && !tree_remove(root, mask, err))
                return false;
        if (!name_of_links(unit, &name, err))
                return false;
        return link_from_targets(root, unit, name, &unit->wanted_by, "wants", err) &&
               link_from_targets(root, unit, name, &unit->required_by, "requires", err) &&
               link_aliases(root, unit, err) && enable_also(root, unit, depth, err);
}

// Nobody asked for this one by name: a mask that the role or a package laid holds.
static bool enable_other(int root, const char *name, const struct unit *unit, int depth, struct err *err) {
        struct unit other;
        bool ok = unit_load(root, name, &other, err);
        bool wanted = ok && other.file && !other.masked && strcmp(other.name, unit->name) != 0;
        if (wanted)
                ok = enable_to_depth(root, &other, depth + 1, err);
        unit_release(&other);
        return ok;
}

static bool enable_also(int root, const struct unit *unit, int depth, struct err *err) {
        if (depth >= ALSO_DEPTH_MAX) // Also= may name each other
                return true;
        for (const char *rest = buf_text(&unit->also);;) {
                auto_free char *name = unit_next_word(&rest);
                if (!name)
                        return true;
                if (!enable_other(root, name, unit, depth, err))
                        return false;
        }
}

bool unit_enable(int root, const struct unit *unit, struct err *err) {
        assert(unit->file);
        return enable_to_depth(root, unit, 0, err);
}

// ---- disabling ----

static bool link_dir_ends_in(const char *name, const char *suffix) {
        size_t length = strlen(name), size = strlen(suffix);
        return length > size && strcmp(name + length - size, suffix) == 0;
}

// Whether a link of this name starts the unit: "getty@.service" stands for all of its instances.
static bool stands_for_unit(const char *link, const char *name) {
        if (strcmp(link, name) == 0)
                return true;
        auto_free char *template = unit_template_of(link);
        return template && strcmp(template, name) == 0;
}

// At the top, links are aliases and masks: an alias goes, a mask keeps the unit down. Below a target, every link that
// has the unit's name or leads to its file goes.
static bool starts_unit(const struct fs_entry *entry, const char *target, const char *name) {
        bool at_top = strchr(entry->path, '/') == NULL;
        bool leads_there = strcmp(unit_base_name(target), name) == 0;
        if (at_top)
                return leads_there && strcmp(entry->name, name) != 0;
        return leads_there || stands_for_unit(entry->name, name);
}

static bool remove_unit_link(const struct fs_entry *entry, void *context, struct err *err) {
        const char *name = context;
        char target[4096];
        if (S_ISDIR(entry->stat->st_mode)) {
                *entry->descend = link_dir_ends_in(entry->name, ".wants") || link_dir_ends_in(entry->name, ".requires");
                return true;
        }
        if (!S_ISLNK(entry->stat->st_mode))
                return true;
        ssize_t size = readlinkat(entry->parent, entry->name, target, sizeof target - 1);
        if (size < 0)
                return fail(err, ERR_SYSTEM, errno, "read the link %s", entry->path);
        target[size] = '\0';
        if (!starts_unit(entry, target, name))
                return true;
        return unlinkat(entry->parent, entry->name, 0) == 0 || fail(err, ERR_SYSTEM, errno, "remove %s", entry->path);
}

static bool remove_unit_links(int root, const struct unit *unit, struct err *err) {
        auto_close int dir = -1;
        auto_err ignored = { 0 };
        if (unit->file && sysv_is_script(unit->file) && !sysv_disable(root, unit->file, err))
                return false;
        if (!fs_open_in_root(root, UNIT_CONFIG_DIR, O_RDONLY | O_DIRECTORY, 0, &dir, &ignored))
                return true;
        return fs_walk(dir, remove_unit_link, unit->name, err);
}

static bool disable_to_depth(int root, const char *name, int depth, struct err *err);

static bool disable_also(int root, const struct unit *unit, int depth, struct err *err) {
        if (depth >= ALSO_DEPTH_MAX)
                return true;
        for (const char *rest = buf_text(&unit->also);;) {
                auto_free char *other = unit_next_word(&rest);
                if (!other)
                        return true;
                if (strcmp(other, unit->name) != 0 && !disable_to_depth(root, other, depth + 1, err))
                        return false;
        }
}

static bool disable_to_depth(int root, const char *name, int depth, struct err *err) {
        struct unit unit;
        bool ok = unit_load(root, name, &unit, err) && remove_unit_links(root, &unit, err) &&
                  disable_also(root, &unit, depth, err);
        unit_release(&unit);
        return ok;
}

bool unit_disable(int root, const char *name, struct err *err) { return disable_to_depth(root, name, 0, err); }
