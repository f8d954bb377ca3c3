// SPDX-License-Identifier: MIT
// The published files against SHA256SUMS.
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "verify/internal.h"

enum { HEX = 64, SUMS_MAX_BYTES = 64 << 20 };

static struct published_file *add_file(struct published_build *build, const char *path) {
        struct published_file *file = array_append(&build->files, &build->count);
        file->path = xstrdup(path);
        return file;
}

// "HEX  PATH", as sha256sum writes it.
static bool parse_line(const char *line, struct published_build *build) {
        size_t digits = strspn(line, "0123456789abcdef");
        if (digits != HEX || strncmp(line + HEX, "  ", 2) != 0 || !fs_path_is_safe(line + HEX + 2) ||
            line[HEX + 2] == '/')
                return false;
        memcpy(add_file(build, line + HEX + 2)->listed, line, HEX);
        return true;
}

static int by_path(const void *left, const void *right) {
        const struct published_file *a = left, *b = right;
        return strcmp(a->path, b->path);
}

static void sort(struct published_build *build) {
        if (build->count)
                qsort(build->files, build->count, sizeof *build->files, by_path);
}

static void drop_doubles(struct published_build *build) {
        size_t kept = 0;
        for (size_t i = 0; i < build->count; i++) {
                if (kept > 0 && strcmp(build->files[kept - 1].path, build->files[i].path) == 0) {
                        verify_note(build, SUMS_NAME ": %s is named twice", build->files[i].path);
                        free(build->files[i].path);
                } else {
                        build->files[kept++] = build->files[i];
                }
        }
        build->count = kept;
}

static bool read_sums(struct published_build *build, struct err *err) {
        auto_buf text = { .max = SUMS_MAX_BYTES };
        auto_close int fd = -1;
        if (!fs_open(build->dir, SUMS_NAME, O_RDONLY | O_NOFOLLOW, 0, &fd, err) || !buf_read_fd(&text, fd, err))
                return wrap(err, SUMS_NAME);
        char *rest = text.data;
        size_t number = 0;
        for (char *line; rest && (line = strsep(&rest, "\n"));) {
                number++;
                if (*line && !parse_line(line, build))
                        verify_note(build, SUMS_NAME ": line %zu is no digest and path", number);
        }
        sort(build);
        drop_doubles(build);
        return true;
}

// ---- the tree ----

struct walk {
        struct published_build *build;
        size_t listed; // the first files are those of SHA256SUMS, sorted
};

static struct published_file *find_listed(struct walk *walk, const char *path) {
        struct published_build listed = { .files = walk->build->files, .count = walk->listed };
        return verify_find(&listed, path);
}

static bool visit(const struct fs_entry *entry, void *context, struct err *err) {
        struct walk *walk = context;
        if (!interrupt_check(err))
                return false;
        if (S_ISDIR(entry->stat->st_mode)) {
                *array_append(&walk->build->directories, &walk->build->directory_count) = xstrdup(entry->path);
                return true;
        }
        if (!S_ISREG(entry->stat->st_mode)) {
                verify_note(walk->build, "%s: %s, where a build has files only", entry->path,
                            S_ISLNK(entry->stat->st_mode) ? "a symbolic link" : "a special file");
                return true;
        }
        if (strcmp(entry->path, SUMS_NAME) == 0)
                return true;
        struct published_file *file = find_listed(walk, entry->path);
        if (!file) {
                verify_note(walk->build, "%s: not in " SUMS_NAME, entry->path);
                file = add_file(walk->build, entry->path);
        }
        file->exists = true;
        file->stat = *entry->stat;
        return true;
}

static bool find_files(struct published_build *build, struct err *err) {
        struct walk walk = { build, build->count };
        if (!fs_walk(build->dir, visit, &walk, err))
                return false;
        sort(build);
        return true;
}

// ---- digests ----

struct digests {
        struct published_build *build;
        size_t *first; // of each file: the first file that is the same inode
        struct progress progress;
};

static void find_names(struct digests *digests) {
        const struct published_build *build = digests->build;
        for (size_t i = 0; i < build->count; i++) {
                const struct stat *stat = &build->files[i].stat;
                size_t j = 0;
                while (j < i &&
                       (!build->files[i].exists || stat->st_nlink < 2 || build->files[j].stat.st_ino != stat->st_ino ||
                        build->files[j].stat.st_dev != stat->st_dev || !build->files[j].exists))
                        j++;
                digests->first[i] = j;
                if (j == i && build->files[i].exists)
                        digests->progress.total += (uint64_t)stat->st_size;
        }
}

static bool digest_one(size_t index, void *context, struct err *err) {
        struct digests *digests = context;
        struct published_file *file = &digests->build->files[index];
        auto_close int fd = -1;
        if (!file->exists || digests->first[index] != index)
                return true;
        if (!interrupt_check(err) || !fs_open(digests->build->dir, file->path, O_RDONLY | O_NOFOLLOW, 0, &fd, err) ||
            !digest_fd("sha256", fd, file->sha256, err))
                return false;
        progress_add(&digests->progress, (uint64_t)file->stat.st_size);
        return true;
}

static bool digest_all(struct published_build *build, unsigned jobs, struct err *err) {
        auto_free size_t *first = xcalloc(build->count + 1, sizeof *first);
        struct digests digests = { .build = build, .first = first };
        find_names(&digests);
        progress_begin(&digests.progress, "check", "bytes", digests.progress.total);
        bool ok = parallel_for(build->count, jobs, digest_one, &digests, err);
        progress_end(&digests.progress);
        for (size_t i = 0; ok && i < build->count; i++)
                if (first[i] != i)
                        memcpy(build->files[i].sha256, build->files[first[i]].sha256, sizeof build->files[i].sha256);
        return ok;
}

bool verify_sums(struct published_build *build, unsigned jobs, struct err *err) {
        if (!read_sums(build, err) || !find_files(build, err) || !digest_all(build, jobs, err))
                return wrap(err, "%s", build->path);
        for (size_t i = 0; i < build->count; i++) {
                const struct published_file *file = &build->files[i];
                if (!file->exists)
                        verify_note(build, "%s: missing", file->path);
                else if (*file->listed && strcmp(file->listed, file->sha256) != 0)
                        verify_note(build, "%s: changed, since its digest is not that of " SUMS_NAME, file->path);
        }
        return true;
}
