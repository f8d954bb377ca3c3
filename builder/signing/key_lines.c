// SPDX-License-Identifier: MIT
#include "signing/key_lines.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"

enum { KEY_LINES_MAX_BYTES = 64 << 10 };

static bool add_key_line(const char *line, struct ssh_key *keys, size_t max, size_t *count, struct err *err) {
        if (*count == max)
                return fail(err, ERR_SYNTAX, 0, "more than %zu keys", max);
        return ssh_key_parse(line, &keys[(*count)++], err);
}

bool key_lines_read(const char *option, const char *path, struct ssh_key *keys, size_t max, size_t *count,
                    struct err *err) {
        auto_buf text = { .max = KEY_LINES_MAX_BYTES };
        if (!fs_read(AT_FDCWD, path, &text, err))
                return wrap(err, "%s", option);
        buf_append_char(&text, '\n');
        char *rest = text.data;
        int number = 0;
        for (char *line; (line = strsep(&rest, "\n"));) {
                number++;
                line += strspn(line, " \t\r");
                bool is_blank = !*line || *line == '#';
                if (!is_blank && !add_key_line(line, keys, max, count, err))
                        return wrap(err, "%s %s:%d", option, path, number);
        }
        return *count > 0 || fail(err, ERR_SYNTAX, 0, "%s %s holds no public key", option, path);
}
