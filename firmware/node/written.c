// SPDX-License-Identifier: MIT
#include "firmware/node/written.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "firmware/node/root/root.h"

#define LIST "/var/lib/kiln/files"

enum { LIST_MAX = 1 << 20 };

// The next line of `*at`, which moves, without its newline; NULL at the end.
static const char *next_path(const char **at, size_t *ret_size) {
        const char *line = *at;
        *ret_size = strcspn(line, "\n");
        *at = line + *ret_size + (line[*ret_size] == '\n');
        if (*line == '\0')
                return NULL;
        return line;
}

static bool has_line(const char *list, const char *wanted, size_t wanted_size) {
        size_t size;
        for (const char *line; (line = next_path(&list, &size));)
                if (size == wanted_size && memcmp(line, wanted, size) == 0)
                        return true;
        return false;
}

static bool has_path(const struct plan *plan, const char *path, size_t size) {
        for (size_t i = 0; i < plan->file_count; i++)
                if (strlen(plan->files[i].path) == size && memcmp(plan->files[i].path, path, size) == 0)
                        return true;
        return false;
}

static void add_plan(struct buf *list, const struct plan *plan, const char *except) {
        for (size_t i = 0; i < plan->file_count; i++)
                if (!has_line(except, plan->files[i].path, strlen(plan->files[i].path)))
                        buf_printf(list, "%s\n", plan->files[i].path);
}

static bool write_list(int root, const struct buf *list, struct err *err) {
        bool changed;
        const struct root_file file = { LIST, buf_text(list), list->size, 0600, geteuid(), getegid() };
        return root_write(root, &file, &changed, err);
}

bool written_begin(int root, const struct plan *plan, struct written *ret, struct err *err) {
        assert(root >= 0);
        auto_buf before = { .max = LIST_MAX }, list = { 0 };
        bool found;
        *ret = (struct written){ 0 };
        if (!root_read(root, LIST, &before, &found, err))
                return false;
        ret->before = xstrdup(buf_text(&before));
        buf_append_text(&list, ret->before);
        if (list.size && list.data[list.size - 1] != '\n')
                buf_append_char(&list, '\n');
        add_plan(&list, plan, ret->before);
        return write_list(root, &list, err);
}

// Only these places: /run as a whole holds the state disk and the report, too.
static bool is_configuration(const char *path) {
        static const char *const places[] = { "/etc/", "/run/systemd/network/" };
        bool inside = false;
        for (size_t i = 0; i < lengthof(places); i++)
                inside |= strncmp(path, places[i], strlen(places[i])) == 0;
        return inside && !strstr(path, "/../");
}

bool written_end(int root, const struct plan *plan, const struct written *written, size_t *ret_removed,
                 struct err *err) {
        assert(written->before);
        auto_buf list = { 0 };
        const char *at = written->before;
        size_t size;
        *ret_removed = 0;
        for (const char *line; (line = next_path(&at, &size));) {
                auto_free char *path = xstrndup(line, size);
                bool changed;
                if (has_path(plan, line, size) || !is_configuration(path))
                        continue;
                if (!root_remove(root, path, &changed, err))
                        return wrap(err, "a file of an earlier identity");
                *ret_removed += changed;
        }
        add_plan(&list, plan, "");
        return write_list(root, &list, err);
}

void written_release(struct written *written) {
        free(written->before);
        *written = (struct written){ 0 };
}
