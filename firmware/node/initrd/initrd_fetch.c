// SPDX-License-Identifier: MIT
// The root from the network and the state disk: as little as possible from the network, and nothing that the disk has
// is believed.
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "firmware/node/http/fetch.h"
#include "firmware/node/initrd/initrd.h"
#include "firmware/node/root/file_sha256.h"
#include "firmware/node/roots/kept_roots.h"
#include "firmware/node/roots/root_parts.h"
#include "shared/node_config.h"

#define ROOT_NAME "rootfs.squashfs"

enum { RANGES_MAX = 200, HEX_DIGITS = SHA256_HEX_SIZE - 1 };

// ---- where it comes from, for the report ----

struct origin {
        const char *from;
        uint64_t kept_bytes;
        struct fetch_tally tally;
};

static char *beside_root(const char *root, const char *name) {
        const char *slash = strrchr(root, '/');
        if (!slash)
                return xstrdup(name);
        return xasprintf("%.*s/%s", (int)(slash - root), root, name);
}

// A report that lacks it is no reason to fail.
static void write_origin(const char *root, const struct origin *origin) {
        auto_free char *path = beside_root(root, INITRD_ORIGIN_NAME);
        auto_free char *text =
            xasprintf("root_from=%s\nroot_kept_bytes=%" PRIu64 "\nroot_fetched_bytes=%" PRIu64 "\nroot_requests=%u\n",
                      origin->from, origin->kept_bytes, origin->tally.bytes, origin->tally.requests);
        auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0)
                (void)!write(fd, text, strlen(text));
}

