// SPDX-License-Identifier: MIT
// Which files were verified in earlier runs, so that a rebuild does not hash hundreds of packages again.
//
// Trust model: an entry says that this inode, with this size, modification and change time, once passed under this
// policy (checksum, NEVRA and trusted keys, hashed). Nobody can alter a file without a new change time but by setting
// the clock or writing to the raw disk. Whoever may write to the cache directory could also write entries: the cache is
// trusted like the build's output, and is created for its owner alone to write.
#include "packages/trust/verified.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "packages/solve/pool.h"

enum { KEEP = 20000, INDEX_MAX = 64 << 20 };

struct verified {
        char *path;
        char **lines; // sorted up to `sorted`, new ones after it
        size_t count, sorted;
};

static int by_text(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

struct verified *verified_load(const struct cache *cache) {
        struct verified *verified = xcalloc(1, sizeof *verified);
        verified->path = cache_place(cache, CACHE_VERIFIED);
        auto_buf text = { .max = INDEX_MAX };
        auto_err ignored = { 0 };
        if (!fs_read(AT_FDCWD, verified->path, &text, &ignored))
                return verified;
        char *rest = text.data;
        for (char *line; rest && (line = strsep(&rest, "\n")) && verified->count < KEEP;)
                if (*line)
                        *array_append(&verified->lines, &verified->count) = xstrdup(line);
        if (verified->count)
                qsort(verified->lines, verified->count, sizeof *verified->lines, by_text);
        verified->sorted = verified->count;
        return verified;
}

static char *make_line(const char *policy, const char *path) {
        struct stat stat_;
        if (stat(path, &stat_) < 0)
                return NULL;
        return xasprintf("%s %" PRIu64 ":%" PRIu64 " %" PRIu64 " %" PRIi64 ".%09ld %" PRIi64 ".%09ld", policy,
                         (uint64_t)stat_.st_dev, (uint64_t)stat_.st_ino, (uint64_t)stat_.st_size,
                         (int64_t)stat_.st_mtim.tv_sec, stat_.st_mtim.tv_nsec, (int64_t)stat_.st_ctim.tv_sec,
                         stat_.st_ctim.tv_nsec);
}

bool verified_has(const struct verified *verified, const char *policy, const char *path) {
        auto_free char *line = make_line(policy, path);
        return line && verified->sorted > 0 &&
               bsearch(&line, verified->lines, verified->sorted, sizeof *verified->lines, by_text) != NULL;
}

void verified_add(struct verified *verified, const char *policy, const char *path) {
        char *line = make_line(policy, path);
        if (line)
                *array_append(&verified->lines, &verified->count) = line;
}

void verified_save_and_free(struct verified *verified) {
        if (verified->count > verified->sorted) {
                auto_buf text = { .max = INDEX_MAX };
                auto_err ignored = { 0 };
                for (size_t i = verified->count; i-- > 0;)
                        buf_printf(&text, "%s\n", verified->lines[i]);
                if (text.overflow || !fs_write_atomic(AT_FDCWD, verified->path, text.data, text.size, 0600, &ignored))
                        warning("%s could not be written; packages will be verified again", verified->path);
        }
        for (size_t i = 0; i < verified->count; i++)
                free(verified->lines[i]);
        free(verified->lines);
        free(verified->path);
        free(verified);
}
