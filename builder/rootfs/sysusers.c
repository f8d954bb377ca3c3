// SPDX-License-Identifier: MIT
#include "rootfs/sysusers.h"

#include <assert.h>
#include <ctype.h>
#include <fcntl.h>
#include <rpm/header.h>
#include <rpm/rpmtag.h>
#include <rpm/rpmtd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "shared/base64.h"

enum { ID_MAX = 999, ID_MIN = 201, DAY_SECONDS = 86400, LINE_BYTES_MAX = 4096, WORDS_MAX = 6, ACCOUNTS_MAX = 4 << 20 };

// sysusers.d(5): type, name, id, description, home, shell; what is not said is "-".
struct line {
        char *text; // heap; the words point into it
        const char *words[WORDS_MAX];
};

// A word, perhaps in quotes; NULL at the end.
static char *next_field(char **next) {
        char *at = *next + strspn(*next, " \t\n");
        if (!*at)
                return NULL;
        const char *ends = " \t\n";
        if (*at == '"' || *at == '\'') {
                ends = "\"";
                if (*at == '\'')
                        ends = "'";
                at++;
        }
        char *end = at + strcspn(at, ends);
        *next = end;
        if (*end)
                *next = end + 1;
        *end = '\0';
        return at;
}

static bool is_account_name(const char *name) {
        if (!isalpha((unsigned char)*name) && *name != '_')
                return false;
        for (; *name; name++)
                if (!isalnum((unsigned char)*name) && !strchr("_-.", *name))
                        return false;
        return true;
}

// rpm fills the line up with zero bytes, so that its base64 needs no padding.
static bool read_declaration(const char *encoded, struct line *ret, struct err *err) {
        auto_buf bytes = { .max = LINE_BYTES_MAX };
        if (!base64_decode(encoded, strlen(encoded), &bytes))
                return fail(err, ERR_TRANSACTION, 0, "`%s` is not base64", encoded);
        *ret = (struct line){ .text = xstrdup(buf_text(&bytes)) };
        char *next = ret->text;
        for (size_t i = 0; i < WORDS_MAX; i++) {
                const char *word = next_field(&next);
                ret->words[i] = "-";
                if (word)
                        ret->words[i] = word;
        }
        if (is_account_name(ret->words[1]) && !strpbrk(ret->words[3], ":\n") && !strpbrk(ret->words[4], ":\n") &&
            !strpbrk(ret->words[5], ":\n"))
                return true;
        fail(err, ERR_TRANSACTION, 0, "it is not a line of sysusers.d: %s", buf_text(&bytes));
        free(ret->text);
        return false;
}

// ---- account files ----

static const char *find_entry(const struct buf *file, const char *name) {
        size_t length = strlen(name);
        for (const char *line = buf_text(file); line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (strncmp(line, name, length) == 0 && line[length] == ':')
                        return line;
        }
        return NULL;
}

// The number in the third field; -1: there is none.
static long entry_id(const char *line) {
        const char *second = strchr(line, ':');
        const char *third = NULL;
        if (second)
                third = strchr(second + 1, ':');
        if (!third)
                return -1;
        return strtol(third + 1, NULL, 10);
}

static bool entry_has_id(const struct buf *file, long id) {
        for (const char *line = buf_text(file); line && *line; line = strchr(line, '\n')) {
                line += *line == '\n';
                if (*line && entry_id(line) == id)
                        return true;
        }
        return false;
}

static bool read_accounts(const char *path, struct buf *ret, struct err *err) {
        return fs_read(AT_FDCWD, path, ret, err);
}

// A file that is not there has nobody to add to: an image need not have shadow passwords.
static bool append_declared(const char *path, const char *line, struct err *err) {
        auto_buf text = { .max = ACCOUNTS_MAX };
        struct stat stat;
        if (lstat(path, &stat) < 0)
                return true;
        if (!read_accounts(path, &text, err))
                return false;
        if (text.size > 0 && text.data[text.size - 1] != '\n')
                buf_append_char(&text, '\n');
        buf_append_text(&text, line);
        return fs_write_atomic(AT_FDCWD, path, text.data, text.size, stat.st_mode & 07777, err);
}

static bool choose_id(const struct buf *users, const struct buf *groups, long *ret, struct err *err) {
        for (long id = ID_MAX; id >= ID_MIN; id--) {
                if (entry_has_id(users, id) || entry_has_id(groups, id))
                        continue;
                *ret = id;
                return true;
        }
        return fail(err, ERR_TRANSACTION, 0, "no number from %d to %d is free", ID_MIN, ID_MAX);
}

// "UID", "UID:GID" and "UID:GROUP"; "-" and a path: any.
static bool read_ids(const char *text, long *ret_uid, const char **ret_group) {
        char *end;
        *ret_uid = -1;
        *ret_group = NULL;
        if (*text == '-' || *text == '/')
                return true;
        *ret_uid = strtol(text, &end, 10);
        if (*end == ':')
                *ret_group = end + 1;
        return end != text && (!*end || *end == ':') && *ret_uid >= 0;
}

