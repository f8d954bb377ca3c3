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

// Steps through the lines of a table; `*line` is NULL before the first. `length` is without the newline.
static bool next_account(const struct table *table, const char **line, size_t *length) {
        const char *at = buf_text(&table->text);
        if (*line)
                at = *line + *length;
        if (*line && *at == '\n')
                at++;
        *line = at;
        *length = strcspn(at, "\n");
        return *at != '\0';
}

// The line of `name`, or NULL. `ret_length` is without its newline.
static const char *find_account(const struct table *table, const char *name, size_t *ret_length) {
        size_t name_length = strlen(name), length = 0;
        for (const char *line = NULL; next_account(table, &line, &length);) {
                bool is_longer = length > name_length;
                if (is_longer && strncmp(line, name, name_length) == 0 && line[name_length] == ':') {
                        *ret_length = length;
                        return line;
                }
        }
        return NULL;
}

// The number in the third field, for passwd and group alike; -1 if there is none.
static long account_id(const char *line, size_t length) {
        const char *end = line + length, *field = line;
        for (int i = 0; i < 2; i++) {
                field = memchr(field, ':', (size_t)(end - field));
                if (!field)
                        return -1;
                field++;
        }
        if (field == end || !isdigit((unsigned char)*field))
                return -1;
        return strtol(field, NULL, 10);
}

static bool id_is_used(const struct table *table, long id) {
        size_t length = 0;
        for (const char *line = NULL; next_account(table, &line, &length);)
                if (account_id(line, length) == id)
                        return true;
        return false;
}

