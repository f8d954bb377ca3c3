// SPDX-License-Identifier: MIT
#include "http/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"

static const cap_value_t needed[] = { CAP_NET_BIND_SERVICE, CAP_NET_ADMIN, CAP_NET_RAW };

// Those that it may have become permitted, effective, inheritable and ambient; all others go.
static bool keep_capabilities(struct err *err) {
        cap_t now = cap_get_proc(), wanted = cap_init();
        bool ok = now && wanted;
        for (size_t i = 0; ok && i < lengthof(needed); i++) {
                cap_flag_value_t has = CAP_CLEAR;
                ok = cap_get_flag(now, needed[i], CAP_PERMITTED, &has) == 0;
                if (!ok || has != CAP_SET)
                        continue;
                ok = cap_set_flag(wanted, CAP_PERMITTED, 1, &needed[i], CAP_SET) == 0 &&
                     cap_set_flag(wanted, CAP_EFFECTIVE, 1, &needed[i], CAP_SET) == 0 &&
                     cap_set_flag(wanted, CAP_INHERITABLE, 1, &needed[i], CAP_SET) == 0;
        }
        ok = ok && cap_set_proc(wanted) == 0;
        int number = errno;
        for (size_t i = 0; ok && i < lengthof(needed); i++)
                (void)cap_set_ambient(needed[i], CAP_SET); // those that are not permitted stay unset
        cap_free(now);
        cap_free(wanted);
        return ok || fail(err, ERR_SYSTEM, number, "keep the capabilities for the network");
}

static bool own_files(int dir, const struct passwd *user, struct err *err) {
        auto_closedir DIR *stream = NULL;
        struct dirent *entry;
        bool ok = fs_open_listing(dir, &stream, err);
        while (ok && (ok = fs_next_entry(stream, &entry, err)) && entry)
                if (fchownat(dir, entry->d_name, user->pw_uid, user->pw_gid, AT_SYMLINK_NOFOLLOW) < 0)
                        return fail(err, ERR_SYSTEM, errno, "give %s to %s", entry->d_name, user->pw_name);
        if (ok && fchown(dir, user->pw_uid, user->pw_gid) < 0)
                return fail(err, ERR_SYSTEM, errno, "give the state directory to %s", user->pw_name);
        return ok;
}

static bool find_user(const char *name, const struct passwd **ret, struct err *err) {
        *ret = getpwnam(text_or(name, "dnsmasq"));
        if (!*ret && !name)
                *ret = getpwnam("nobody");
        return *ret || fail(err, ERR_REFERENCE, 0, "--user %s: there is no such user", text_or(name, "nobody"));
}

// In a user namespace that maps root alone there is nobody to become, and root is none outside.
static bool is_mapped(uid_t user) {
        auto_buf map = { .max = 1 << 16 };
        auto_err ignored = { 0 };
        auto_close int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
        if (fd < 0 || !buf_read_fd(&map, fd, &ignored))
                return true;
        char *save = NULL;
        for (char *line = strtok_r(map.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                unsigned long first, outside, count;
                if (sscanf(line, "%lu %lu %lu", &first, &outside, &count) == 3 && user >= first && user - first < count)
                        return true;
        }
        return false;
}

static bool become(const struct passwd *user, struct err *err) {
        if (prctl(PR_SET_KEEPCAPS, 1) < 0 || setgroups(0, NULL) < 0 ||
            setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
            setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
                return fail(err, ERR_SYSTEM, errno, "become %s", user->pw_name);
        return true;
}

bool privileges_drop(const char *user, int dir, struct err *err) {
        const struct passwd *entry = NULL;
        bool stays = geteuid() != 0 || (user && strcmp(user, "root") == 0);
        if (!stays && !find_user(user, &entry, err))
                return false;
        if (entry && is_mapped(entry->pw_uid) && (!own_files(dir, entry, err) || !become(entry, err)))
                return false;
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (geteuid() == 0)
                return true; // as the user asked for
        return keep_capabilities(err);
}

bool privileges_become_owner(int dir, struct err *err) {
        struct stat stat;
        if (fstat(dir, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat the directory");
        bool stays = geteuid() != 0 || stat.st_uid == 0 || !is_mapped(stat.st_uid);
        (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (stays)
                return true;
        if (setgroups(0, NULL) < 0 || setresgid(stat.st_gid, stat.st_gid, stat.st_gid) < 0 ||
            setresuid(stat.st_uid, stat.st_uid, stat.st_uid) < 0)
                return fail(err, ERR_SYSTEM, errno, "become user %u, whose the directory is", stat.st_uid);
        return true;
}
