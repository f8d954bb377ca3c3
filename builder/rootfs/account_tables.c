// SPDX-License-Identifier: MIT
#include "rootfs/account_tables.h"

#include <assert.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "rootfs/tree.h"
#include "shared/place.h"

enum { SYSTEM_ID_MAX = 999, SYSTEM_ID_MIN = 201, USER_ID_MIN = 1000, USER_ID_MAX = 60000, SECONDS_PER_DAY = 86400 };

// ---- reading ----

bool account_next(const struct account_table *table, const char **line, size_t *length) {
        const char *at = buf_text(&table->text);
        if (*line)
                at = *line + *length;
        if (*line && *at == '\n')
                at++;
        *line = at;
        *length = strcspn(at, "\n");
        return *at != '\0';
}

const char *account_find(const struct account_table *table, const char *name, size_t *ret_length) {
        size_t name_length = strlen(name), length = 0;
        for (const char *line = NULL; account_next(table, &line, &length);) {
                bool is_longer = length > name_length;
                if (is_longer && strncmp(line, name, name_length) == 0 && line[name_length] == ':') {
                        *ret_length = length;
                        return line;
                }
        }
        return NULL;
}

long account_id(const char *line, size_t length) {
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

static bool id_is_used(const struct account_table *table, long id) {
        size_t length = 0;
        for (const char *line = NULL; account_next(table, &line, &length);)
                if (account_id(line, length) == id)
                        return true;
        return false;
}

// ---- adding ----

static void append_account(struct account_table *table, const char *line) {
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

static bool fits_passwd(const char *field) { return !field || !strpbrk(field, ":\n"); }

static bool user_fits_passwd(const struct user *user) {
        bool name_fits = *user->name && !strpbrk(user->name, ":\n/ ");
        return name_fits && fits_passwd(user->home) && fits_passwd(user->shell) && fits_passwd(user->comment);
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
static void append_shadow(struct account_table *shadow, const struct user *user, int64_t source_date_epoch) {
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
        const char *own_group = account_find(&accounts->group, user->name, &length);
        long gid = own_group ? account_id(own_group, length) : uid;
        auto_free char *passwd =
            xasprintf("%s:x:%ld:%ld:%s:%s:%s", user->name, uid, gid, text_or(user->comment, ""),
                      text_unless_empty(user->home, "/"), text_unless_empty(user->shell, "/sbin/nologin"));
        append_account(&accounts->passwd, passwd);
        append_shadow(&accounts->shadow, user, source_date_epoch);
        if (!own_group)
                append_group(accounts, user, gid);
}

bool accounts_add(struct accounts *accounts, const struct user *user, int64_t source_date_epoch, struct err *err) {
        assert(user->name);
        long uid = -1;
        if (!user_fits_passwd(user))
                return fail_at(err, ERR_SCHEMA, &user->place, "user \"%s\" holds a character that passwd(5) cannot",
                               user->name);
        if (!choose_uid(accounts, user, &uid, err))
                return false;
        append_user(accounts, user, uid, source_date_epoch);
        return true;
}

// ---- the files ----

// In place: the file keeps its owner and mode (0000 in EL, group shadow in others).
static bool write_account_table(int root, const struct account_table *table, unsigned mode, struct err *err) {
        auto_close int file = -1;
        if (!table->changed)
                return true;
        if (!tree_exists(root, table->path))
                return tree_write(root, table->path, table->text.data, table->text.size, mode, 0, 0, err);
        if (!fs_open_in_root(root, table->path, O_WRONLY | O_TRUNC, 0, &file, err))
                return false;
        return fs_write_all(file, table->text.data, table->text.size, err) || wrap(err, "%s", table->path);
}

bool accounts_read(int root, struct accounts *ret, struct err *err) {
        *ret = (struct accounts){
                .passwd = { .path = "/etc/passwd" },
                .group = { .path = "/etc/group" },
                .shadow = { .path = "/etc/shadow" },
                .gshadow = { .path = "/etc/gshadow" },
        };
        struct account_table *const tables[] = { &ret->passwd, &ret->group, &ret->shadow, &ret->gshadow };
        for (size_t i = 0; i < lengthof(tables); i++)
                if (!tree_read(root, tables[i]->path, &tables[i]->text, err))
                        return false;
        return true;
}

bool accounts_save(int root, const struct accounts *accounts, struct err *err) {
        return write_account_table(root, &accounts->passwd, 0644, err) &&
               write_account_table(root, &accounts->group, 0644, err) &&
               write_account_table(root, &accounts->shadow, 0000, err) &&
               write_account_table(root, &accounts->gshadow, 0000, err);
}

void accounts_release(struct accounts *accounts) {
        buf_release(&accounts->passwd.text);
        buf_release(&accounts->group.text);
        buf_release(&accounts->shadow.text);
        buf_release(&accounts->gshadow.text);
}