// Appends "did you mean ...?" to an error about a name that the table lacks.
static void hint_account(const struct table *table, const char *name, struct err *err) {
        struct arena arena = { 0 };
        struct nearest nearest = { .wanted = name };
        size_t length = 0;
        for (const char *line = NULL; next_account(table, &line, &length);)
                nearest_offer(&nearest, arena_strndup(&arena, line, strcspn(line, ":\n")));
        if (nearest.best)
                (void)hint(err, "did you mean \"%s\"?", nearest.best);
        arena_release(&arena);
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

static bool find_id(const struct table *table, const char *kind, const char *name, const struct place *place,
                    unsigned *ret, struct err *err) {
        size_t length;
        const char *line = find_account(table, name, &length);
        long id = line ? account_id(line, length) : -1;
        if (id < 0 && strcmp(name, "root") == 0) // an image without packages has no files to ask
                id = 0;
        if (id < 0) {
                (void)fail_at(err, ERR_REFERENCE, place, "the image has no %s \"%s\"", kind, name);
                hint_account(table, name, err);
                return false;
        }
        *ret = (unsigned)id;
        return true;
}

static bool resolve_id(int root, const char *path, const char *kind, const char *name, const struct place *place,
                       unsigned *ret, struct err *err) {
        if (parse_id(name, ret))
                return true;
        struct table table = { .path = path, .text = { .max = 16 << 20 } };
        bool ok = tree_read(root, path, &table.text, err) && find_id(&table, kind, name, place, ret, err);
        buf_release(&table.text);
        return ok;
}

bool accounts_resolve(int root, const char *owner, const char *group, const struct place *place, unsigned *ret_uid,
                      unsigned *ret_gid, struct err *err) {
        return resolve_id(root, "/etc/passwd", "user", text_or(owner, "root"), place, ret_uid, err) &&
               resolve_id(root, "/etc/group", "group", text_or(group, "root"), place, ret_gid, err);
}

// ---- adding ----

static void append_account(struct table *table, const char *line) {
        if (table->text.size && table->text.data[table->text.size - 1] != '\n')
                buf_append_char(&table->text, '\n');
        buf_append_text(&table->text, line);
        buf_append_char(&table->text, '\n');
        table->changed = true;
}

static bool id_is_free(const struct accounts *accounts, long id) {
        return !id_is_used(&accounts->passwd, id) && !id_is_used(&accounts->group, id);
}

// System ids from 999 down, others from 1000 up, as useradd does; free as user and as group. -1 if none is.
static long free_id(const struct accounts *accounts, bool system) {
        if (system) {
                for (long id = SYSTEM_ID_MAX; id >= SYSTEM_ID_MIN; id--)
                        if (id_is_free(accounts, id))
                                return id;
                return -1;
        }
        for (long id = USER_ID_MIN; id <= USER_ID_MAX; id++)
                if (id_is_free(accounts, id))
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
        const char *line = find_account(table, group, &length);
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
        if (members_length)
                buf_append_char(&text, ',');
        buf_append_text(&text, name);
        buf_append(&text, table->text.data + at, table->text.size - at);
        buf_release(&table->text);
        table->text = text;
        table->changed = true;
        return true;
}

static bool fits_passwd(const char *field) { return !field || !strpbrk(field, ":\n"); }

static bool user_fits_passwd(const struct user *user) {
        bool name_fits = *user->name && !strpbrk(user->name, ":\n/ ");
        return name_fits && fits_passwd(user->home) && fits_passwd(user->shell) && fits_passwd(user->comment);
}

// For a user that a package has made already.
static bool check_known_user(const struct user *user, long uid, struct err *err) {
        if (user->uid < 0 || uid == user->uid)
                return true;
        return fail_at(err, ERR_REFERENCE, &user->place, "a package makes user %s with uid %ld, not %lld", user->name,
                       uid, (long long)user->uid);
}

static bool choose_uid(const struct accounts *accounts, const struct user *user, long *ret_id, struct err *err) {
        long id = (long)user->uid;
        if (user->uid < 0)
                id = free_id(accounts, user->system);
        if (id < 0)
                return fail_at(err, ERR_REFERENCE, &user->place, "no user id is free for %s", user->name);
        if (id_is_used(&accounts->passwd, id))
                return fail_at(err, ERR_DUPLICATE, &user->place, "uid %ld of user %s is taken in the image", id,
                               user->name);
        *ret_id = id;
        return true;
}

static const char *text_unless_empty(const char *text, const char *otherwise) {
        if (!text || !*text)
                return otherwise;
        return text;
}

// Without a password; a user that is no system's gets useradd's ages of one.
static void append_shadow(struct table *shadow, const struct user *user, int64_t source_date_epoch) {
        const char *ages = user->system ? ":::::" : "0:99999:7:::";
        auto_free char *line =
            xasprintf("%s:!!:%lld:%s", user->name, (long long)(source_date_epoch / SECONDS_PER_DAY), ages);
        append_account(shadow, line);
}

static void append_group(struct accounts *accounts, const struct user *user, long gid) {
        auto_free char *group = xasprintf("%s:x:%ld:", user->name, gid);
        auto_free char *gshadow = xasprintf("%s:!::", user->name);
        append_account(&accounts->group, group);
        append_account(&accounts->gshadow, gshadow);
}

// The user's group has its name: one of the image, or a new one with the user's number.
static void append_user(struct accounts *accounts, const struct user *user, long uid, int64_t source_date_epoch) {
        size_t length;
        const char *own_group = find_account(&accounts->group, user->name, &length);
        long gid = own_group ? account_id(own_group, length) : uid;
        auto_free char *passwd =
            xasprintf("%s:x:%ld:%ld:%s:%s:%s", user->name, uid, gid, text_or(user->comment, ""),
                      text_unless_empty(user->home, "/"), text_unless_empty(user->shell, "/sbin/nologin"));
        append_account(&accounts->passwd, passwd);
        append_shadow(&accounts->shadow, user, source_date_epoch);
        if (!own_group)
                append_group(accounts, user, gid);
}

static bool add_user(struct config *config, struct accounts *accounts, const struct user *user, struct err *err) {
        size_t length;
        long uid = -1;
        if (!user_fits_passwd(user))
                return fail_at(err, ERR_SCHEMA, &user->place, "user \"%s\" holds a character that passwd(5) cannot",
                               user->name);
        const char *line = find_account(&accounts->passwd, user->name, &length);
        if (line)
                return check_known_user(user, account_id(line, length), err);
        if (!choose_uid(accounts, user, &uid, err))
                return false;
        append_user(accounts, user, uid, config->source_date_epoch);
        return true;
}

static bool join_groups(struct accounts *accounts, const struct user *user, struct err *err) {
        for (size_t i = 0; i < user->groups.count; i++) {
                const char *group = user->groups.items[i];
                if (!add_member(&accounts->group, group, user->name)) {
                        (void)fail_at(err, ERR_REFERENCE, &user->place, "user %s: the image has no group \"%s\"",
                                      user->name, group);
                        hint_account(&accounts->group, group, err);
                        return false;
                }
                (void)add_member(&accounts->gshadow, group, user->name); // an image may have no gshadow
        }
        return true;
}

static bool wants_home(const struct user *user) { return user->home && *user->home && strcmp(user->home, "/") != 0; }

// A home that the image lacks is made; one that packages bring keeps its owner.
static bool make_home(struct config *config, const struct accounts *accounts, const struct user *user,
                      struct err *err) {
        size_t length;
        unsigned uid, gid;
        const char *line = find_account(&accounts->passwd, user->name, &length);
        if (!line || !wants_home(user) || tree_exists(config->root, user->home))
                return true;
        if (sscanf(line, "%*[^:]:%*[^:]:%u:%u:", &uid, &gid) != 2)
                return fail_at(err, ERR_REFERENCE, &user->place, "/etc/passwd holds a malformed line for %s",
                               user->name);
        unsigned mode = user->system ? 0755 : 0700;
        return tree_mkdir(config->root, user->home, mode, uid, gid, err);
}

// In place: the file keeps its owner and mode (0000 in EL, group shadow in others).
static bool write_account_table(int root, const struct table *table, unsigned mode, struct err *err) {
        auto_close int file = -1;
        if (!table->changed)
                return true;
        if (!tree_exists(root, table->path))
                return tree_write(root, table->path, table->text.data, table->text.size, mode, 0, 0, err);
        if (!fs_open_in_root(root, table->path, O_WRONLY | O_TRUNC, 0, &file, err))
                return false;
        return fs_write_all(file, table->text.data, table->text.size, err) || wrap(err, "%s", table->path);
}

static bool read_account_tables(int root, struct accounts *accounts, struct err *err) {
        struct table *const tables[] = { &accounts->passwd, &accounts->group, &accounts->shadow, &accounts->gshadow };
        for (size_t i = 0; i < lengthof(tables); i++)
                if (!tree_read(root, tables[i]->path, &tables[i]->text, err))
                        return false;
        return true;
}

static bool write_account_tables(int root, const struct accounts *accounts, struct err *err) {
        return write_account_table(root, &accounts->passwd, 0644, err) &&
               write_account_table(root, &accounts->group, 0644, err) &&
               write_account_table(root, &accounts->shadow, 0000, err) &&
               write_account_table(root, &accounts->gshadow, 0000, err);
}

static bool add_users(struct config *config, struct accounts *accounts, struct err *err) {
        const struct role *role = config->role;
        for (size_t i = 0; i < role->user_count; i++)
                if (!add_user(config, accounts, &role->users[i], err))
                        return false;
        for (size_t i = 0; i < role->user_count; i++)
                if (!join_groups(accounts, &role->users[i], err))
                        return false;
        return true;
}

static bool make_homes(struct config *config, const struct accounts *accounts, struct err *err) {
        const struct role *role = config->role;
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
        if (config->role->user_count == 0)
                return true;
        bool ok = read_account_tables(config->root, &accounts, err) && add_users(config, &accounts, err) &&
                  write_account_tables(config->root, &accounts, err) && make_homes(config, &accounts, err);
        buf_release(&accounts.passwd.text);
        buf_release(&accounts.group.text);
        buf_release(&accounts.shadow.text);
        buf_release(&accounts.gshadow.text);
        return ok;
}
