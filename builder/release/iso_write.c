// SPDX-License-Identifier: MIT
#include "release/iso_write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "artefact/artefact.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"

#define ISO_SUFFIX ".iso"
#define SUMS_NAME "SHA256SUMS"

enum { PARTS_MAX_BYTES = 1 << 30, FILES_MAX = 64, NAME_ROOM = 256, HEX = 64 };

struct part_of_iso {
        uint64_t offset, size_bytes;
        char name[NAME_ROOM];
};

struct parts_list {
        char sha256[DIGEST_HEX_SIZE];
        uint64_t size_bytes, rest_bytes, packed_bytes;
        struct part_of_iso files[FILES_MAX];
        size_t file_count;
};

// ---- the text ----

static bool read_parts_line(const char *line, struct parts_list *list) {
        struct part_of_iso *file = &list->files[list->file_count];
        if (sscanf(line, "iso %64[0-9a-f] %" SCNu64, list->sha256, &list->size_bytes) == 2 ||
            sscanf(line, "rest %" SCNu64 " %" SCNu64, &list->rest_bytes, &list->packed_bytes) == 2)
                return true;
        if (list->file_count + 1 >= FILES_MAX ||
            sscanf(line, "file %" SCNu64 " %" SCNu64 " %255s", &file->offset, &file->size_bytes, file->name) != 3)
                return false;
        list->file_count++;
        return fs_path_is_safe(file->name) && !strchr(file->name, '/');
}

// Every byte of the volume comes from one place.
static bool parts_fit_volume(const struct parts_list *list) {
        uint64_t at = 0, from_files = 0;
        for (size_t i = 0; i < list->file_count; i++) {
                const struct part_of_iso *file = &list->files[i];
                bool is_behind = file->offset >= at && file->offset <= list->size_bytes;
                if (!is_behind || file->size_bytes > list->size_bytes - file->offset)
                        return false;
                at = file->offset + file->size_bytes;
                from_files += file->size_bytes;
        }
        return list->rest_bytes <= PARTS_MAX_BYTES && from_files + list->rest_bytes == list->size_bytes;
}

static bool parse_parts(const struct buf *text, struct parts_list *ret, size_t *ret_head) {
        static const char magic[] = "kiln-iso-parts 1\n";
        const char *line = buf_text(text), *end;
        if (strncmp(line, magic, strlen(magic)) != 0)
                return false;
        for (line += strlen(magic); (end = strchr(line, '\n')) && end > line; line = end + 1) {
                auto_free char *copy = xstrndup(line, (size_t)(end - line));
                if (!read_parts_line(copy, ret))
                        return false;
        }
        if (!end)
                return false;
        *ret_head = (size_t)(end + 1 - buf_text(text));
        return parts_fit_volume(ret) && text->size - *ret_head == ret->packed_bytes;
}

// ---- the volume ----

struct assembly {
        const struct parts_list *list;
        const unsigned char *rest;
        int from, to; // the role's directory, the new file
};

static bool seek_to(int fd, uint64_t offset, struct err *err) {
        return lseek(fd, (off_t)offset, SEEK_SET) >= 0 || fail(err, ERR_SYSTEM, errno, "seek");
}

static bool put_file_part(const struct assembly *assembly, const struct part_of_iso *file, struct err *err) {
        auto_close int from = -1;
        return fs_open(assembly->from, file->name, O_RDONLY | O_NOFOLLOW, 0, &from, err) &&
               seek_to(assembly->to, file->offset, err) && fs_copy_bytes(from, assembly->to, file->size_bytes, err);
}

static bool put_rest(struct assembly *assembly, uint64_t at, uint64_t end, struct err *err) {
        size_t size = (size_t)(end - at);
        if (!seek_to(assembly->to, at, err) || !fs_write_all(assembly->to, assembly->rest, size, err))
                return false;
        assembly->rest += size;
        return true;
}

static bool put_all(struct assembly *assembly, struct err *err) {
        const struct parts_list *list = assembly->list;
        uint64_t at = 0;
        for (size_t i = 0; i < list->file_count; i++) {
                if (!put_rest(assembly, at, list->files[i].offset, err) ||
                    !put_file_part(assembly, &list->files[i], err))
                        return false;
                at = list->files[i].offset + list->files[i].size_bytes;
        }
        return put_rest(assembly, at, list->size_bytes, err);
}

