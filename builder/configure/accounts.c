// SPDX-License-Identifier: MIT
// Users and groups of the image: passwd(5), group(5), shadow(5), gshadow(5), read and written as text, never through
// the host's name service.
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
#include "profile/profile.h"
#include "rootfs/tree.h"
#include "shared/place.h"
#include "shared/value.h"

enum { SYSTEM_ID_MAX = 999, SYSTEM_ID_MIN = 201, USER_ID_MIN = 1000, USER_ID_MAX = 60000, SECONDS_PER_DAY = 86400 };

struct table {
        const char *path;
        struct buf text;
        bool changed;
};

struct accounts {
        struct table passwd, group, shadow, gshadow;
};

// The line of `name`, or NULL. `ret_length` is without its newline.
static const char *find_line(const struct table *table, const char *name, size_t *ret_length) {
        size_t length = strlen(name);
        for (const char *line = buf_text(&table->text); *line;) {
                size_t size = strcspn(line, "\n");
                if (size > length && strncmp(line, name, length) == 0 && line[length] == ':') {
                        *ret_length = size;
                        return line;
                }
                line += size + (line[size] == '\n');
        }
        return NULL;
}

// The number in the third field, for passwd and group alike; -1 if there is none.
static long line_id(const char *line, size_t length) {
        const char *field = memchr(line, ':', length);
        field = field ? memchr(field + 1, ':', length - (size_t)(field + 1 - line)) : NULL;
        return field && isdigit((unsigned char)field[1]) ? strtol(field + 1, NULL, 10) : -1;
}

static bool id_is_used(const struct table *table, long id) {
        for (const char *line = buf_text(&table->text); *line;) {
                size_t size = strcspn(line, "\n");
                if (line_id(line, size) == id)
                        return true;
                line += size + (line[size] == '\n');
        }
        return false;
}

static void offer_names(const struct table *table, struct nearest *nearest, struct arena *arena) {
        for (const char *line = buf_text(&table->text); *line;) {
                size_t size = strcspn(line, "\n");
                nearest_offer(nearest, arena_strndup(arena, line, strcspn(line, ":\n")));
                line += size + (line[size] == '\n');
        }
}

static bool parse_id(const char *text, unsigned *ret) {
        char *end;
        if (!isdigit((unsigned char)*text))
                return false;
        errno = 0;
        unsigned long value = strtoul(text, &end, 10);
        if (*end || errno || value >= UINT32_MAX)
                return false;
        *ret = (unsigned)value;
        return true;
}

static bool resolve(int root, const char *path, const char *kind, const char *name, const struct place *place,
                    unsigned *ret, struct err *err) {
        if (parse_id(name, ret))
                return true;
        struct table table = { .path = path, .text = { .max = 16 << 20 } };
        size_t length;
        bool ok = tree_read(root, path, &table.text, err);
        const char *line = ok ? find_line(&table, name, &length) : NULL;
        long id = line ? line_id(line, length) : -1;
        if (ok && id < 0 && strcmp(name, "root") == 0) // an image without packages has no files to ask
                id = 0;
        if (ok && id < 0) {
                struct arena arena = { 0 };
                struct nearest nearest = { .wanted = name };
                offer_names(&table, &nearest, &arena);
                ok = fail_at(err, ERR_REFERENCE, place, "the image has no %s \"%s\"", kind, name);
                if (nearest.best)
                        (void)hint(err, "did you mean \"%s\"?", nearest.best);
                arena_release(&arena);
        }
        buf_release(&table.text);
        if (ok)
                *ret = (unsigned)id;
        return ok;
}

bool accounts_resolve(int root, const char *owner, const char *group, const struct place *place, unsigned *ret_uid,
                      unsigned *ret_gid, struct err *err) {
        return resolve(root, "/etc/passwd", "user", owner ? owner : "root", place, ret_uid, err) &&
               resolve(root, "/etc/group", "group", group ? group : "root", place, ret_gid, err);
}

// ---- adding ----

