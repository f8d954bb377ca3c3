// SPDX-License-Identifier: MIT
#include "verify/verify_sums.h"

#include <fcntl.h>
#include <string.h>

#include "artefact/artefact.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "base/progress.h"

enum { HEX = 64, SUMS_MAX_BYTES = 64 << 20 };

// "HEX  PATH", as sha256sum writes it.
static bool parse_sum(const char *line, struct published_build *build) {
        size_t digits = strspn(line, "0123456789abcdef");
        if (digits != HEX || strncmp(line + HEX, "  ", 2) != 0 || !fs_path_is_safe(line + HEX + 2) ||
            line[HEX + 2] == '/')
                return false;
        memcpy(published_add(build, line + HEX + 2)->listed, line, HEX);
        return true;
}

static void drop_double_sums(struct published_build *build) {
        size_t kept = 0;
        for (size_t i = 0; i < build->count; i++) {
                if (kept > 0 && strcmp(build->files[kept - 1].path, build->files[i].path) == 0) {
                        published_note(build, SUMS_NAME ": %s is named twice", build->files[i].path);
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
                if (*line && !parse_sum(line, build))
                        published_note(build, SUMS_NAME ": line %zu is no digest and path", number);
        }
        published_sort(build);
        drop_double_sums(build);
        return true;
}

// ---- the tree ----

struct walk {
        struct published_build *build;
        size_t listed; // the first files are those of SHA256SUMS, sorted
};

static struct published_file *find_listed(struct walk *walk, const char *path) {
        struct published_build listed = { .files = walk->build->files, .count = walk->listed };
        return published_find(&listed, path);
}

// Signatures are none of what is listed. Each is beside what it signs, or somebody else put it there.
static bool is_signature(struct walk *walk, const char *path) {
        auto_free char *subject = signature_subject(path);
        return subject && (strcmp(subject, SUMS_NAME) == 0 || find_listed(walk, subject));
}

static bool visit_published(const struct fs_entry *entry, void *context, struct err *err) {
        struct walk *walk = context;
        if (!interrupt_check(err))
                return false;
        if (S_ISDIR(entry->stat->st_mode)) {
                *array_append(&walk->build->directories, &walk->build->directory_count) = xstrdup(entry->path);
                return true;
        }
        if (!S_ISREG(entry->stat->st_mode)) {
                const char *what = "a special file";
                if (S_ISLNK(entry->stat->st_mode))
                        what = "a symbolic link";
                published_note(walk->build, "%s: %s, where a build has files only", entry->path, what);
                return true;
        }
        if (strcmp(entry->path, SUMS_NAME) == 0 || is_signature(walk, entry->path))
                return true;
        struct published_file *file = find_listed(walk, entry->path);
        if (!file) {
                published_note(walk->build, "%s: not in " SUMS_NAME, entry->path);
                file = published_add(walk->build, entry->path);
        }
        file->exists = true;
        file->stat = *entry->stat;
        return true;
}

static bool find_published_files(struct published_build *build, struct err *err) {
        struct walk walk = { build, build->count };
        if (!fs_walk(build->dir, visit_published, &walk, err))
                return false;
        published_sort(build);
        return true;
}

// ---- digests ----

struct digests {
        struct published_build *build;
        size_t *first; // of each file: the first file that is the same inode
        struct progress progress;
};

static bool is_same_inode(const struct published_file *left, const struct published_file *right) {
        return left->exists && right->exists && left->stat.st_ino == right->stat.st_ino &&
               left->stat.st_dev == right->stat.st_dev;
}

// Large files are published several times, as links: each is read once.
static void find_hard_links(struct digests *digests) {
        const struct published_build *build = digests->build;
        for (size_t i = 0; i < build->count; i++) {
                const struct published_file *file = &build->files[i];
                size_t first = i;
                for (size_t j = 0; j < i && first == i && file->stat.st_nlink > 1; j++)
                        if (is_same_inode(file, &build->files[j]))
                                first = j;
                digests->first[i] = first;
                if (first == i && file->exists)
                        digests->progress.total += (uint64_t)file->stat.st_size;
        }
}

static bool digest_file_once(size_t index, void *context, struct err *err) {
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

static bool digest_files(struct published_build *build, unsigned jobs, struct err *err) {
        auto_free size_t *first = xcalloc(build->count + 1, sizeof *first);
        struct digests digests = { .build = build, .first = first };
        find_hard_links(&digests);
        progress_begin(&digests.progress, "check", "bytes", digests.progress.total);
        bool ok = parallel_for(build->count, jobs, digest_file_once, &digests, err);
        progress_end(&digests.progress, ok);
        for (size_t i = 0; ok && i < build->count; i++)
                if (first[i] != i)
                        memcpy(build->files[i].sha256, build->files[first[i]].sha256, sizeof build->files[i].sha256);
        return ok;
}

bool verify_sums(struct published_build *build, unsigned jobs, struct err *err) {
        if (!read_sums(build, err) || !find_published_files(build, err) || !digest_files(build, jobs, err))
                return wrap(err, "%s", build->path);
        for (size_t i = 0; i < build->count; i++) {
                const struct published_file *file = &build->files[i];
                if (!file->exists)
                        published_note(build, "%s: missing", file->path);
                else if (*file->listed && strcmp(file->listed, file->sha256) != 0)
                        published_note(build, "%s: changed, since its digest is not that of " SUMS_NAME, file->path);
        }
        return true;
}
