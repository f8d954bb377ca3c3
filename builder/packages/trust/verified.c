// SPDX-License-Identifier: MIT
#include "packages/trust/verified.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "cache/cache.h"

enum { LINES_MAX = 20000, INDEX_MAX = 64 << 20 };

struct verified {
        char *path;
        char **lines; // sorted up to `sorted`, new ones after it
        size_t count, sorted;
};

static int compare_lines(const void *left, const void *right) {
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
        while (rest && verified->count < LINES_MAX) {
                const char *line = strsep(&rest, "\n");
                if (*line)
                        *array_append(&verified->lines, &verified->count) = xstrdup(line);
        }
        if (verified->count)
                qsort(verified->lines, verified->count, sizeof *verified->lines, compare_lines);
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
        assert(policy[0]);
        auto_free char *line = make_line(policy, path);
        if (!line || verified->sorted == 0)
                return false;
        return bsearch(&line, verified->lines, verified->sorted, sizeof *verified->lines, compare_lines) != NULL;
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
