// SPDX-License-Identifier: MIT
// What an installation leaves behind that depends on when, where or how often it ran.
#include "rootfs/normalise.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "rootfs/acl.h"
#include "rootfs/java_keystore.h"

enum { SECONDS_PER_DAY = 86400 };

enum action {
        REMOVE,        // the file or tree
        REMOVE_KEY,    // a file that a scriptlet made from chance, and that a service may miss: with a warning
        REMOVE_INSIDE, // everything in the directory
        REMOVE_FILES,  // everything in the directory but what packages put there: directories, and files whose times
                       // are not the clock's
        EMPTY,         // the file's content; 0444: systemd then keeps its presets and makes an id for each machine
};

// The last component may be a pattern.
static const struct rule {
        enum action action;
        const char *directory, *pattern;
} rules[] = {
        { EMPTY, "etc", "machine-id" },
        { REMOVE, "var/lib/dbus", "machine-id" },
        { REMOVE, "etc", "passwd-" },
        { REMOVE, "etc", "group-" },
        { REMOVE, "etc", "shadow-" },
        { REMOVE, "etc", "gshadow-" },
        { REMOVE, "etc", "subuid-" },
        { REMOVE, "etc", "subgid-" },
        { REMOVE, "etc", ".pwd.lock" },
        { REMOVE, "etc/ssh", "ssh_host_*" },
        { REMOVE, "var/lib/systemd", "random-seed" },
        { REMOVE, "var/lib/systemd", "credential.secret" },
        { REMOVE, "var/lib", "random-seed" },
        { REMOVE, "var/lib/NetworkManager", "secret_key" },
        { REMOVE, "etc/iscsi", "initiatorname.iscsi" },
        { REMOVE, "var/lib/rpm", "__db.*" },
        { REMOVE, "var/lib/rpm", ".rpm.lock" },
        { REMOVE, "var/lib/rpm", ".dbenv.lock" },
        { REMOVE, "usr/lib/sysimage/rpm", ".rpm.lock" },
        { REMOVE, "var/cache/ldconfig", "aux-cache" },
        { REMOVE, "root", ".bash_history" },
        { REMOVE_KEY, "etc/pki/tls/private", "localhost.key" },
        { REMOVE_KEY, "etc/pki/tls/certs", "localhost.crt" },
        { REMOVE_FILES, "etc/openldap", "certs" }, // an empty store under a random password; libldap does without
        { REMOVE_FILES, "var", "log" },
        { REMOVE_FILES, "var", "cache" },
        { REMOVE_INSIDE, "", "tmp" },
        { REMOVE_INSIDE, "var", "tmp" },
        { REMOVE_INSIDE, "", "dev" },
};

// Directories that are a link in some images are left alone: their target has a rule of its own, or none.
static int open_plain_dir(int dir, const char *path) {
        int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        auto_free char *copy = xstrdup(path);
        char *state = NULL;
        for (char *part = strtok_r(copy, "/", &state); part && fd >= 0; part = strtok_r(NULL, "/", &state)) {
                int next = openat(fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                close(fd);
                fd = next;
        }
        return fd;
}

struct match {
        const struct rule *rule;
        const char *pattern; // NULL: all
        bool files_only, keys_only;
};

// librpm sets the times that packages record, in whole seconds. A time with a fraction is the clock's: a scriptlet
// or librpm itself wrote the file now. Clocks are not asked when: a package may be as young as its installation.
static bool is_of_the_clock(const struct stat *stat) { return stat->st_mtim.tv_nsec != 0; }

static bool remove_matching(const struct fs_entry *entry, void *context, struct err *err) {
        const struct match *match = context;
        bool directory = S_ISDIR(entry->stat->st_mode);
        if (match->pattern && fnmatch(match->pattern, entry->name, 0) != 0) {
                *entry->descend = false;
                return true;
        }
        bool is_of_package = directory || !is_of_the_clock(entry->stat);
        if (match->files_only && is_of_package)
                return true;
        bool is_whiteout = S_ISCHR(entry->stat->st_mode) && entry->stat->st_rdev == 0;
        if (is_whiteout) // without it the lower layer's file would be back
                return true;
        *entry->descend = false;
        if (match->keys_only && !is_of_the_clock(entry->stat))
                return true;
        if (match->keys_only)
                warning("/%s/%s, which a scriptlet made, would be the same on every node: it is left out; give the "
                        "role one of its own",
                        match->rule->directory, entry->name);
        return fs_remove_tree(entry->parent, entry->name, err);
}

static bool empty_file(int dir, const char *name, struct err *err) {
        struct stat stat;
        if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(stat.st_mode))
                return true;
        return fs_write_atomic(dir, name, "", 0, 0444, err);
}

static bool apply_rule(int tree, const struct rule *rule, struct err *err) {
        auto_close int dir = open_plain_dir(tree, rule->directory);
        if (dir < 0)
                return true;
        struct match match = { .rule = rule };
        auto_close int inside = -1;
        switch (rule->action) {
        case EMPTY:
                return empty_file(dir, rule->pattern, err);
        case REMOVE_KEY:
                match.keys_only = true;
                match.pattern = rule->pattern;
                return fs_walk(dir, remove_matching, &match, err);
        case REMOVE:
                match.pattern = rule->pattern;
                return fs_walk(dir, remove_matching, &match, err);
        case REMOVE_FILES:
                match.files_only = true;
                break;
        case REMOVE_INSIDE:
                break;
        }
        inside = open_plain_dir(dir, rule->pattern);
        if (inside < 0)
                return true;
        return fs_walk(inside, remove_matching, &match, err);
}