static bool unpack_rest(const struct buf *text, size_t head, const struct parts_list *list, unsigned char *ret) {
        uLongf size = (uLongf)list->rest_bytes;
        const Bytef *packed = (const Bytef *)buf_text(text) + head;
        return uncompress(ret, &size, packed, (uLong)list->packed_bytes) == Z_OK && size == list->rest_bytes;
}

// An ISO of a role, as the build has it.
struct published_iso {
        char *name;                   // of the file in the role's directory: the ISO's, or that of its parts
        char sha256[DIGEST_HEX_SIZE]; // of that file, in the build's list of digests; "": it has no list
};

static bool fail_changed(const char *name, struct err *err) {
        fail(err, ERR_DIFFERENT, 0, "%s is damaged: its digest is not that of " SUMS_NAME, name);
        return hint(err, "kiln verify --no-rebuild BUILD names all that differs; kiln build makes it again");
}

static bool check_parts(const struct published_iso *iso, const struct buf *text, struct err *err) {
        char found[DIGEST_HEX_SIZE];
        if (!iso->sha256[0])
                return true;
        digest_bytes("sha256", text->data, text->size, found);
        return strcmp(found, iso->sha256) == 0 || fail_changed(iso->name, err);
}

static bool assemble(int role, const struct published_iso *iso, int to, char ret_sha256[static DIGEST_HEX_SIZE],
                     struct err *err) {
        auto_buf text = { .max = PARTS_MAX_BYTES };
        auto_free struct parts_list *list = xcalloc(1, sizeof *list);
        size_t head = 0;
        if (!fs_read(role, iso->name, &text, err) || !check_parts(iso, &text, err))
                return false;
        if (!parse_parts(&text, list, &head))
                return fail(err, ERR_DIFFERENT, 0, "%s is damaged", iso->name);
        auto_free unsigned char *rest = xmalloc(list->rest_bytes + 1);
        if (!unpack_rest(&text, head, list, rest))
                return fail(err, ERR_DIFFERENT, 0, "%s is damaged", iso->name);
        memcpy(ret_sha256, list->sha256, DIGEST_HEX_SIZE);
        struct assembly assembly = { list, rest, role, to };
        return put_all(&assembly, err);
}

// ---- from a build ----

static bool ends_with(const char *text, const char *end) {
        size_t length = strlen(text), end_length = strlen(end);
        return length > end_length && strcmp(text + length - end_length, end) == 0;
}

// The digest of a file in a text that sha256sum writes; false: it is not named.
static bool find_sum_of(const struct buf *sums, const char *role, const char *name, char ret[static DIGEST_HEX_SIZE]) {
        auto_free char *wanted = xasprintf("  %s/%s\n", role, name);
        const char *text = buf_text(sums);
        for (const char *at = text; (at = strstr(at, wanted)); at++) {
                bool has_digest = at - text >= HEX && (at - text == HEX || at[-HEX - 1] == '\n');
                if (!has_digest || strspn(at - HEX, "0123456789abcdef") != HEX)
                        continue;
                memcpy(ret, at - HEX, HEX);
                ret[HEX] = '\0';
                return true;
        }
        return false;
}

// Without a list, as a build with --only has none, any file counts.
static bool is_of_build(const struct buf *sums, const char *role, const char *name, struct published_iso *ret) {
        ret->sha256[0] = '\0';
        return sums->size == 0 || find_sum_of(sums, role, name, ret->sha256);
}

