// SPDX-License-Identifier: MIT
#include "build/published_seal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "artefact/artefact.h"
#include "base/digest.h"
#include "base/file_place.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/parallel.h"

#define SUMS_NAME "SHA256SUMS"

enum { HEX = 64 };

struct sealed_file {
        char *path;
        char sha256[HEX + 1];
        struct file_place noted; // all zero: nothing was
        struct file_place found;
        bool is_there;
        size_t first;       // of the files that are the same inode
        char read[HEX + 1]; // its digest, if it was read
};

struct sealed_files {
        struct sealed_file *items;
        size_t count;
};

static void sealed_files_release(struct sealed_files *files) {
        for (size_t i = 0; i < files->count; i++)
                free(files->items[i].path);
        free(files->items);
        *files = (struct sealed_files){ 0 };
}

// ---- the text ----

static void add_line(struct buf *text, const char *sha256, const struct file_place *place, const char *path) {
        buf_printf(text, "%.64s %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 "  %s\n", sha256, place->inode,
                   place->size_bytes, place->modified_ns, place->changed_ns, path);
}

static bool parse_line(const char *line, struct sealed_file *ret) {
        const char *space = strstr(line, "  ");
        if (!space || strspn(line, "0123456789abcdef") != HEX || !fs_path_is_safe(space + 2) || space[2] == '/')
                return false;
        struct file_place *noted = &ret->noted;
        bool has_place = space > line + HEX;
        if (has_place && sscanf(line + HEX, " %" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNd64, &noted->inode,
                                &noted->size_bytes, &noted->modified_ns, &noted->changed_ns) != 4)
                return false;
        snprintf(ret->sha256, sizeof ret->sha256, "%.64s", line);
        ret->path = xstrdup(space + 2);
        return true;
}

// A text that was cut short, or is none, is no seal: then false.
static bool parse_seal(const char *text, struct sealed_files *ret) {
        auto_free char *copy = xstrdup(text);
        size_t size = strlen(copy);
        if (size == 0 || copy[size - 1] != '\n')
                return false;
        char *rest = copy;
        for (char *line; (line = strsep(&rest, "\n")) && rest;) {
                struct sealed_file file = { 0 };
                if (!parse_line(line, &file))
                        return false;
                *array_append(&ret->items, &ret->count) = file;
        }
        return true;
}

static bool read_sums_as_seal(int dir, struct sealed_files *ret) {
        auto_buf text = { .max = PUBLISHED_SEAL_MAX_BYTES };
        auto_err absent = { 0 };
        return fs_read(dir, SUMS_NAME, &text, &absent) && parse_seal(buf_text(&text), ret);
}

// ---- making one ----

static int order_of_paths(const void *left, const void *right) {
        const struct sealed_file *a = left, *b = right;
        return strcmp(a->path, b->path);
}

struct sealing {
        struct sealed_files sums; // sorted
        struct buf *seal;
};

static const char *find_sum(const struct sealing *sealing, const char *path) {
        const struct sealed_file key = { .path = (char *)path }; // only read
        if (sealing->sums.count == 0)
                return NULL;
        const struct sealed_file *found =
            bsearch(&key, sealing->sums.items, sealing->sums.count, sizeof *sealing->sums.items, order_of_paths);
        if (!found)
                return NULL;
        return found->sha256;
}

static bool seal_file(const struct fs_entry *entry, void *context, struct err *err) {
        const struct sealing *sealing = context;
        char computed[DIGEST_HEX_SIZE];
        if (!S_ISREG(entry->stat->st_mode))
                return true;
        const struct file_place place = file_place_of(entry->stat);
        const char *sha256 = find_sum(sealing, entry->path);
        if (!sha256) {
                if (!digest_file("sha256", entry->parent, entry->name, computed, err))
                        return false;
                sha256 = computed;
        }
        add_line(sealing->seal, sha256, &place, entry->path);
        return true;
}

bool published_seal_make(int dir, const struct buf *sums, struct buf *ret_seal, struct err *err) {
        struct sealing sealing = { .seal = ret_seal };
        ret_seal->max = PUBLISHED_SEAL_MAX_BYTES;
        if (sums && sums->size > 0)
                (void)!parse_seal(buf_text(sums), &sealing.sums);
        else
                (void)!read_sums_as_seal(dir, &sealing.sums); // without, all are digested
        if (sealing.sums.count > 0)
                qsort(sealing.sums.items, sealing.sums.count, sizeof *sealing.sums.items, order_of_paths);
        bool ok = fs_walk(dir, seal_file, &sealing, err) || wrap(err, "sealing the build");
        sealed_files_release(&sealing.sums);
        return ok;
}

// ---- comparing ----

struct checking {
        int dir;
        struct sealed_files files;
        bool reads_all;
        size_t *moved; // indexes of files to read, each inode once
        size_t moved_count;
};

static bool is_to_read(const struct checking *checking, const struct sealed_file *file) {
        return checking->reads_all || !file_place_equal(&file->noted, &file->found);
}

static void find_sealed_file(struct checking *checking, size_t index) {
        struct sealed_file *file = &checking->files.items[index];
        file->first = index;
        file->is_there = file_place_find(checking->dir, file->path, &file->found);
        if (!file->is_there || !is_to_read(checking, file))
                return;
        for (size_t i = 0; i < checking->moved_count; i++) {
                const struct sealed_file *other = &checking->files.items[checking->moved[i]];
                if (other->found.inode == file->found.inode) {
                        file->first = checking->moved[i];
                        return;
                }
        }
        *array_append(&checking->moved, &checking->moved_count) = index;
}