// ---- /etc/shadow: the day of a password's last change, shadow(5) ----

// The field behind the `count`th colon of a line, or NULL; `end` is the line's.
static const char *field_after(const char *line, const char *end, int count) {
        for (; line && count > 0; count--) {
                line = memchr(line, ':', (size_t)(end - line));
                if (line)
                        line++;
        }
        return line;
}

// A password that the installation set, or one of a day that has not come yet.
static bool is_of_installation(int64_t changed, int64_t started_day, int64_t epoch_day) {
        return changed > epoch_day || (changed > 0 && changed >= started_day);
}

static void append_shadow_line(struct buf *text, const char *line, size_t length, int64_t started_day,
                               int64_t epoch_day) {
        const char *end = line + length;
        const char *day = field_after(line, end, 2), *rest = field_after(line, end, 3);
        int64_t changed = 0;
        if (rest && rest - 1 > day)
                changed = strtoll(day, NULL, 10);
        if (rest && is_of_installation(changed, started_day, epoch_day)) {
                buf_append(text, line, (size_t)(day - line));
                buf_printf(text, "%lld:", (long long)epoch_day);
                buf_append(text, rest, (size_t)(end - rest));
        } else {
                buf_append(text, line, length);
        }
        buf_append_char(text, '\n');
}

static void append_shadow_lines(struct buf *text, const char *line, int64_t started, int64_t epoch) {
        while (*line) {
                size_t length = strcspn(line, "\n");
                append_shadow_line(text, line, length, started / SECONDS_PER_DAY, epoch / SECONDS_PER_DAY);
                line += length;
                if (*line == '\n')
                        line++;
        }
}

static bool normalise_shadow(int tree, int64_t started, int64_t epoch, struct err *err) {
        auto_close int etc = open_plain_dir(tree, "etc");
        if (etc < 0)
                return true;
        auto_close int file = openat(etc, "shadow", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (file < 0)
                return true;
        auto_buf before = { .max = 1 << 20 }, after = { 0 };
        if (!buf_read_fd(&before, file, err))
                return wrap(err, "/etc/shadow");
        append_shadow_lines(&after, buf_text(&before), started, epoch);
        if (before.size == after.size && memcmp(buf_text(&before), buf_text(&after), after.size) == 0)
                return true;
        if (lseek(file, 0, SEEK_SET) < 0 || ftruncate(file, 0) < 0)
                return fail(err, ERR_SYSTEM, errno, "rewrite /etc/shadow");
        return fs_write_all(file, after.data, after.size, err);
}

// ---- content, attributes and time stamps ----

// Caches that are made anew, or done without: their content depends on addresses, on the clock or on the order of
// directories. Patterns of whole paths.
static const char *const caches[] = {
        "usr/lib/jvm/*/classes.jsa", // of `java -Xshare:dump`
        "usr/lib/fontconfig/cache/*",
};
static const char java_certificates[] = "etc/pki/ca-trust/extracted/java/cacerts";

static bool is_cache(const char *path) {
        for (size_t i = 0; i < lengthof(caches); i++)
                if (fnmatch(caches[i], path, 0) == 0)
                        return true;
        return false;
}

static bool settle_content(const struct fs_entry *entry, void *context, struct err *err) {
        const int64_t *epoch = context;
        if (!S_ISREG(entry->stat->st_mode) || !is_of_the_clock(entry->stat))
                return true;
        if (is_cache(entry->path))
                return unlinkat(entry->parent, entry->name, 0) == 0 ||
                       fail(err, ERR_SYSTEM, errno, "remove %s", entry->path);
        if (strcmp(entry->path, java_certificates) != 0)
                return true;
        return java_keystore_settle(entry->parent, entry->name, *epoch, err);
}

// What rpm leaves beside a configuration file that it did not replace, or did.
static bool is_leftover_of_rpm(const char *name) {
        return fnmatch("?*.rpmnew", name, 0) == 0 || fnmatch("?*.rpmsave", name, 0) == 0;
}

static bool normalise_entry(const struct fs_entry *entry, void *context, struct err *err) {
        const int64_t *epoch = context;
        if (S_ISREG(entry->stat->st_mode) && is_leftover_of_rpm(entry->name))
                warning("two packages disagree about a configuration file: /%s", entry->path);
        auto_free char *shown = xasprintf("/%s", entry->path);
        if (!acl_settle(entry->parent, entry->name, shown, err))
                return false;
        if (!is_of_the_clock(entry->stat))
                return true;
        struct timespec times[2] = { { .tv_sec = *epoch }, { .tv_sec = *epoch } };
        return utimensat(entry->parent, entry->name, times, AT_SYMLINK_NOFOLLOW) == 0 ||
               fail(err, ERR_SYSTEM, errno, "set the time of %s", entry->path);
}

bool normalise_tree(int dir, int64_t started, int64_t source_date_epoch, struct err *err) {
        for (size_t i = 0; i < lengthof(rules); i++)
                if (!apply_rule(dir, &rules[i], err))
                        return wrap(err, "normalising");
        struct timespec times[2] = { { .tv_sec = source_date_epoch }, { .tv_sec = source_date_epoch } };
        auto_close int top = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (!normalise_shadow(dir, started, source_date_epoch, err) ||
            !fs_walk(dir, settle_content, &source_date_epoch, err) ||
            !fs_walk(dir, normalise_entry, &source_date_epoch, err) || !acl_settle(top, ".", "/", err))
                return wrap(err, "normalising");
        return futimens(top, times) == 0 || fail(err, ERR_SYSTEM, errno, "set the time of the root directory");
}
