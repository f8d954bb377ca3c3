// SPDX-License-Identifier: MIT
#include "firmware/node/state/state_root.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/roots/kept_roots.h"
#include "firmware/node/state/state.h"
#include "shared/chunk_index.h"
#include "shared/node_config.h"

#define DOWNLOAD "/run/kiln/download"

enum { LINES_MAX = 64 << 10 };

static bool read_small(const char *path, size_t max, struct buf *ret, struct err *err) {
        ret->max = max + NODE_READ_ROOM_BYTES;
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        return buf_read_fd(ret, fd, err) || wrap(err, "%s", path);
}

// The value of a KEY=VALUE line; NULL: there is none.
static char *value_of_line(const struct buf *lines, const char *key) {
        size_t size = strlen(key);
        for (const char *line = buf_text(lines); *line; line += strspn(line, "\n")) {
                size_t length = strcspn(line, "\n");
                if (length > size && line[size] == '=' && strncmp(line, key, size) == 0)
                        return xstrndup(line + size + 1, length - size - 1);
                line += length;
        }
        return NULL;
}

static bool read_addition(struct kept_addition *addition, const struct buf *configuration, struct err *err) {
        struct stat stat;
        auto_buf origin = { 0 };
        auto_err ignored = { 0 };
        auto_free char *size = value_of_line(configuration, "ROOT_SIZE");
        if (fstat(addition->root, &stat) < 0 || !addition->sha256 || !size ||
            strlen(addition->sha256) != SHA256_HEX_SIZE - 1 || strtoull(size, NULL, 10) != (uint64_t)stat.st_size)
                return fail(err, ERR_CORRUPT, 0, "/run/kiln/root.conf is of another root");
        addition->size_bytes = (uint64_t)stat.st_size;
        if (!read_small(DOWNLOAD "/origin", LINES_MAX, &origin, &ignored))
                return true;
        auto_free char *from = value_of_line(&origin, "root_from");
        addition->is_from_disk = from && strcmp(from, "disk") == 0;
        return true;
}

static bool keep_root(int root, struct buf *note, struct err *err) {
        struct kept_addition addition = { .root = root };
        auto_buf configuration = { 0 }, index = { 0 };
        auto_err no_index = { 0 };
        int64_t start = clock_now_ms();
        if (!read_small("/run/kiln/root.conf", LINES_MAX, &configuration, err))
                return false;
        auto_free char *sha256 = value_of_line(&configuration, "ROOT_SHA256");
        addition.sha256 = sha256;
        if (!read_addition(&addition, &configuration, err))
                return false;
        if (read_small(DOWNLOAD "/" CHUNK_INDEX_NAME, CHUNK_INDEX_MAX_BYTES, &index, &no_index)) {
                addition.index = buf_text(&index);
                addition.index_size = index.size;
        }
        auto_close int disk = open(STATE_MOUNT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (disk < 0)
                return fail(err, ERR_SYSTEM, errno, "open " STATE_MOUNT);
        if (!kept_roots_add(disk, &addition, err))
                return false;
        if (!addition.is_from_disk)
                buf_printf(note, "the root is kept on the state disk for the next boot, %lld ms",
                           (long long)(clock_now_ms() - start));
        return true;
}

void state_keep_root(struct buf *ret_note) {
        auto_err problem = { 0 };
        auto_close int root = open(DOWNLOAD "/rootfs.squashfs", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        bool was_fetched = root >= 0;
        if (was_fetched && !keep_root(root, ret_note, &problem))
                buf_printf(ret_note, "the root is not kept on the state disk: %s", problem.text);
}
