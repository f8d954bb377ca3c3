// SPDX-License-Identifier: MIT
// The users and groups that a role adds to the image.
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
#include "rootfs/account_tables.h"
#include "rootfs/tree.h"
#include "shared/place.h"
#include "shared/value.h"

// Appends "did you mean ...?" to an error about a name that the table lacks.
static void hint_account(const struct account_table *table, const char *name, struct err *err) {
        struct arena arena = { 0 };
        struct nearest nearest = { .wanted = name };
        size_t length = 0;
        for (const char *line = NULL; account_next(table, &line, &length);)
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

static bool find_id(const struct account_table *table, const char *kind, const char *name, const struct place *place,
                    unsigned *ret, struct err *err) {
        size_t length;
        const char *line = account_find(table, name, &length);
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
        struct account_table table = { .path = path, .text = { .max = 16 << 20 } };
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
static bool add_member(struct account_table *table, const char *group, const char *name) {
        size_t length;
        const char *line = account_find(table, group, &length);
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

// For a user of the layer: of a package, or made because a package's files are its own.
static bool check_known_user(const struct user *user, long uid, struct err *err) {
        if (user->uid < 0 || uid == user->uid)
                return true;
        return fail_at(err, ERR_REFERENCE, &user->place, "the image has user %s with uid %ld already, not %lld",
                       user->name, uid, (long long)user->uid);
}

static bool add_user(struct config *config, struct accounts *accounts, const struct user *user, struct err *err) {
        size_t length;
        const char *line = account_find(&accounts->passwd, user->name, &length);
        if (line)
                return check_known_user(user, account_id(line, length), err);
        return accounts_add(accounts, user, config->source_date_epoch, err);
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
        const char *line = account_find(&accounts->passwd, user->name, &length);
        if (!line || !wants_home(user) || tree_exists(config->root, user->home))
                return true;
        if (sscanf(line, "%*[^:]:%*[^:]:%u:%u:", &uid, &gid) != 2)
                return fail_at(err, ERR_REFERENCE, &user->place, "/etc/passwd holds a malformed line for %s",
                               user->name);
        unsigned mode = user->system ? 0755 : 0700;
        return tree_mkdir(config->root, user->home, mode, uid, gid, err);
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
        struct accounts accounts = { 0 };
        if (config->role->user_count == 0)
                return true;
        bool ok = accounts_read(config->root, &accounts, err) && add_users(config, &accounts, err) &&
                  accounts_save(config->root, &accounts, err) && make_homes(config, &accounts, err);
        accounts_release(&accounts);
        return ok;
}
