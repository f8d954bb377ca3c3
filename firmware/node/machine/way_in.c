// SPDX-License-Identifier: MIT
#include "firmware/node/machine/way_in.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "firmware/node/root/root.h"

enum { ACCOUNTS_MAX = 1 << 20, HOME_FIELD = 5 };

// False: there is no such file, or none that can be read.
static bool read_access_text(int root, const char *path, struct buf *ret) {
        auto_err ignored = { 0 };
        bool found = false;
        return root_read(root, path, ret, &found, &ignored) && found && !ret->overflow;
}

static const char *line_after(const char *line) {
        line += strcspn(line, "\n");
        return line + (*line == '\n');
}

// shadow(5): what begins with "*" or "!" is no password, nor is the "x" of those who copied passwd's.
static bool a_user_has_a_password(const char *shadow) {
        for (const char *line = shadow; *line; line = line_after(line)) {
                const char *field = line + strcspn(line, ":\n");
                if (*field == ':' && !strchr("*!x", field[1]))
                        return true;
        }
        return false;
}

static bool has_key_line(const char *text) {
        for (const char *line = text; *line; line = line_after(line)) {
                const char *word = line + strspn(line, " \t\r");
                if (*word && *word != '\n' && *word != '#')
                        return true;
        }
        return false;
}

// The home directory of a line of passwd(5), on the heap; empty if it has none.
static char *home_of_line(const char *line) {
        for (int i = 0; i < HOME_FIELD; i++) {
                line += strcspn(line, ":\n");
                line += *line == ':';
        }
        return xstrndup(line, strcspn(line, ":\n"));
}

static bool a_user_has_a_key(int root, const char *passwd) {
        for (const char *line = passwd; *line; line = line_after(line)) {
                auto_buf keys = { .max = ACCOUNTS_MAX };
                auto_free char *home = home_of_line(line);
                auto_free char *path = xasprintf("%s/.ssh/authorized_keys", home);
                if (home[0] == '/' && read_access_text(root, path, &keys) && has_key_line(buf_text(&keys)))
                        return true;
        }
        return false;
}

static bool others_know_users(int root) {
        auto_buf sshd = { .max = ACCOUNTS_MAX }, sssd = { .max = ACCOUNTS_MAX };
        if (read_access_text(root, "/etc/sssd/sssd.conf", &sssd))
                return true;
        if (!read_access_text(root, "/etc/ssh/sshd_config", &sshd))
                return false;
        static const char *const words[] = { "\nAuthorizedKeysCommand ", "\nTrustedUserCAKeys ",
                                             "\nAuthorizedKeysFile " };
        for (size_t i = 0; i < lengthof(words); i++)
                if (strstr(buf_text(&sshd), words[i]))
                        return true;
        return false;
}

bool way_in_is_missing(int root) {
        auto_buf passwd = { .max = ACCOUNTS_MAX }, shadow = { .max = ACCOUNTS_MAX };
        assert(root >= 0);
        if (!read_access_text(root, "/etc/passwd", &passwd) || !read_access_text(root, "/etc/shadow", &shadow))
                return false;
        return !a_user_has_a_password(buf_text(&shadow)) && !a_user_has_a_key(root, buf_text(&passwd)) &&
               !others_know_users(root);
}
