// SPDX-License-Identifier: MIT
// Where systemd finds a unit, and what it reads of it: the file, or a SysV script, and the drop-ins.
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "configure/sysv_script.h"
#include "configure/unit.h"
#include "rootfs/tree.h"

enum { ALIAS_DEPTH_MAX = 4 };

// systemd.unit(5): the first directory that has a name wins.
static const char *const unit_dirs[] = { UNIT_CONFIG_DIR, "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
                                         "/lib/systemd/system" };

// ---- files ----

static char *read_unit_link(int root, const char *path) {
        auto_close int parent = -1;
        const char *name;
        char target[4096];
        auto_err ignored = { 0 };
        if (!tree_open_parent(root, path, false, &parent, &name, &ignored))
                return NULL;
        ssize_t size = readlinkat(parent, name, target, sizeof target - 1);
        if (size < 0)
                return NULL;
        return xstrndup(target, (size_t)size);
}

// A unit is masked by an empty file or a link to /dev/null in its place, systemd.unit(5). The image's /dev is empty, so
// the link is known by its text.
static bool is_mask(int root, const char *path) {
        auto_free char *target = read_unit_link(root, path);
        auto_close int file = -1;
        auto_err ignored = { 0 };
        struct stat stat;
        if (target && strcmp(target, "/dev/null") == 0)
                return true;
        if (!fs_open_in_root(root, path, O_PATH, 0, &file, &ignored) || fstat(file, &stat) < 0)
                return false;
        return S_ISREG(stat.st_mode) && stat.st_size == 0;
}

// The first file of exactly this name that is no mask; `ret_masked`: a mask stands before it, or alone.
static char *find_unit_file(int root, const char *name, bool *ret_masked) {
        *ret_masked = false;
        for (size_t i = 0; i < lengthof(unit_dirs); i++) {
                auto_free char *path = xasprintf("%s/%s", unit_dirs[i], name);
                if (!tree_exists(root, path))
                        continue;
                if (!is_mask(root, path))
                        return take_ptr(path);
                *ret_masked = true;
        }
        return NULL;
}

// The file of the unit that a link between units leads to; NULL for a file that is no such link.
static char *find_aliased_file(int root, const char *file) {
        auto_free char *target = read_unit_link(root, file);
        bool masked;
        if (!target || strcmp(unit_base_name(target), unit_base_name(file)) == 0)
                return NULL;
        return find_unit_file(root, unit_base_name(target), &masked);
}

// The name changes with the file, but for an instance, whose file is a template's.
static void follow_alias(int root, struct unit *unit) {
        for (int i = 0; i < ALIAS_DEPTH_MAX; i++) {
                char *file = find_aliased_file(root, unit->file);
                if (!file)
                        return;
                free(unit->file);
                unit->file = file;
                bool is_instance = unit_is_template(unit_base_name(file)) && !unit_is_template(unit->name);
                if (is_instance)
                        continue;
                free(unit->name);
                unit->name = xstrdup(unit_base_name(file));
        }
}

// ---- drop-ins: NAME.d/*.conf in every directory of units, in the order of their names; the first directory that has
// a name wins (systemd.unit(5)) ----

struct drop_in {
        char *name, *path;
};

struct drop_ins {
        const char *directory;
        struct drop_in *items;
        size_t count;
};

static bool is_drop_in(const struct fs_entry *entry) {
        size_t length = strlen(entry->name);
        return !S_ISDIR(entry->stat->st_mode) && length > 5 && strcmp(entry->name + length - 5, ".conf") == 0;
}

static bool add_drop_in(const struct fs_entry *entry, void *context, struct err *err) {
        struct drop_ins *drop_ins = context;
        (void)err;
        *entry->descend = false;
        if (!is_drop_in(entry))
                return true;
        for (size_t i = 0; i < drop_ins->count; i++)
                if (strcmp(drop_ins->items[i].name, entry->name) == 0)
                        return true;
        struct drop_in *added = array_append(&drop_ins->items, &drop_ins->count);
        added->name = xstrdup(entry->name);
        added->path = xasprintf("%s/%s", drop_ins->directory, entry->name);
        return true;
}

static int by_drop_in_name(const void *left, const void *right) {
        return strcmp(((const struct drop_in *)left)->name, ((const struct drop_in *)right)->name);
}

