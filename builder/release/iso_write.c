// SPDX-License-Identifier: MIT
#include "release/iso_write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
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

enum { PARTS_MAX_BYTES = 1 << 30, FILES_MAX = 64, NAME_ROOM = 256 };

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

static bool assemble(int role, const char *parts_name, int to, char ret_sha256[static DIGEST_HEX_SIZE],
                     struct err *err) {
        auto_buf text = { .max = PARTS_MAX_BYTES };
        auto_free struct parts_list *list = xcalloc(1, sizeof *list);
        size_t head = 0;
        if (!fs_read(role, parts_name, &text, err))
                return false;
        if (!parse_parts(&text, list, &head))
                return fail(err, ERR_DIFFERENT, 0, "%s is damaged", parts_name);
        auto_free unsigned char *rest = xmalloc(list->rest_bytes + 1);
        if (!unpack_rest(&text, head, list, rest))
                return fail(err, ERR_DIFFERENT, 0, "%s is damaged", parts_name);
        memcpy(ret_sha256, list->sha256, DIGEST_HEX_SIZE);
        struct assembly assembly = { list, rest, role, to };
        return put_all(&assembly, err);
}

// ---- from a build ----

static bool ends_with(const char *text, const char *end) {
        size_t length = strlen(text), end_length = strlen(end);
        return length > end_length && strcmp(text + length - end_length, end) == 0;
}

// CLUSTER-ROLE.iso.parts, or the ISO itself; NULL: neither.
static bool find_iso_of_role(int role, char **ret, struct err *err) {
        auto_free char *found = NULL;
        int copy = openat(role, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        auto_closedir DIR *stream = NULL;
        if (copy >= 0)
                stream = fdopendir(copy);
        if (!stream)
                return fail(err, ERR_SYSTEM, errno, "list the role's directory");
        struct dirent *entry;
        bool ok;
        while ((ok = fs_next_entry(stream, &entry, err)) && entry) {
                bool is_iso = ends_with(entry->d_name, ISO_SUFFIX);
                if (!is_iso && !ends_with(entry->d_name, ISO_SUFFIX ISO_PARTS_SUFFIX))
                        continue;
                free(take_ptr(found));
                found = xstrdup(entry->d_name);
                if (is_iso)
                        break;
        }
        *ret = take_ptr(found);
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

static bool copy_iso(int role, const char *name, int to, struct err *err) {
        auto_close int from = -1;
        return fs_open(role, name, O_RDONLY | O_NOFOLLOW, 0, &from, err) && fs_copy_bytes(from, to, UINT64_MAX, err);
}

static bool fill_iso(int role, const char *name, int to, struct err *err) {
        char sha256[DIGEST_HEX_SIZE];
        if (!ends_with(name, ISO_PARTS_SUFFIX))
                return copy_iso(role, name, to, err);
        return assemble(role, name, to, sha256, err) && check_written(to, sha256, name, err);
}

// Under another name until it is whole.
static bool write_to(int role, const char *name, const char *to, struct err *err) {
        auto_free char *staging = xasprintf("%s.%ld.tmp", to, (long)getpid());
        auto_close int fd = -1;
        if (!fs_open(AT_FDCWD, staging, O_RDWR | O_CREAT | O_EXCL, 0644, &fd, err))
                return false;
        bool ok = fill_iso(role, name, fd, err);
        if (ok && rename(staging, to) < 0)
                ok = fail(err, ERR_SYSTEM, errno, "rename to %s", to);
        if (!ok)
                unlink(staging);
        return ok;
}

bool iso_write_published(const char *build, const char *role, const char *to, char **ret_path, struct err *err) {
        auto_free char *directory = xasprintf("%s/%s", build, role);
        auto_free char *name = NULL;
        auto_close int dir = -1;
        if (strchr(role, '/') || !fs_exists(AT_FDCWD, directory)) {
                fail(err, ERR_REFERENCE, 0, "%s has no role %s", build, role);
                return hint(err, "kiln builds lists what roles a build has");
        }
        if (!fs_open_dir(AT_FDCWD, directory, &dir, err) || !find_iso_of_role(dir, &name, err))
                return false;
        if (!name) {
                fail(err, ERR_REFERENCE, 0, "%s has neither an ISO nor the parts of one", directory);
                return hint(err, "it was built with --only, and `iso` was not among the kinds");
        }
        size_t length = strlen(name);
        if (ends_with(name, ISO_PARTS_SUFFIX))
                length -= strlen(ISO_PARTS_SUFFIX);
        auto_free char *path = xstrndup(name, length);
        if (to) {
                free(path);
                path = xstrdup(to);
        }
        if (!write_to(dir, name, path, err))
                return wrap(err, "writing the ISO of %s", role);
        *ret_path = take_ptr(path);
        return true;
}