// CLUSTER-ROLE.iso.parts, or the ISO itself; no name: neither.
static bool find_iso_of_role(int dir, const char *role, const struct buf *sums, struct published_iso *ret,
                             struct err *err) {
        int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        auto_closedir DIR *stream = NULL;
        if (copy >= 0)
                stream = fdopendir(copy);
        if (!stream)
                return fail(err, ERR_SYSTEM, errno, "list the role's directory");
        struct dirent *entry;
        bool ok, is_iso = false;
        while (!is_iso && (ok = fs_next_entry(stream, &entry, err)) && entry) {
                struct published_iso found = { 0 };
                is_iso = ends_with(entry->d_name, ISO_SUFFIX);
                bool is_wanted = is_iso || ends_with(entry->d_name, ISO_SUFFIX ISO_PARTS_SUFFIX);
                if (!is_wanted || !is_of_build(sums, role, entry->d_name, &found)) {
                        is_iso = false;
                        continue;
                }
                free(ret->name);
                *ret = found;
                ret->name = xstrdup(entry->d_name);
        }
        return ok;
}

static bool check_written(int to, const char *sha256, const char *name, struct err *err) {
        char written[DIGEST_HEX_SIZE];
        auto_free char *path = xasprintf("/proc/self/fd/%d", to);
        if (!digest_file("sha256", AT_FDCWD, path, written, err))
                return false;
        if (strcmp(written, sha256) == 0)
                return true;
        fail(err, ERR_DIFFERENT, 0, "%s would not be what was published: a file that it is made of has changed", name);
        return hint(err, "kiln verify --no-rebuild BUILD names it; kiln build makes it again");
}

static bool copy_iso(int role, const struct published_iso *iso, int to, struct err *err) {
        auto_close int from = -1;
        return fs_open(role, iso->name, O_RDONLY | O_NOFOLLOW, 0, &from, err) &&
               fs_copy_bytes(from, to, UINT64_MAX, err) &&
               (!iso->sha256[0] || check_written(to, iso->sha256, iso->name, err));
}

static bool fill_iso(int role, const struct published_iso *iso, int to, struct err *err) {
        char sha256[DIGEST_HEX_SIZE];
        if (!ends_with(iso->name, ISO_PARTS_SUFFIX))
                return copy_iso(role, iso, to, err);
        return assemble(role, iso, to, sha256, err) && check_written(to, sha256, iso->name, err);
}

struct iso_filling {
        int role;
        const struct published_iso *iso;
};

static bool fill_whole_iso(int fd, void *context, struct err *err) {
        const struct iso_filling *filling = context;
        return fill_iso(filling->role, filling->iso, fd, err);
}

// ---- where to ----

// The ISO would take the place of a device's or a pipe's name, and nothing would be written to it.
static bool refuse_special(const char *to, struct err *err) {
        struct stat found;
        if (stat(to, &found) < 0 || S_ISREG(found.st_mode))
                return true; // writing it says what else is wrong
        fail(err, ERR_USAGE, 0, "%s is there, and is no regular file", to);
        return hint(err, "--output takes the name of a file; kiln write writes to disks");
}

static bool is_build_directory(const char *path) {
        auto_free char *sums = xasprintf("%s/" SUMS_NAME, path);
        auto_free char *manifest = xasprintf("%s/manifest.json", path);
        return fs_exists(AT_FDCWD, sums) && fs_exists(AT_FDCWD, manifest);
}

// A published build is what its lists say, and has no other file.
static bool refuse_inside_build(const char *to, struct err *err) {
        char directory[PATH_MAX];
        const char *slash = strrchr(to, '/');
        auto_free char *parent = xstrdup(".");
        if (slash) {
                free(parent);
                parent = xstrndup(to, (size_t)(slash - to) + 1);
        }
        if (!realpath(parent, directory))
                return true; // opening it says why
        for (char *end = directory + strlen(directory); end > directory; end = strrchr(directory, '/')) {
                *end = '\0';
                if (!is_build_directory(directory))
                        continue;
                fail(err, ERR_USAGE, 0, "%s is in the published build %s", to, directory);
                return hint(err,
                            "write it elsewhere, with --output FILE: kiln verify takes a build for what was published");
        }
        return true;
}

// Where --output does not say so, as the file is called in the build, in the working directory.
static char *path_of_iso(const struct published_iso *iso, const char *to) {
        size_t length = strlen(iso->name);
        if (to)
                return xstrdup(to);
        if (ends_with(iso->name, ISO_PARTS_SUFFIX))
                length -= strlen(ISO_PARTS_SUFFIX);
        return xstrndup(iso->name, length);
}