// What cannot be read has no digest, and is not what it was.
static bool read_moved(size_t index, void *context, struct err *err) {
        const struct checking *checking = context;
        struct sealed_file *file = &checking->files.items[checking->moved[index]];
        char sha256[DIGEST_HEX_SIZE];
        auto_err unreadable = { 0 };
        if (!interrupt_check(err))
                return false;
        if (digest_file("sha256", checking->dir, file->path, sha256, &unreadable))
                snprintf(file->read, sizeof file->read, "%.64s", sha256);
        return true;
}

static bool is_same(const struct checking *checking, const struct sealed_file *file) {
        if (!file->is_there)
                return false;
        return !is_to_read(checking, file) || strcmp(checking->files.items[file->first].read, file->sha256) == 0;
}

// ---- what nobody published ----

struct finding_foreign {
        struct sealed_files *files; // sorted
        char *first;                // heap: the first one that is found, in the order of paths
};

static const struct sealed_file *find_sealed(const struct sealed_files *files, const char *path) {
        const struct sealed_file key = { .path = (char *)path }; // only read
        return bsearch(&key, files->items, files->count, sizeof *files->items, order_of_paths);
}

// A list of digests names neither itself nor the signatures that came after it.
static bool is_beside_list(const struct sealed_files *files, const char *path) {
        auto_free char *subject = signature_subject(path);
        if (subject)
                return strcmp(subject, SUMS_NAME) == 0 || find_sealed(files, subject);
        return strcmp(path, SUMS_NAME) == 0;
}

static bool look_for_foreign(const struct fs_entry *entry, void *context, struct err *err) {
        struct finding_foreign *finding = context;
        (void)err;
        if (S_ISDIR(entry->stat->st_mode) || finding->first)
                return true;
        bool is_known = S_ISREG(entry->stat->st_mode) &&
                        (find_sealed(finding->files, entry->path) || is_beside_list(finding->files, entry->path));
        if (!is_known)
                finding->first = xstrdup(entry->path);
        return true;
}

// A loader asks for files by name, its machine's own before the role's: one file more is another build.
static bool find_foreign(struct checking *checking, struct seal_verdict *ret, struct err *err) {
        struct finding_foreign finding = { .files = &checking->files };
        if (checking->files.count == 0)
                return true;
        qsort(checking->files.items, checking->files.count, sizeof *checking->files.items, order_of_paths);
        bool ok = fs_walk(checking->dir, look_for_foreign, &finding, err);
        if (ok && finding.first)
                ret->difference = xasprintf("%s was not published with it", finding.first);
        free(finding.first);
        return ok;
}

static char *describe_rot(const struct checking *checking) {
        const struct sealed_file *first = NULL;
        size_t different = 0;
        for (size_t i = 0; i < checking->files.count; i++) {
                if (is_same(checking, &checking->files.items[i]))
                        continue;
                if (!first)
                        first = &checking->files.items[i];
                different++;
        }
        if (!first)
                return NULL;
        const char *how = "is gone";
        if (first->is_there)
                how = "has changed";
        if (different == 1)
                return xasprintf("%s %s", first->path, how);
        return xasprintf("%s %s, one of %zu files that are gone or have changed", first->path, how, different);
}

static void renew_seal(const struct checking *checking, struct buf *ret) {
        ret->max = PUBLISHED_SEAL_MAX_BYTES;
        for (size_t i = 0; i < checking->files.count; i++) {
                const struct sealed_file *file = &checking->files.items[i];
                add_line(ret, file->sha256, &file->found, file->path);
        }
}

static bool compare_files(struct checking *checking, unsigned jobs, struct seal_verdict *ret, struct err *err) {
        for (size_t i = 0; i < checking->files.count; i++)
                find_sealed_file(checking, i);
        if (!parallel_for(checking->moved_count, jobs, read_moved, checking, err))
                return false;
        ret->difference = describe_rot(checking);
        if (!ret->difference && checking->moved_count > 0)
                renew_seal(checking, &ret->renewed);
        return ret->difference || !checking->reads_all || find_foreign(checking, ret, err);
}

bool published_seal_check(int dir, const struct buf *seal, bool reads_all, unsigned jobs, struct seal_verdict *ret,
                          struct err *err) {
        struct checking checking = { .dir = dir, .reads_all = reads_all };
        *ret = (struct seal_verdict){ 0 };
        bool ok = true;
        bool is_sealed = parse_seal(buf_text(seal), &checking.files);
        if (!is_sealed)
                sealed_files_release(&checking.files);
        if (is_sealed || read_sums_as_seal(dir, &checking.files))
                ok = compare_files(&checking, jobs, ret, err);
        else
                ret->difference = xstrdup("it has no whole " SUMS_NAME " that would tell what it was");
        bool seal_anew = ok && !is_sealed && !ret->difference;
        if (seal_anew) {
                buf_clear(&ret->renewed); // SHA256SUMS does not name itself
                ok = published_seal_make(dir, NULL, &ret->renewed, err);
        }
        sealed_files_release(&checking.files);
        free(checking.moved);
        return ok;
}

void seal_verdict_release(struct seal_verdict *verdict) {
        free(verdict->difference);
        buf_release(&verdict->renewed);
}