static void add_line(struct table *table, const char *line) {
        if (table->text.size && table->text.data[table->text.size - 1] != '\n')
                buf_append_char(&table->text, '\n');
        buf_append_text(&table->text, line);
        buf_append_char(&table->text, '\n');
        table->changed = true;
}

// System ids from 999 down, others from 1000 up, as useradd does; free as user and as group.
static long free_id(const struct accounts *accounts, bool system) {
        long first = system ? SYSTEM_ID_MAX : USER_ID_MIN, step = system ? -1 : 1,
             last = system ? SYSTEM_ID_MIN : USER_ID_MAX;
        for (long id = first; id != last + step; id += step)
                if (!id_is_used(&accounts->passwd, id) && !id_is_used(&accounts->group, id))
                        return id;
        return -1;
}

static bool has_member(const char *members, size_t length, const char *name) {
        size_t size = strlen(name);
        for (const char *part = members; part < members + length;) {
                size_t part_size = strcspn(part, ",\n");
                if (part_size == size && strncmp(part, name, size) == 0)
                        return true;
                part += part_size + 1;
        }
        return false;
}

// Appends `name` to the last field of the group's line: members, in group and in gshadow.
static bool add_member(struct table *table, const char *group, const char *name) {
        size_t length;
        const char *line = find_line(table, group, &length);
        if (!line)
                return false;
        const char *members = line + length;
        while (members > line && members[-1] != ':')
                members--;
        size_t members_length = (size_t)(line + length - members);
        if (has_member(members, members_length, name))
                return true;
        size_t at = (size_t)(line - table->text.data) + length;
        struct buf text = { 0 };
        buf_append(&text, table->text.data, at);
        buf_printf(&text, "%s%s", members_length ? "," : "", name);
        buf_append(&text, table->text.data + at, table->text.size - at);
        buf_release(&table->text);
        table->text = text;
        table->changed = true;
        return true;
}

static bool add_user(struct config *config, struct accounts *accounts, const struct user *user, struct err *err) {
        size_t length;
        if (strpbrk(user->name, ":\n/ ") || !*user->name || strpbrk(user->home ? user->home : "", ":\n") ||
            strpbrk(user->shell ? user->shell : "", ":\n") || strpbrk(user->comment ? user->comment : "", ":\n"))
                return fail_at(err, ERR_SCHEMA, &user->place, "user \"%s\" holds a character that passwd(5) cannot",
                               user->name);
        const char *line = find_line(&accounts->passwd, user->name, &length);
        if (line && user->uid >= 0 && line_id(line, length) != user->uid)
                return fail_at(err, ERR_REFERENCE, &user->place, "a package makes user %s with uid %ld, not %lld",
                               user->name, line_id(line, length), (long long)user->uid);
        long id = user->uid >= 0 ? (long)user->uid : free_id(accounts, user->system);
        if (!line && id < 0)
                return fail_at(err, ERR_REFERENCE, &user->place, "no user id is free for %s", user->name);
        if (!line && id_is_used(&accounts->passwd, id))
                return fail_at(err, ERR_DUPLICATE, &user->place, "uid %ld of user %s is taken in the image", id,
                               user->name);
        if (!line) {
                const char *own = find_line(&accounts->group, user->name, &length);
                long gid = own ? line_id(own, length) : id;
                auto_free char *passwd =
                    xasprintf("%s:x:%ld:%ld:%s:%s:%s", user->name, id, gid, user->comment ? user->comment : "",
                              user->home && *user->home ? user->home : "/",
                              user->shell && *user->shell ? user->shell : "/sbin/nologin");
                auto_free char *shadow =
                    xasprintf("%s:!!:%lld:%s", user->name, (long long)(config->source_date_epoch / SECONDS_PER_DAY),
                              user->system ? ":::::" : "0:99999:7:::");
                auto_free char *group = xasprintf("%s:x:%ld:", user->name, gid);
                auto_free char *gshadow = xasprintf("%s:!::", user->name);
                add_line(&accounts->passwd, passwd);
                add_line(&accounts->shadow, shadow);
                if (!own) {
                        add_line(&accounts->group, group);
                        add_line(&accounts->gshadow, gshadow);
                }
        }
        return true;
}

