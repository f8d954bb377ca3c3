// SPDX-License-Identifier: MIT
#include "cache/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"

enum { SEAL_BYTES_MAX = 512 << 20, PLACE_BYTES_MAX = 65536, XATTR_BYTES = 65536, BUCKETS = 1 << 10 };

static const char seal_name[] = "seal", digests_name[] = "digests", place_name[] = "place";

// A file with several names is told by the first of them.
struct linked {
        struct linked *next;
        dev_t device;
        ino_t inode;
        size_t line;
};

struct sealing {
        struct buf text;
        struct buf digests;
        bool reads;     // the digests are wanted
        bool must_read; // else what cannot be read is described as such, and differs from every seal
        size_t lines;
        struct arena arena;
        struct linked *buckets[BUCKETS];
        char names[XATTR_BYTES], value[XATTR_BYTES];
};

// ---- a line ----

// 0: its only or first name.
static size_t first_line(struct sealing *sealing, const struct stat *stat) {
        if (S_ISDIR(stat->st_mode) || stat->st_nlink < 2)
                return 0;
        struct linked **bucket = &sealing->buckets[(stat->st_ino ^ stat->st_dev) % BUCKETS];
        for (struct linked *linked = *bucket; linked; linked = linked->next)
                if (linked->inode == stat->st_ino && linked->device == stat->st_dev)
                        return linked->line;
        struct linked *linked = arena_alloc(&sealing->arena, sizeof *linked);
        *linked = (struct linked){ *bucket, stat->st_dev, stat->st_ino, sealing->lines };
        *bucket = linked;
        return 0;
}

// Those that an image has, or that decide what it has. The others are the host's: labels, overlayfs' own bookkeeping.
static bool is_sealed(const char *name) {
        const char *overlay = strstr(name, ".overlay.");
        if (overlay)
                return strcmp(overlay, ".overlay.opaque") == 0;
        return strcmp(name, "security.capability") == 0 || strncmp(name, "user.", strlen("user.")) == 0;
}

static bool add_xattr(struct sealing *sealing, const char *path, const char *name, struct err *err) {
        ssize_t size = lgetxattr(path, name, sealing->value, sizeof sealing->value);
        if (size < 0)
                return fail(err, ERR_SYSTEM, errno, "read attribute %s", name);
        buf_printf(&sealing->text, " %s=", name);
        for (ssize_t i = 0; i < size; i++)
                buf_printf(&sealing->text, "%02x", (unsigned char)sealing->value[i]);
        return true;
}

