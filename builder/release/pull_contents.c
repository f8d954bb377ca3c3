// SPDX-License-Identifier: MIT
#include "release/pull_contents.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/parallel.h"

enum { AT_ONCE = 4, SUMS_MAX_BYTES = 64 << 20, BUILD_ID_DIGITS = 16, HEX = 64 };

// ---- what other builds have ----

static struct pulled_content *find_state(struct pull_contents *contents, const char *sha256) {
        size_t low = 0, high = contents->count;
        while (low < high) {
                size_t middle = (low + high) / 2;
                int order = strncmp(contents->items[middle]->sha256, sha256, HEX);
                if (order == 0)
                        return &contents->states[middle];
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

static void note_local(struct pull_contents *contents, const char *build, const char *line) {
        const char *path = line + HEX + 2;
        if (strlen(line) <= HEX + 2 || !fs_path_is_safe(path) || *path == '/')
                return;
        struct pulled_content *state = find_state(contents, line);
        if (state && !state->local)
                state->local = xasprintf("%s/%s", build, path);
}

// What a build says is only where to look: every byte is digested before it is taken.
static void look_into_build(struct pull_contents *contents, const char *build) {
        auto_buf text = { .max = SUMS_MAX_BYTES };
        auto_err absent = { 0 };
        auto_free char *sums = xasprintf("%s/SHA256SUMS", build);
        if (!fs_read(contents->place, sums, &text, &absent))
                return;
        char *rest = text.data;
        for (char *line; rest && (line = strsep(&rest, "\n"));)
                note_local(contents, build, line);
}

static bool names_a_build(const char *name) {
        return strlen(name) == BUILD_ID_DIGITS && strspn(name, "0123456789abcdef") == BUILD_ID_DIGITS;
}

bool pull_contents_open(struct pull_contents *contents, struct err *err) {
        auto_closedir DIR *stream = NULL;
        struct dirent *entry;
        contents->items = build_artifact_contents(contents->artifact, &contents->count);
        contents->states = xcalloc(contents->count + 1, sizeof *contents->states);
        if (contents->place < 0)
                return true;
        if (!fs_open_listing(contents->place, &stream, err))
                return wrap(err, "the output directory");
        bool ok;
        while ((ok = fs_next_entry(stream, &entry, err)) && entry)
                if (names_a_build(entry->d_name))
                        look_into_build(contents, entry->d_name);
        return ok;
}

void pull_contents_release(struct pull_contents *contents) {
        for (size_t i = 0; contents->states && i < contents->count; i++)
                free(contents->states[i].local);
        free(contents->states);
        free(contents->items);
        close_cleanup(&contents->dir);
}

uint64_t pull_contents_bytes(const struct pull_contents *contents) {
        uint64_t total = 0;
        for (size_t i = 0; i < contents->count; i++)
                total += contents->items[i]->size_bytes;
        return total;
}

uint64_t pull_contents_lacking(const struct pull_contents *contents) {
        uint64_t total = 0;
        for (size_t i = 0; i < contents->count; i++)
                if (!contents->states[i].local)
                        total += contents->items[i]->size_bytes;
        return total;
}

// ---- gathering ----

// A file of another build, if it is what it should be. False: it is not, or cannot be had.
static bool link_local(struct pull_contents *contents, size_t index) {
        const struct artifact_file *file = contents->items[index];
        struct pulled_content *state = &contents->states[index];
        struct stat stat;
        char sha256[DIGEST_HEX_SIZE];
        auto_err ignored = { 0 };
        auto_close int fd = -1;
        if (!state->local || !fs_open(contents->place, state->local, O_RDONLY | O_NOFOLLOW, 0, &fd, &ignored))
                return false;
        bool is_it = fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) && (uint64_t)stat.st_size == file->size_bytes &&
                     digest_fd("sha256", fd, sha256, &ignored) && strcmp(sha256, file->sha256) == 0;
        if (!is_it || !fs_remove_tree(contents->dir, file->sha256, &ignored) ||
            linkat(contents->place, state->local, contents->dir, file->sha256, 0) < 0)
                return false;
        state->is_linked = true;
        state->mode = stat.st_mode & 07777;
        return true;
}

static bool load_content(struct pull_contents *contents, size_t index, struct err *err) {
        const struct artifact_file *file = contents->items[index];
        const struct registry_blob blob = { file->sha256, file->size_bytes };
        struct stat stat;
        auto_close int fd = -1;
        if (!fs_open(contents->dir, file->sha256, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, &fd, err))
                return false;
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", file->sha256);
        uint64_t before = (uint64_t)stat.st_size;
        if (!registry_pull_blob(contents->registry, &blob, fd, &contents->progress, err))
                return wrap(err, "%s", file->path);
        if (before < file->size_bytes)
                atomic_fetch_add(&contents->loaded_bytes, file->size_bytes - before);
        return true;
}

// A leftover with another name for it is a build's own file, in which nothing may be written. One that was given its
// mode already, by a pull that was ended after that, is written to again.
static bool drop_linked_leftover(struct pull_contents *contents, size_t index, struct err *err) {
        struct stat stat;
        const char *name = contents->items[index]->sha256;
        bool is_linked = fstatat(contents->dir, name, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
                         (!S_ISREG(stat.st_mode) || stat.st_nlink > 1);
        if (is_linked)
                return fs_remove_tree(contents->dir, name, err);
        (void)!fchmodat(contents->dir, name, 0600, 0); // one that is absent is made so
        return true;
}

static bool gather_content(size_t index, void *context, struct err *err) {
        struct pull_contents *contents = context;
        if (!interrupt_check(err))
                return false;
        if (link_local(contents, index)) {
                progress_add(&contents->progress, contents->items[index]->size_bytes);
                return true;
        }
        return drop_linked_leftover(contents, index, err) && load_content(contents, index, err);
}

bool pull_contents_gather(struct pull_contents *contents, struct err *err) {
        progress_begin(&contents->progress, "pull", "bytes", pull_contents_bytes(contents));
        bool ok = parallel_for(contents->count, AT_ONCE, gather_content, contents, err);
        progress_end(&contents->progress, ok);
        return ok;
}

// ---- spreading ----

static bool copy_with_mode(const struct pull_contents *contents, const struct artifact_file *file, int tree,
                           struct err *err) {
        auto_close int from = -1, to = -1;
        if (!fs_open(contents->dir, file->sha256, O_RDONLY | O_NOFOLLOW, 0, &from, err) ||
            !fs_open(tree, file->path, O_WRONLY | O_CREAT | O_EXCL, 0600, &to, err) ||
            !fs_copy_bytes(from, to, UINT64_MAX, err))
                return false;
        return fchmod(to, file->mode) == 0 || fail(err, ERR_SYSTEM, errno, "chmod %s", file->path);
}

// The first file of a content that was loaded is that one itself; a build's own file keeps the mode that it has there.
static bool give_file(const struct pull_contents *contents, struct pulled_content *state,
                      const struct artifact_file *file, int tree, struct err *err) {
        bool is_new = !state->is_linked && state->mode == 0;
        if (is_new && fchmodat(contents->dir, file->sha256, file->mode, 0) < 0)
                return fail(err, ERR_SYSTEM, errno, "chmod");
        if (is_new)
                state->mode = file->mode;
        if (state->mode != file->mode)
                return copy_with_mode(contents, file, tree, err);
        return fs_link_or_copy(contents->dir, file->sha256, tree, file->path, err);
}

bool pull_contents_spread(struct pull_contents *contents, int tree, struct err *err) {
        const struct build_artifact *artifact = contents->artifact;
        for (size_t i = 0; i < artifact->count; i++) {
                const struct artifact_file *file = &artifact->files[i];
                struct pulled_content *state = find_state(contents, file->sha256);
                assert(state);
                if (!fs_mkdirs_for(tree, file->path, 0755, err) || !give_file(contents, state, file, tree, err))
                        return wrap(err, "%s", file->path);
        }
        return true;
}