static bool join_groups(struct accounts *accounts, const struct user *user, struct err *err) {
        for (size_t i = 0; i < user->groups.count; i++) {
                const char *group = user->groups.items[i];
                if (!add_member(&accounts->group, group, user->name)) {
                        struct arena arena = { 0 };
                        struct nearest nearest = { .wanted = group };
                        offer_names(&accounts->group, &nearest, &arena);
                        (void)fail_at(err, ERR_REFERENCE, &user->place, "user %s: the image has no group \"%s\"",
                                      user->name, group);
                        if (nearest.best)
                                (void)hint(err, "did you mean \"%s\"?", nearest.best);
                        arena_release(&arena);
                        return false;
                }
                (void)add_member(&accounts->gshadow, group, user->name);
        }
        return true;
}

// A home that the image lacks is made; one that packages bring keeps its owner.
static bool make_home(struct config *config, const struct accounts *accounts, const struct user *user,
                      struct err *err) {
        size_t length;
        unsigned uid, gid;
        const char *line = find_line(&accounts->passwd, user->name, &length);
        if (!line || !user->home || !*user->home || strcmp(user->home, "/") == 0 ||
            tree_exists(config->root, user->home))
                return true;
        if (sscanf(line, "%*[^:]:%*[^:]:%u:%u:", &uid, &gid) != 2)
                return fail_at(err, ERR_REFERENCE, &user->place, "/etc/passwd holds a malformed line for %s",
                               user->name);
        return tree_mkdir(config->root, user->home, user->system ? 0755 : 0700, uid, gid, err);
}

// In place: the file keeps its owner and mode (0000 in EL, group shadow in others).
static bool write_table(int root, const struct table *table, unsigned mode, struct err *err) {
        auto_close int file = -1;
        if (!table->changed)
                return true;
        if (!tree_exists(root, table->path))
                return tree_write(root, table->path, table->text.data, table->text.size, mode, 0, 0, err);
        return fs_open_in_root(root, table->path, O_WRONLY | O_TRUNC, 0, &file, err) &&
               (fs_write_all(file, table->text.data, table->text.size, err) || wrap(err, "%s", table->path));
}

static bool write_accounts(struct config *config, struct accounts *accounts, struct err *err) {
        const struct role *role = config->role;
        struct table *const tables[] = { &accounts->passwd, &accounts->group, &accounts->shadow, &accounts->gshadow };
        for (size_t i = 0; i < lengthof(tables); i++)
                if (!tree_read(config->root, tables[i]->path, &tables[i]->text, err))
                        return false;
        for (size_t i = 0; i < role->user_count; i++)
                if (!add_user(config, accounts, &role->users[i], err))
                        return false;
        for (size_t i = 0; i < role->user_count; i++)
                if (!join_groups(accounts, &role->users[i], err))
                        return false;
        if (!write_table(config->root, &accounts->passwd, 0644, err) ||
            !write_table(config->root, &accounts->group, 0644, err) ||
            !write_table(config->root, &accounts->shadow, 0000, err) ||
            !write_table(config->root, &accounts->gshadow, 0000, err))
                return false;
        for (size_t i = 0; i < role->user_count; i++)
                if (!make_home(config, accounts, &role->users[i], err))
                        return false;
        return true;
}

bool accounts_write(struct config *config, struct err *err) {
        struct accounts accounts = {
                .passwd = { .path = "/etc/passwd" },
                .group = { .path = "/etc/group" },
                .shadow = { .path = "/etc/shadow" },
                .gshadow = { .path = "/etc/gshadow" },
        };
        bool ok = config->role->user_count == 0 || write_accounts(config, &accounts, err);
        buf_release(&accounts.passwd.text);
        buf_release(&accounts.group.text);
        buf_release(&accounts.shadow.text);
        buf_release(&accounts.gshadow.text);
        return ok;
}
