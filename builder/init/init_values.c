// SPDX-License-Identifier: MIT
#include "init/init_values.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "init/init.h"
#include "init/internal.h"
#include "profile/reader/authorized_key.h"
#include "profile/reader/diagnostics.h"
#include "profile/reader/names.h"
#include "profile/reader/paths.h"

enum { KEY_MAX_BYTES = 64 << 10 };

// Digits alone: strtoul(3) takes blanks and signs, too.
static bool read_plain_number(const char *text, unsigned long *ret) {
        enum { DIGITS_MAX = 9 };
        size_t digits = strspn(text, "0123456789");
        if (digits == 0 || digits > DIGITS_MAX || text[digits])
                return false;
        *ret = strtoul(text, NULL, 10);
        return true;
}

bool init_subnet_read(struct arena *arena, const char *text, struct in_addr *ret, int *ret_prefix, struct err *err) {
        enum { LEAST_PREFIX = 8, MOST_PREFIX = 29 };
        struct in_addr address;
        unsigned long prefix = 0;
        size_t size = strcspn(text, "/");
        bool has_prefix = text[size] == '/' && read_plain_number(text + size + 1, &prefix);
        bool is_usual = has_prefix && prefix >= LEAST_PREFIX && prefix <= MOST_PREFIX;
        if (!is_usual || inet_pton(AF_INET, arena_strndup(arena, text, size), &address) != 1)
                return fail(err, ERR_USAGE, 0, "`%s`: an IPv4 subnet of /8 to /29 is needed, such as 10.1.0.0/24",
                            text);
        struct in_addr first = { address.s_addr & prefix_mask((int)prefix).s_addr };
        if (first.s_addr != address.s_addr)
                return fail(err, ERR_USAGE, 0, "`%s`: the subnet begins at %s", text, in_addr_text(arena, first));
        *ret = first;
        *ret_prefix = (int)prefix;
        return true;
}

bool init_count_read(const char *text, unsigned *ret, struct err *err) {
        unsigned long number = 0;
        if (!read_plain_number(text, &number) || number > INIT_NODES_MAX)
                return fail(err, ERR_USAGE, 0, "`%s`: a number is needed, up to %d", text, INIT_NODES_MAX);
        *ret = (unsigned)number;
        return true;
}

// A shell leaves it in --ssh-key=~/FILE, and a question has no shell.
static const char *expand_home(struct arena *arena, const char *path) {
        const char *home = getenv("HOME");
        if (!home || strncmp(path, "~/", 2) != 0)
                return path;
        return arena_printf(arena, "%s/%s", home, path + 2);
}

bool init_keys_read(struct arena *arena, const char *path, struct strings *ret, struct err *err) {
        auto_buf text = { .max = KEY_MAX_BYTES };
        struct strings keys = { 0 };
        path = expand_home(arena, path);
        if (!fs_read(AT_FDCWD, path, &text, err))
                return false;
        if (authorized_keys_are_private(buf_text(&text))) {
                fail(err, ERR_USAGE, 0, "%s is a private key, which no cluster file may have", path);
                return hint(err, "its public half is in %s.pub", path);
        }
        int number = 1;
        for (const char *line = buf_text(&text); *line; number++) {
                size_t length = strcspn(line, "\n");
                const char *key = host_text(arena, line, length);
                line += length + (line[length] == '\n');
                if (!key[0] || key[0] == '#')
                        continue;
                if (!authorized_key_check(key, err))
                        return wrap(err, "%s:%d", path, number);
                strings_add_once(arena, &keys, key);
        }
        if (keys.count == 0)
                return fail(err, ERR_USAGE, 0, "%s has no key", path);
        *ret = keys;
        return true;
}

bool init_release_find(struct arena *arena, const char *dir, const char *name, struct err *err) {
        struct strings known;
        if (!init_releases(arena, &known, err))
                return false;
        const char *own = arena_printf(arena, "%s/releases/%s.yaml", dir, name);
        const char *path = path_beside(arena, arena_printf(arena, "%s/cluster.yaml", dir), name);
        bool is_file = strpbrk(name, "/.") && fs_exists(AT_FDCWD, path);
        if (strings_have(&known, name) || is_file || fs_exists(AT_FDCWD, own))
                return true;
        auto_diagnostics unknown = { .arena = arena };
        report(&unknown, ERR_REFERENCE, NULL, "there is no release `%s`", name);
        report_known(&unknown, name, &known);
        return diagnostics_finish(&unknown, err);
}