static bool open_role(const char *build, const char *role, int *ret_fd, struct err *err) {
        auto_free char *directory = xasprintf("%s/%s", build, role);
        if (!strchr(role, '/') && fs_exists(AT_FDCWD, directory))
                return fs_open_dir(AT_FDCWD, directory, ret_fd, err);
        fail(err, ERR_REFERENCE, 0, "%s has no role %s", build, role);
        return hint(err, "kiln builds lists what roles a build has");
}

static bool read_sums_of(const char *build, struct buf *ret, struct err *err) {
        auto_free char *path = xasprintf("%s/" SUMS_NAME, build);
        ret->max = PARTS_MAX_BYTES;
        return !fs_exists(AT_FDCWD, path) || fs_read(AT_FDCWD, path, ret, err);
}

static bool write_found(int dir, const struct published_iso *iso, const char *to, char **ret_path, struct err *err) {
        auto_free char *path = path_of_iso(iso, to);
        struct iso_filling filling = { dir, iso };
        if (!refuse_special(path, err) || !refuse_inside_build(path, err) ||
            !fs_make_whole(AT_FDCWD, path, 0644, fill_whole_iso, &filling, err))
                return false;
        *ret_path = take_ptr(path);
        return true;
}

// What becomes of an ISO that was found, in a role's directory.
typedef bool iso_use(int dir, const struct published_iso *iso, void *context, struct err *err);

static bool with_iso_of_role(const char *build, const char *role, iso_use *use, void *context, struct err *err) {
        struct published_iso iso = { 0 };
        auto_buf sums = { 0 };
        auto_close int dir = -1;
        if (!open_role(build, role, &dir, err) || !read_sums_of(build, &sums, err) ||
            !find_iso_of_role(dir, role, &sums, &iso, err))
                return false;
        auto_free char *name = iso.name;
        if (!name) {
                fail(err, ERR_REFERENCE, 0, "%s/%s has neither an ISO nor the parts of one", build, role);
                return hint(err, "it was built with --only, and `iso` was not among the kinds");
        }
        return use(dir, &iso, context, err);
}

struct iso_writing {
        const char *to;
        char **ret_path;
};

static bool write_the_iso(int dir, const struct published_iso *iso, void *context, struct err *err) {
        const struct iso_writing *writing = context;
        return write_found(dir, iso, writing->to, writing->ret_path, err);
}

bool iso_write_published(const char *build, const char *role, const char *to, char **ret_path, struct err *err) {
        struct iso_writing writing = { to, ret_path };
        return with_iso_of_role(build, role, write_the_iso, &writing, err) || wrap(err, "writing the ISO of %s", role);
}

// ---- for who reads it ----

static const char *temporary_place(void) {
        const char *given = getenv("TMPDIR");
        if (given && *given)
                return given;
        return "/var/tmp";
}

static bool join_parts(int dir, const struct published_iso *iso, int *ret_fd, struct err *err) {
        auto_close int fd = open(temporary_place(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "make a file in %s (TMPDIR)", temporary_place());
        if (!fill_iso(dir, iso, fd, err))
                return false;
        *ret_fd = take_fd(fd);
        return true;
}

static bool open_the_iso(int dir, const struct published_iso *iso, void *context, struct err *err) {
        auto_close int fd = -1;
        if (ends_with(iso->name, ISO_PARTS_SUFFIX))
                return join_parts(dir, iso, context, err);
        if (!fs_open(dir, iso->name, O_RDONLY | O_NOFOLLOW, 0, &fd, err) ||
            (iso->sha256[0] && !check_written(fd, iso->sha256, iso->name, err)))
                return false;
        *(int *)context = take_fd(fd);
        return true;
}

bool iso_open_published(const char *build, const char *role, int *ret_fd, uint64_t *ret_size_bytes, struct err *err) {
        struct stat stat;
        auto_close int fd = -1;
        if (!with_iso_of_role(build, role, open_the_iso, &fd, err))
                return false;
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat the ISO");
        *ret_fd = take_fd(fd);
        *ret_size_bytes = (uint64_t)stat.st_size;
        return true;
}