// -1: none is said.
static long number_of(const char *word) {
        char *end;
        long number = strtol(word, &end, 10);
        if (end == word || *end || number < 0)
                return -1;
        return number;
}

static bool declare_group(const struct line *line, long wanted, long *ret_gid, struct err *err) {
        auto_buf users = { .max = ACCOUNTS_MAX }, groups = { .max = ACCOUNTS_MAX };
        const char *name = line->words[1];
        if (!read_accounts("/etc/passwd", &users, err) || !read_accounts("/etc/group", &groups, err))
                return false;
        const char *known = find_entry(&groups, name);
        *ret_gid = wanted;
        if (known) {
                *ret_gid = entry_id(known);
                return true;
        }
        if ((wanted < 0 || entry_has_id(&groups, wanted)) && !choose_id(&users, &groups, ret_gid, err))
                return false;
        auto_free char *entry = xasprintf("%s:x:%ld:\n", name, *ret_gid);
        auto_free char *shadow = xasprintf("%s:!*::\n", name);
        return append_declared("/etc/group", entry, err) && append_declared("/etc/gshadow", shadow, err);
}

// The group that "UID:GROUP" names, by number or by name.
static bool find_group(const char *group, long *ret_gid, struct err *err) {
        auto_buf groups = { .max = ACCOUNTS_MAX };
        char *end;
        *ret_gid = strtol(group, &end, 10);
        if (!*end)
                return true;
        if (!read_accounts("/etc/group", &groups, err))
                return false;
        const char *known = find_entry(&groups, group);
        if (!known)
                return fail(err, ERR_TRANSACTION, 0, "there is no group `%s`", group);
        *ret_gid = entry_id(known);
        return true;
}

static const char *said(const char *word, const char *otherwise) {
        if (strcmp(word, "-") == 0)
                return otherwise;
        return word;
}

static bool declare_user(const struct line *line, int64_t source_date_epoch, struct err *err) {
        auto_buf users = { .max = ACCOUNTS_MAX };
        const char *name = line->words[1], *group;
        long uid, gid;
        if (!read_accounts("/etc/passwd", &users, err))
                return false;
        if (find_entry(&users, name))
                return true;
        if (!read_ids(line->words[2], &uid, &group))
                return fail(err, ERR_TRANSACTION, 0, "`%s` is no number of a user", line->words[2]);
        bool found;
        if (group)
                found = find_group(group, &gid, err);
        else
                found = declare_group(line, uid, &gid, err);
        if (!found)
                return false;
        if (uid < 0 || entry_has_id(&users, uid))
                uid = gid; // declare_group() chose one that is free for both
        auto_free char *entry = xasprintf("%s:x:%ld:%ld:%s:%s:%s\n", name, uid, gid, said(line->words[3], ""),
                                          said(line->words[4], "/"), said(line->words[5], "/usr/sbin/nologin"));
        auto_free char *shadow = xasprintf("%s:!*:%lld::::::\n", name, (long long)(source_date_epoch / DAY_SECONDS));
        return append_declared("/etc/passwd", entry, err) && append_declared("/etc/shadow", shadow, err);
}

// ---- provides ----

static bool make_declared(const char *kind, const char *encoded, int64_t source_date_epoch, struct err *err) {
        struct line line = { 0 };
        long gid;
        bool ok = true;
        if (!read_declaration(encoded, &line, err))
                return wrap(err, "%s", kind);
        if (strncmp(kind, "user(", 5) == 0)
                ok = declare_user(&line, source_date_epoch, err);
        else
                ok = declare_group(&line, number_of(line.words[2]), &gid, err);
        free(line.text);
        return ok || wrap(err, "%s", kind);
}

static bool is_declaration(const char *name, const char *version) {
        return *version && (strncmp(name, "user(", 5) == 0 || strncmp(name, "group(", 6) == 0);
}

// Groups first: "UID:GROUP" may name one.
static bool make_all(struct rpmtd_s *names, struct rpmtd_s *versions, bool groups, int64_t source_date_epoch,
                     struct err *err) {
        rpmtdInit(names);
        rpmtdInit(versions);
        const char *name;
        while ((name = rpmtdNextString(names)) != NULL) {
                const char *version = rpmtdNextString(versions);
                bool is_group = *name == 'g';
                if (!version || !is_declaration(name, version) || is_group != groups)
                        continue;
                if (!make_declared(name, version, source_date_epoch, err))
                        return false;
        }
        return true;
}

bool sysusers_make(Header header, int64_t source_date_epoch, struct err *err) {
        struct rpmtd_s names, versions;
        assert(header);
        if (access("/etc/passwd", F_OK) < 0 || access("/etc/group", F_OK) < 0)
                return true;
        if (!headerGet(header, RPMTAG_PROVIDENAME, &names, HEADERGET_MINMEM))
                return true;
        bool ok = true;
        if (headerGet(header, RPMTAG_PROVIDEVERSION, &versions, HEADERGET_MINMEM)) {
                ok = make_all(&names, &versions, true, source_date_epoch, err) &&
                     make_all(&names, &versions, false, source_date_epoch, err);
                rpmtdFreeData(&versions);
        }
        rpmtdFreeData(&names);
        return ok;
}
