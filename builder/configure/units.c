// SPDX-License-Identifier: MIT
// systemd units of an image, and what `systemctl enable` does to them: systemd.unit(5), sections "Unit File Load Path"
// and
// "[Install] Section Options". Units that are SysV scripts (EL7's network) are enabled through chkconfig(8)'s header.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "configure/internal.h"
#include "rootfs/tree.h"

enum { ALSO_DEPTH_MAX = 4, UNIT_BYTES_MAX = 1 << 20 };

static const char *const unit_dirs[] = { "/etc/systemd/system", "/usr/local/lib/systemd/system",
                                         "/usr/lib/systemd/system", "/lib/systemd/system" };
static const char *const script_dirs[] = { "/etc/rc.d/init.d", "/etc/init.d" };
static const char config_dir[] = "/etc/systemd/system";

// "getty@tty1.service" -> "getty@.service"; NULL if there is no instance.
static char *template_name(const char *name) {
        const char *at = strchr(name, '@'), *dot = strrchr(name, '.');
        if (!at || !dot || dot < at || dot == at + 1)
                return NULL;
        return xasprintf("%.*s%s", (int)(at + 1 - name), name, dot);
}

static bool is_template(const char *name) {
        const char *at = strchr(name, '@');
        return at && at[1] == '.';
}

static char *link_target(int root, const char *path) {
        auto_close int parent = -1;
        const char *name;
        char target[4096];
        auto_err ignored = { 0 };
        if (!tree_open_parent(root, path, false, &parent, &name, &ignored))
                return NULL;
        ssize_t size = readlinkat(parent, name, target, sizeof target - 1);
        return size < 0 ? NULL : xstrndup(target, (size_t)size);
}

static const char *base_name(const char *path) {
        const char *slash = strrchr(path, '/');
        return slash ? slash + 1 : path;
}