static bool open_kept(const char *disk, struct kept_roots *ret, struct err *err) {
        if (!disk)
                return fail(err, ERR_REFERENCE, 0, "there is no state disk yet");
        auto_close int fd = open(disk, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", disk);
        return kept_roots_open(fd, ret, err);
}

// ---- all of it from the disk ----

static bool take_kept(const char *disk, const char *to, const char *sha256, uint64_t size, struct err *err) {
        auto_kept_roots roots = { .dir = -1 };
        if (!open_kept(disk, &roots, err))
                return false;
        auto_close int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (out < 0)
                return fail(err, ERR_SYSTEM, errno, "create %s", to);
        return kept_roots_copy(&roots, sha256, size, out, err);
}

bool initrd_take_kept_root(const char *disk, const char *to, const char *sha256, const char *size, struct err *err) {
        assert(disk && to && sha256 && size);
        uint64_t wanted;
        if (!initrd_parse_size(sha256, size, &wanted, err))
                return false;
        if (!take_kept(disk, to, sha256, wanted, err)) {
                unlink(to);
                return false;
        }
        write_origin(to, &(struct origin){ .from = "disk", .kept_bytes = wanted });
        return true;
}

// ---- its index ----

// Where the index is, by what the root's URL ends with: its name, or its digest. False if that says nothing.
static bool append_index_url(const char *url, size_t size, const struct fetch *root, const char *sha256,
                             struct buf *ret) {
        size_t name = strlen(ROOT_NAME);
        const char *separator = "";
        if (ret->size > 0)
                separator = ",";
        if (size > name && strncmp(url + size - name, ROOT_NAME, name) == 0)
                buf_printf(ret, "%s%.*s" CHUNK_INDEX_NAME, separator, (int)(size - name), url);
        else if (size > HEX_DIGITS && strncasecmp(url + size - HEX_DIGITS, root->sha256, HEX_DIGITS) == 0)
                buf_printf(ret, "%s%.*s%s", separator, (int)(size - HEX_DIGITS), url, sha256);
        else
                return false;
        return true;
}

// All of them must say it: the order of the mirrors is the same for both files.
static bool find_index_urls(const struct fetch *root, const char *sha256, struct buf *ret, struct err *err) {
        static const char next_url[] = ",http://";
        for (const char *url = root->urls; *url;) {
                const char *end = strstr(url, next_url);
                if (!end)
                        end = url + strlen(url);
                if (!append_index_url(url, (size_t)(end - url), root, sha256, ret))
                        return fail(err, ERR_REFERENCE, 0, "%.*s does not end with " ROOT_NAME " or the root's digest",
                                    (int)(end - url), url);
                url = end;
                if (*url)
                        url++;
        }
        return true;
}

static bool read_index_file(const char *path, const struct fetch *root, struct chunk_index *ret, struct err *err) {
        auto_buf bytes = { .max = CHUNK_INDEX_MAX_BYTES + NODE_READ_ROOM_BYTES };
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        if (!buf_read_fd(&bytes, fd, err) || !chunk_index_read(buf_text(&bytes), bytes.size, ret, err))
                return false;
        return ret->size_bytes == root->size_bytes ||
               fail(err, ERR_CORRUPT, 0, "the index of chunks is one of a root of %" PRIu64 " bytes", ret->size_bytes);
}

// Stays beside the root, to be kept with it. It is not waited for: a root that is fetched whole needs none.
static bool fetch_index(const struct fetch *root, const char *chunks, struct chunk_index *ret, struct err *err) {
        char sha256[SHA256_HEX_SIZE];
        auto_buf urls = { 0 };
        auto_free char *path = beside_root(root->path, CHUNK_INDEX_NAME);
        struct fetch index = *root;
        size_t digits = strcspn(chunks, ":");
        if (digits != HEX_DIGITS || !chunks[digits])
                return fail(err, ERR_USAGE, 0, "\"%s\" is no SHA256:SIZE", chunks);
        (void)snprintf(sha256, sizeof sha256, "%.*s", HEX_DIGITS, chunks);
        if (!initrd_parse_size(sha256, chunks + digits + 1, &index.size_bytes, err))
                return false;
        if (index.size_bytes == 0 || index.size_bytes > CHUNK_INDEX_MAX_BYTES)
                return fail(err, ERR_CORRUPT, 0, "no index of chunks has %" PRIu64 " bytes", index.size_bytes);
        if (!find_index_urls(root, sha256, &urls, err))
                return false;
        index.urls = buf_text(&urls);
        index.path = path;
        index.sha256 = sha256;
        index.once = true;
        index.progress = NULL;
        if (fetch_file(&index, err) && read_index_file(path, root, ret, err))
                return true;
        unlink(path);
        return wrap(err, CHUNK_INDEX_NAME);
}

// ---- together ----

static bool make_room_for_root(int fd, const struct fetch *root, struct err *err) {
        struct statvfs space;
        if (fstatvfs(fd, &space) < 0 || ftruncate(fd, (off_t)root->size_bytes) < 0)
                return fail(err, ERR_SYSTEM, errno, "make %s", root->path);
        return (uint64_t)space.f_bavail * space.f_frsize >= root->size_bytes ||
               fail(err, ERR_DISK_FULL, 0, "the memory is too small");
}

static void tell_parts(const struct fetch *root, uint64_t kept_bytes, size_t requests) {
        auto_free char *text = xasprintf("kiln: the state disk has %" PRIu64 " of %" PRIu64
                                         " MB of the root: fetching the rest in %zu parts\n",
                                         kept_bytes / 1000000, root->size_bytes / 1000000, requests);
        root->tell(text);
}

static bool check_put_together(int fd, const struct fetch *root, struct err *err) {
        char found[SHA256_HEX_SIZE];
        if (lseek(fd, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "read %s", root->path);
        if (!file_sha256(fd, -1, root->size_bytes, found, err))
                return false;
        return strcasecmp(found, root->sha256) == 0 ||
               fail(err, ERR_CHECKSUM, 0, "what was put together has SHA-256 %s", found);
}

static bool put_together(const struct fetch *root, const struct chunk_index *index, const struct kept_roots *roots,
                         uint64_t *ret_kept_bytes, struct err *err) {
        auto_free struct chunk_range *ranges = NULL;
        auto_free bool *there = xcalloc(index->n + 1, sizeof *there);
        struct fetch_parts parts = { .index = index };
        auto_close int fd = open(root->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "create %s", root->path);
        if (!make_room_for_root(fd, root, err) || !root_parts_copy(roots, index, fd, there, ret_kept_bytes, err))
                return false;
        if (*ret_kept_bytes == 0)
                return fail(err, ERR_REFERENCE, 0, "the roots on the state disk have nothing of it");
        root_parts_plan(index, there, RANGES_MAX, &ranges, &parts.range_count);
        parts.ranges = ranges;
        parts.fd = fd;
        tell_parts(root, *ret_kept_bytes, parts.range_count);
        return fetch_parts(root, &parts, err) && check_put_together(fd, root, err);
}

// The index is fetched in any case: the next build needs it.
static bool fetch_changed(const struct fetch *root, const char *chunks, const char *disk, struct origin *origin,
                          struct err *err) {
        auto_chunk_index index = { 0 };
        auto_kept_roots roots = { .dir = -1 };
        if (!fetch_index(root, chunks, &index, err) || !open_kept(disk, &roots, err))
                return false;
        if (roots.count == 0)
                return fail(err, ERR_REFERENCE, 0, "the state disk keeps no root yet");
        if (!put_together(root, &index, &roots, &origin->kept_bytes, err))
                return false;
        origin->from = "disk+network";
        if (origin->tally.bytes == 0)
                origin->from = "disk";
        return true;
}

bool initrd_fetch_root(const struct fetch *fetch, const char *chunks, const char *disk, struct err *err) {
        assert(fetch->urls && fetch->path && fetch->sha256 && fetch->size_bytes > 0 && !fetch->tally);
        struct origin origin = { .from = "network" };
        struct fetch root = *fetch;
        auto_err why = { 0 };
        root.tally = &origin.tally;
        if (chunks && fetch_changed(&root, chunks, disk, &origin, &why)) {
                write_origin(root.path, &origin);
                return true;
        }
        if (chunks) {
                auto_free char *text = xasprintf("kiln: the root is fetched whole: %s\n", why.text);
                root.tell(text);
        }
        origin.kept_bytes = 0;
        if (!fetch_file(&root, err))
                return false;
        write_origin(root.path, &origin);
        return true;
}