static int xattr_name_order(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

// In the order of their names: file systems have orders of their own.
static bool add_xattrs(struct sealing *sealing, const struct fs_entry *entry, struct err *err) {
        auto_free char *path = xasprintf("/proc/self/fd/%d/%s", entry->parent, entry->name);
        ssize_t size = llistxattr(path, sealing->names, sizeof sealing->names);
        if (size == 0 || (size < 0 && errno == ENOTSUP))
                return true;
        if (size < 0)
                return fail(err, ERR_SYSTEM, errno, "list attributes");
        const char **names = NULL;
        size_t count = 0;
        for (const char *name = sealing->names; name < sealing->names + size; name += strlen(name) + 1)
                if (is_sealed(name))
                        *array_append(&names, &count) = name;
        if (count)
                qsort(names, count, sizeof *names, xattr_name_order);
        bool ok = true;
        for (size_t i = 0; ok && i < count; i++)
                ok = add_xattr(sealing, path, names[i], err);
        free(names);
        return ok;
}

static bool add_target(struct sealing *sealing, const struct fs_entry *entry, struct err *err) {
        char target[PATH_MAX];
        ssize_t length = readlinkat(entry->parent, entry->name, target, sizeof target);
        if (length < 0)
                return fail(err, ERR_SYSTEM, errno, "read link");
        buf_append(&sealing->text, target, (size_t)length);
        return true;
}

// A further name of a file has no digest of its own.
static bool add_digest(struct sealing *sealing, const struct fs_entry *entry, size_t first, struct err *err) {
        char sha256[DIGEST_HEX_SIZE] = "unreadable";
        auto_err unreadable = { 0 };
        bool has_content = S_ISREG(entry->stat->st_mode) && first == 0;
        if (!sealing->reads || !has_content)
                return true;
        bool is_read = digest_file("sha256", entry->parent, entry->name, sha256, &unreadable);
        if (!is_read && sealing->must_read)
                return fail(err, unreadable.kind, 0, "%s", unreadable.text);
        buf_printf(&sealing->digests, "%s\t%s\n", sha256, entry->path);
        return true;
}

static bool is_seal_file(const struct fs_entry *entry) {
        const char *const names[] = { seal_name, digests_name, place_name };
        for (size_t i = 0; i < lengthof(names); i++)
                if (strncmp(entry->path, names[i], strlen(names[i])) == 0)
                        return true;
        return false;
}

static bool add_seal_line(const struct fs_entry *entry, void *context, struct err *err) {
        struct sealing *sealing = context;
        const struct stat *stat = entry->stat;
        if (is_seal_file(entry))
                return true;
        int64_t size = 0; // of a directory: the file system's own affair
        if (S_ISREG(stat->st_mode))
                size = stat->st_size;
        sealing->lines++;
        size_t first = first_line(sealing, stat);
        buf_printf(&sealing->text, "%o %u:%u %" PRId64 " %" PRId64 ".%09ld %u:%u %zu", (unsigned)stat->st_mode,
                   (unsigned)stat->st_uid, (unsigned)stat->st_gid, size, (int64_t)stat->st_mtim.tv_sec,
                   stat->st_mtim.tv_nsec, major(stat->st_rdev), minor(stat->st_rdev), first);
        if (!add_digest(sealing, entry, first, err) || !add_xattrs(sealing, entry, err))
                return wrap(err, "%s", entry->path);
        buf_append_char(&sealing->text, '\t');
        if (S_ISLNK(stat->st_mode) && !add_target(sealing, entry, err))
                return wrap(err, "%s", entry->path);
        buf_printf(&sealing->text, "\t%s\n", entry->path);
        return interrupt_check(err);
}

// What a seal says of a tree.
struct description {
        struct buf text, digests;
};

static void description_release(struct description *description) {
        buf_release(&description->text);
        buf_release(&description->digests);
}

static bool describe_tree(int dir, bool reads, bool must_read, struct description *ret, struct err *err) {
        struct sealing *sealing = xcalloc(1, sizeof *sealing);
        sealing->reads = reads;
        sealing->must_read = must_read;
        sealing->text.max = sealing->digests.max = SEAL_BYTES_MAX;
        bool ok = fs_walk(dir, add_seal_line, sealing, err);
        *ret = (struct description){ sealing->text, sealing->digests };
        arena_release(&sealing->arena);
        free(sealing);
        return ok;
}

// ---- where it lies ----

static bool add_place_line(const struct fs_entry *entry, void *context, struct err *err) {
        (void)err;
        *entry->descend = false;
        if (strncmp(entry->name, place_name, strlen(place_name)) != 0)
                buf_printf(context, "%s %" PRIu64 " %" PRId64 ".%09ld\n", entry->name, (uint64_t)entry->stat->st_ino,
                           (int64_t)entry->stat->st_ctim.tv_sec, entry->stat->st_ctim.tv_nsec);
        return true;
}

static bool write_place(int dir, struct err *err) {
        auto_buf text = { .max = PLACE_BYTES_MAX };
        return fs_walk(dir, add_place_line, &text, err) &&
               fs_write_atomic(dir, place_name, buf_text(&text), text.size, 0644, err);
}

static bool lies_there(int dir, bool *ret, struct err *err) {
        auto_buf noted = { .max = PLACE_BYTES_MAX };
        auto_buf text = { .max = PLACE_BYTES_MAX };
        auto_err absent = { 0 };
        if (!fs_walk(dir, add_place_line, &text, err))
                return false;
        *ret = fs_read(dir, place_name, &noted, &absent) && strcmp(buf_text(&noted), buf_text(&text)) == 0;
        return true;
}

// ---- the seal ----

static bool write_seal_text(int dir, const char *name, const struct buf *text, struct err *err) {
        return fs_write_atomic(dir, name, buf_text(text), text->size, 0644, err);
}

bool seal_make(int dir, struct err *err) {
        struct description description = { 0 };
        bool ok = describe_tree(dir, true, true, &description, err) &&
                  write_seal_text(dir, digests_name, &description.digests, err) &&
                  write_seal_text(dir, seal_name, &description.text, err) && write_place(dir, err);
        description_release(&description);
        return ok || wrap(err, "sealing an entry of the cache");
}

// The path at the end of the first line that differs.
static char *first_difference(const char *sealed, const char *found) {
        const char *line = sealed;
        for (size_t i = 0; sealed[i] && sealed[i] == found[i]; i++)
                if (sealed[i] == '\n')
                        line = sealed + i + 1;
        if (!*line)
                line = found + (line - sealed);
        size_t length = strcspn(line, "\n");
        const char *path = memrchr(line, '\t', length);
        if (!path)
                return xstrdup(seal_name);
        return xstrndup(path + 1, length - (size_t)(path + 1 - line));
}

// NULL: none. `name` is of the file in which the text was kept.
static char *compare_with_kept(int dir, const char *name, const struct buf *found) {
        auto_buf kept = { .max = SEAL_BYTES_MAX };
        auto_err absent = { 0 };
        if (fs_read(dir, name, &kept, &absent) && strcmp(buf_text(&kept), buf_text(found)) == 0)
                return NULL;
        return first_difference(buf_text(&kept), buf_text(found));
}

static bool look_through_tree(int dir, bool thorough, char **ret_difference, struct err *err) {
        struct description found = { 0 };
        bool ok = describe_tree(dir, thorough, false, &found, err);
        if (ok)
                *ret_difference = compare_with_kept(dir, seal_name, &found.text);
        if (ok && !*ret_difference && thorough)
                *ret_difference = compare_with_kept(dir, digests_name, &found.digests);
        description_release(&found);
        return ok;
}

static bool compare_with_seal(int dir, bool thorough, bool *ret_there, char **ret_difference, struct err *err) {
        *ret_difference = NULL;
        if (!lies_there(dir, ret_there, err))
                return false;
        return (*ret_there && !thorough) || look_through_tree(dir, thorough, ret_difference, err);
}

bool seal_check(int dir, bool thorough, char **ret_difference, struct err *err) {
        bool there = false;
        return compare_with_seal(dir, thorough, &there, ret_difference, err) &&
               (*ret_difference || there || write_place(dir, err));
}

bool seal_look(int dir, bool thorough, char **ret_difference, struct err *err) {
        bool there;
        return compare_with_seal(dir, thorough, &there, ret_difference, err);
}