// A unit is masked by an empty file or a link to /dev/null in its place, systemd.unit(5). The image's /dev is empty, so
// the link is known by its text.
static bool is_mask(int root, const char *path) {
        auto_free char *target = link_target(root, path);
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
static char *find_file(int root, const char *name, bool *ret_masked) {
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

// ---- the [Install] section ----

// %n %N %p %i %j %%, the specifiers that mean something before the machine is known.
static void expand(struct buf *words, const char *word, size_t length, const char *name) {
        const char *dot = strrchr(name, '.'), *at = strchr(name, '@');
        int stem = dot ? (int)(dot - name) : (int)strlen(name);
        int prefix = at ? (int)(at - name) : stem;
        for (size_t i = 0; i < length; i++) {
                char next = word[i] == '%' && i + 1 < length ? word[i + 1] : '\0';
                const char *dash = memrchr(name, '-', (size_t)prefix);
                int last = dash ? (int)(dash + 1 - name) : 0;
                i += next != '\0';
                if (next == 'n')
                        buf_append_text(words, name);
                else if (next == 'N')
                        buf_printf(words, "%.*s", stem, name);
                else if (next == 'p')
                        buf_printf(words, "%.*s", prefix, name);
                else if (next == 'i')
                        buf_printf(words, "%.*s", at ? stem - prefix - 1 : 0, at ? at + 1 : "");
                else if (next == 'j')
                        buf_printf(words, "%.*s", prefix - last, name + last);
                else if (next)
                        buf_append(words, next == '%' ? "%" : word + i - 1, next == '%' ? 1 : 2);
                else
                        buf_append_char(words, word[i]);
        }
}

static void append_words(struct buf *words, const char *value, const char *name) {
        if (!*value)
                buf_clear(words); // an empty assignment forgets the earlier ones
        for (; *value; value += strspn(value, " \t")) {
                size_t length = strcspn(value, " \t");
                if (length == 0)
                        break;
                if (words->size)
                        buf_append_char(words, ' ');
                expand(words, value, length, name);
                value += length;
        }
}

static void take_assignment(struct unit *unit, char *line) {
        const struct {
                const char *key;
                struct buf *words;
        } keys[] = { { "WantedBy", &unit->wanted_by },
                     { "RequiredBy", &unit->required_by },
                     { "Alias", &unit->alias },
                     { "Also", &unit->also },
                     { "DefaultInstance", &unit->default_instance } };
        char *equals = strchr(line, '=');
        if (!equals)
                return;
        char *value = equals + 1 + strspn(equals + 1, " \t"), *end = equals;
        while (end > line && isspace((unsigned char)end[-1]))
                end--;
        *end = '\0';
        for (char *tail = value + strlen(value); tail > value && isspace((unsigned char)tail[-1]);)
                *--tail = '\0';
        for (size_t i = 0; i < lengthof(keys); i++)
                if (strcmp(line, keys[i].key) == 0)
                        append_words(keys[i].words, value, unit->name);
}

// Joins continued lines; comments inside of them are skipped, as systemd.syntax(7) says.
static void parse_install(struct unit *unit, const char *text) {
        bool install = false;
        auto_buf line = { 0 };
        while (*text) {
                size_t length = strcspn(text, "\n");
                const char *start = text;
                text += length + (text[length] == '\n');
                while (length && isspace((unsigned char)*start))
                        start++, length--;
                while (length && isspace((unsigned char)start[length - 1]))
                        length--;
                if (length && (*start == '#' || *start == ';'))
                        continue;
                bool continued = length && start[length - 1] == '\\';
                buf_append(&line, start, length - continued);
                if (continued && *text) {
                        buf_append_char(&line, ' ');
                        continue;
                }
                if (line.size && line.data[0] == '[')
                        install = strcmp(line.data, "[Install]") == 0;
                else if (line.size && install)
                        take_assignment(unit, line.data);
                buf_clear(&line);
        }
        unit->has_install = unit->wanted_by.size || unit->required_by.size || unit->alias.size || unit->also.size;
}

// ---- loading ----

static bool find_script(int root, const char *name, char **ret_path) {
        const char *dot = strrchr(name, '.');
        if (!dot || strcmp(dot, ".service") != 0)
                return false;
        for (size_t i = 0; i < lengthof(script_dirs); i++) {
                auto_free char *path = xasprintf("%s/%.*s", script_dirs[i], (int)(dot - name), name);
                if (!tree_exists(root, path))
                        continue;
                *ret_path = take_ptr(path);
                return true;
        }
        return false;
}

// An alias is a link to another unit's file: the unit is that one.
static void follow_alias(int root, struct unit *unit) {
        for (int i = 0; i < ALSO_DEPTH_MAX; i++) {
                auto_free char *target = link_target(root, unit->file);
                bool masked;
                if (!target || strcmp(base_name(target), base_name(unit->file)) == 0)
                        return;
                char *file = find_file(root, base_name(target), &masked);
                if (!file)
                        return;
                bool instance = is_template(base_name(file)) && !is_template(unit->name);
                free(unit->file);
                unit->file = file;
                if (!instance) {
                        free(unit->name);
                        unit->name = xstrdup(base_name(file));
                }
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

static bool add_drop_in(const struct fs_entry *entry, void *context, struct err *err) {
        struct drop_ins *drop_ins = context;
        size_t length = strlen(entry->name);
        (void)err;
        *entry->descend = false;
        if (S_ISDIR(entry->stat->st_mode) || length <= 5 || strcmp(entry->name + length - 5, ".conf") != 0)
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
        bool ok = true;
        for (size_t i = 0; ok && name && i < lengthof(unit_dirs); i++) {
                auto_free char *path = xasprintf("%s/%s.d", unit_dirs[i], name);
                auto_close int dir = -1;
                auto_err ignored = { 0 };
                if (!fs_open_in_root(root, path, O_RDONLY | O_DIRECTORY, 0, &dir, &ignored))
                        continue;
                drop_ins->directory = path;
                ok = fs_walk(dir, add_drop_in, drop_ins, err);
        }
        return ok;
}

static bool parse_drop_ins(int root, struct unit *unit, struct err *err) {
        struct drop_ins drop_ins = { 0 };
        auto_free char *template = template_name(unit->name);
        bool ok = find_drop_ins(root, unit->name, &drop_ins, err) && find_drop_ins(root, template, &drop_ins, err);
        if (drop_ins.count)
                qsort(drop_ins.items, drop_ins.count, sizeof *drop_ins.items, by_drop_in_name);
        for (size_t i = 0; i < drop_ins.count; i++) {
                auto_buf text = { .max = UNIT_BYTES_MAX };
                ok = ok && tree_read(root, drop_ins.items[i].path, &text, err);
                if (ok)
                        parse_install(unit, buf_text(&text));
                free(drop_ins.items[i].name);
                free(drop_ins.items[i].path);
        }
        free(drop_ins.items);
        return ok;
}

bool unit_load(int root, const char *name, struct unit *ret, struct err *err) {
        *ret = (struct unit){ .name = xstrdup(name) };
        if (strchr(name, '/') || *name == '.')
                return true;
        ret->file = find_file(root, name, &ret->masked);
        auto_free char *template = ret->file ? NULL : template_name(name);
        bool template_masked;
        if (template)
                ret->file = find_file(root, template, &template_masked);
        if (!ret->file) {
                (void)find_script(root, name, &ret->file);
                return true;
        }
        follow_alias(root, ret);
        auto_buf text = { .max = UNIT_BYTES_MAX };
        if (!tree_read(root, ret->file, &text, err))
                return false;
        parse_install(ret, buf_text(&text));
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

struct offering {
        struct nearest nearest;
        struct arena arena;
        bool scripts;
};

static bool offer_entry(const struct fs_entry *entry, void *context, struct err *err) {
        struct offering *offering = context;
        (void)err;
        *entry->descend = false;
        if (!S_ISDIR(entry->stat->st_mode))
                nearest_offer(&offering->nearest,
                              arena_printf(&offering->arena, "%s%s", entry->name, offering->scripts ? ".service" : ""));
        return true;
}

static bool offer_dir(int root, const char *path, struct offering *offering, struct err *err) {
        auto_close int dir = -1;
        auto_err ignored = { 0 };
        return !fs_open_in_root(root, path, O_RDONLY | O_DIRECTORY, 0, &dir, &ignored) ||
               fs_walk(dir, offer_entry, offering, err);
}

bool unit_nearest(int root, const char *name, char **ret_name, struct err *err) {
        struct offering offering = { .nearest = { .wanted = name } };
        bool ok = true;
        for (size_t i = 0; i < lengthof(unit_dirs); i++)
                ok = ok && offer_dir(root, unit_dirs[i], &offering, err);
        offering.scripts = true;
        for (size_t i = 0; i < lengthof(script_dirs); i++)
                ok = ok && offer_dir(root, script_dirs[i], &offering, err);
        *ret_name = ok && offering.nearest.best ? xstrdup(offering.nearest.best) : NULL;
        arena_release(&offering.arena);
        return ok;
}

// ---- enabling ----

static bool is_script(const struct unit *unit) {
        for (size_t i = 0; i < lengthof(script_dirs); i++)
                if (strncmp(unit->file, script_dirs[i], strlen(script_dirs[i])) == 0)
                        return true;
        return false;
}

static bool link_words(int root, const struct unit *unit, const char *name, const char *words, const char *suffix,
                       struct err *err) {
        while (*words) {
                size_t length = strcspn(words, " ");
                auto_free char *path = xasprintf("%s/%.*s.%s/%s", config_dir, (int)length, words, suffix, name);
                if (!tree_link(root, path, unit->file, err))
                        return false;
                words += length + (words[length] == ' ');
        }
        return true;
}

static bool link_aliases(int root, const struct unit *unit, struct err *err) {
        for (const char *words = buf_text(&unit->alias); *words;) {
                size_t length = strcspn(words, " ");
                auto_free char *path = xasprintf("%s/%.*s", config_dir, (int)length, words);
                bool fits = !strchr(unit->name, '@') || strchr(base_name(path), '@'); // systemd refuses others
                if (fits && strcmp(base_name(path), base_name(unit->file)) != 0 &&
                    !tree_link(root, path, unit->file, err))
                        return false;
                words += length + (words[length] == ' ');
        }
        return true;
}

// "# chkconfig: LEVELS START STOP"; without one, levels 2345 at 50.
static bool enable_script(int root, const struct unit *unit, struct err *err) {
        auto_buf text = { .max = UNIT_BYTES_MAX };
        char levels[16] = "2345";
        unsigned start = 50, stop = 50;
        if (!tree_read(root, unit->file, &text, err))
                return false;
        const char *header = strstr(buf_text(&text), "# chkconfig:");
        if (header && sscanf(header, "# chkconfig: %15[0-6] %u %u", levels, &start, &stop) < 1)
                return true; // "-": on no level
        const char *top = tree_exists(root, "/etc/rc.d") ? "/etc/rc.d" : "/etc";
        for (const char *level = levels; *level; level++) {
                auto_free char *path = xasprintf("%s/rc%c.d/S%02u%s", top, *level, start, base_name(unit->file));
                auto_free char *stopper = xasprintf("%s/rc%c.d/K%02u%s", top, *level, stop, base_name(unit->file));
                auto_free char *target = xasprintf("../init.d/%s", base_name(unit->file));
                if (!tree_remove(root, stopper, err) || !tree_link(root, path, target, err))
                        return false;
        }
        return true;
}

static bool enable_also(int root, const struct unit *unit, int depth, struct err *err);

static bool enable(int root, const struct unit *unit, int depth, struct err *err) {
        if (is_script(unit))
                return enable_script(root, unit, err);
        auto_free char *mask = xasprintf("%s/%s", config_dir, unit->name);
        if (unit->masked && !tree_remove(root, mask, err))
                return false;
        auto_free char *name = xstrdup(unit->name);
        if (is_template(unit->name) && (unit->wanted_by.size || unit->required_by.size)) {
                if (!unit->default_instance.size)
                        return fail(err, ERR_REFERENCE, 0,
                                    "%s is a template and has no default instance: name one (%.*sNAME%s)", unit->name,
                                    (int)(strchr(unit->name, '@') + 1 - unit->name), unit->name,
                                    strrchr(unit->name, '.'));
                const char *at = strchr(unit->name, '@');
                free(name);
                name = xasprintf("%.*s%s%s", (int)(at + 1 - unit->name), unit->name, buf_text(&unit->default_instance),
                                 at + 1);
        }
        return link_words(root, unit, name, buf_text(&unit->wanted_by), "wants", err) &&
               link_words(root, unit, name, buf_text(&unit->required_by), "requires", err) &&
               link_aliases(root, unit, err) && enable_also(root, unit, depth, err);
}

static bool enable_also(int root, const struct unit *unit, int depth, struct err *err) {
        bool ok = true;
        for (const char *words = buf_text(&unit->also); ok && *words && depth < ALSO_DEPTH_MAX;) {
                size_t length = strcspn(words, " ");
                auto_free char *name = xstrndup(words, length);
                struct unit other;
                ok = unit_load(root, name, &other, err);
                // Nobody asked for this one by name: a mask that the role or a package laid holds.
                if (ok && other.file && !other.masked && strcmp(other.name, unit->name) != 0)
                        ok = enable(root, &other, depth + 1, err);
                unit_release(&other);
                words += length + (words[length] == ' ');
        }
        return ok;
}

bool unit_enable(int root, const struct unit *unit, struct err *err) { return enable(root, unit, 0, err); }

// ---- disabling: every link below /etc/systemd/system that stands for the unit ----

struct disabling {
        const char *name, *file; // file may be NULL
};

// "getty@.service" stands for all of its instances.
static bool is_named(const char *entry, const char *name) {
        if (strcmp(entry, name) == 0)
                return true;
        auto_free char *template = template_name(entry);
        return template && strcmp(template, name) == 0;
}

static bool remove_link(const struct fs_entry *entry, void *context, struct err *err) {
        const struct disabling *disabling = context;
        char target[4096];
        if (S_ISDIR(entry->stat->st_mode)) {
                size_t length = strlen(entry->name);
                *entry->descend = (length > 6 && strcmp(entry->name + length - 6, ".wants") == 0) ||
                                  (length > 9 && strcmp(entry->name + length - 9, ".requires") == 0);
                return true;
        }
        if (!S_ISLNK(entry->stat->st_mode))
                return true;
        ssize_t size = readlinkat(entry->parent, entry->name, target, sizeof target - 1);
        if (size < 0)
                return fail(err, ERR_SYSTEM, errno, "read the link %s", entry->path);
        target[size] = '\0';
        bool nested = strchr(entry->path, '/') != NULL;
        // At the top, links are aliases and masks: an alias goes, a mask keeps the unit down.
        if (nested ? !is_named(entry->name, disabling->name) && strcmp(base_name(target), disabling->name) != 0
                   : strcmp(base_name(target), disabling->name) != 0 || strcmp(entry->name, disabling->name) == 0)
                return true;
        return unlinkat(entry->parent, entry->name, 0) == 0 || fail(err, ERR_SYSTEM, errno, "remove %s", entry->path);
}

static bool remove_script_links(int root, const char *script, struct err *err) {
        static const char *const tops[] = { "/etc/rc.d", "/etc" };
        for (size_t i = 0; i < lengthof(tops); i++)
                for (char level = '0'; level <= '6'; level++)
                        for (unsigned order = 0; order < 100; order++) {
                                auto_free char *path = xasprintf("%s/rc%c.d/S%02u%s", tops[i], level, order, script);
                                if (tree_exists(root, path) && !tree_remove(root, path, err))
                                        return false;
                        }
        return true;
}

static bool disable(int root, const char *name, int depth, struct err *err) {
        struct unit unit;
        auto_close int dir = -1;
        auto_err ignored = { 0 };
        bool ok = unit_load(root, name, &unit, err);
        struct disabling disabling = { .name = unit.name, .file = unit.file };
        if (ok && unit.file && is_script(&unit))
                ok = remove_script_links(root, base_name(unit.file), err);
        if (ok && fs_open_in_root(root, config_dir, O_RDONLY | O_DIRECTORY, 0, &dir, &ignored))
                ok = fs_walk(dir, remove_link, &disabling, err);
        for (const char *words = buf_text(&unit.also); ok && *words && depth < ALSO_DEPTH_MAX;) {
                size_t length = strcspn(words, " ");
                auto_free char *other = xstrndup(words, length);
                if (strcmp(other, unit.name) != 0)
                        ok = disable(root, other, depth + 1, err);
                words += length + (words[length] == ' ');
        }
        unit_release(&unit);
        return ok;
}

bool unit_disable(int root, const char *name, struct err *err) { return disable(root, name, 0, err); }