static bool find_drop_ins(int root, const char *name, struct drop_ins *drop_ins, struct err *err) {
        for (size_t i = 0; i < lengthof(unit_dirs); i++) {
                auto_free char *path = xasprintf("%s/%s.d", unit_dirs[i], name);
                auto_close int dir = -1;
                auto_err ignored = { 0 };
                if (!fs_open_in_root(root, path, O_RDONLY | O_DIRECTORY, 0, &dir, &ignored))
                        continue;
                drop_ins->directory = path;
                if (!fs_walk(dir, add_drop_in, drop_ins, err))
                        return false;
        }
        return true;
}

static bool parse_drop_in(int root, struct unit *unit, const char *path, struct err *err) {
        auto_buf text = { .max = UNIT_BYTES_MAX };
        if (!tree_read(root, path, &text, err))
                return false;
        unit_parse_install(unit, buf_text(&text));
        return true;
}

static void release_drop_ins(struct drop_ins *drop_ins) {
        for (size_t i = 0; i < drop_ins->count; i++) {
                free(drop_ins->items[i].name);
                free(drop_ins->items[i].path);
        }
        free(drop_ins->items);
}

// Those of the unit's own name first, then those of its template.
static bool parse_drop_ins(int root, struct unit *unit, struct err *err) {
        struct drop_ins drop_ins = { 0 };
        auto_free char *template = unit_template_of(unit->name);
        bool ok = find_drop_ins(root, unit->name, &drop_ins, err);
        if (ok && template)
                ok = find_drop_ins(root, template, &drop_ins, err);
        if (drop_ins.count)
                qsort(drop_ins.items, drop_ins.count, sizeof *drop_ins.items, by_drop_in_name);
        for (size_t i = 0; ok && i < drop_ins.count; i++)
                ok = parse_drop_in(root, unit, drop_ins.items[i].path, err);
        release_drop_ins(&drop_ins);
        return ok;
}

// ---- the unit ----

bool unit_load(int root, const char *name, struct unit *ret, struct err *err) {
        *ret = (struct unit){ .name = xstrdup(name) };
        if (strchr(name, '/') || *name == '.')
                return true;
        ret->file = find_unit_file(root, name, &ret->masked);
        auto_free char *template = unit_template_of(name);
        bool template_masked;
        if (!ret->file && template)
                ret->file = find_unit_file(root, template, &template_masked);
        if (!ret->file) {
                ret->file = sysv_find(root, name);
                return true;
        }
        follow_alias(root, ret);
        auto_buf text = { .max = UNIT_BYTES_MAX };
        if (!tree_read(root, ret->file, &text, err))
                return false;
        unit_parse_install(ret, buf_text(&text));
        return parse_drop_ins(root, ret, err);
}

void unit_release(struct unit *unit) {
        free(unit->name);
        free(unit->file);
        buf_release(&unit->wanted_by);
        buf_release(&unit->required_by);
        buf_release(&unit->alias);
        buf_release(&unit->also);
        buf_release(&unit->default_instance);
        *unit = (struct unit){ 0 };
}

// ---- the nearest name ----

struct offering {
        struct nearest nearest;
        struct arena arena;
        const char *suffix; // what makes an entry's name a unit's
};

static bool offer_entry(const struct fs_entry *entry, void *context, struct err *err) {
        struct offering *offering = context;
        (void)err;
        *entry->descend = false;
        if (S_ISDIR(entry->stat->st_mode))
                return true;
        nearest_offer(&offering->nearest, arena_printf(&offering->arena, "%s%s", entry->name, offering->suffix));
        return true;
}

static bool offer_dir(int root, const char *path, struct offering *offering, struct err *err) {
        auto_close int dir = -1;
        auto_err ignored = { 0 };
        if (!fs_open_in_root(root, path, O_RDONLY | O_DIRECTORY, 0, &dir, &ignored))
                return true;
        return fs_walk(dir, offer_entry, offering, err);
}

bool unit_nearest(int root, const char *name, char **ret_name, struct err *err) {
        struct offering offering = { .nearest = { .wanted = name }, .suffix = "" };
        bool ok = true;
        for (size_t i = 0; ok && i < lengthof(unit_dirs); i++)
                ok = offer_dir(root, unit_dirs[i], &offering, err);
        offering.suffix = ".service";
        for (size_t i = 0; ok && i < SYSV_DIR_COUNT; i++)
                ok = offer_dir(root, sysv_dirs[i], &offering, err);
        *ret_name = NULL;
        if (ok && offering.nearest.best)
                *ret_name = xstrdup(offering.nearest.best);
        arena_release(&offering.arena);
        return ok;
}
