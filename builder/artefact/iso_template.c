// SPDX-License-Identifier: MIT
#include "artefact/iso_template.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "cache/cached_file.h"

#define TEMPLATE_NAME "template.iso"
#define LAYOUT_NAME "layout.json"

// ---- where the parts lie ----

static struct iso_part *find_part(struct iso_layout *layout, const char *path) {
        if (strcmp(layout->root.path, path) == 0)
                return &layout->root;
        for (size_t i = 0; i < layout->part_count; i++)
                if (strcmp(layout->parts[i].path, path) == 0)
                        return &layout->parts[i];
        return NULL;
}

// "File data lba:  0 ,     9978 ,      528 ,  1081344 , '/EFI/BOOT/BOOTX64.EFI'": extent, first block, blocks, bytes
// of the file, path. A file of 4 GiB or more has several extents, one after the other.
static void read_lba_line(struct iso_layout *layout, const char *line) {
        unsigned extent;
        unsigned long long block, blocks, size;
        char path[PATH_MAX];
        if (sscanf(line, "File data lba: %u , %llu , %llu , %llu , '%4095[^']'", &extent, &block, &blocks, &size,
                   path) != 5)
                return;
        struct iso_part *part = find_part(layout, path);
        if (part && extent == 0)
                part->extent = (struct iso_extent){ block * ISO_SECTOR_BYTES, size };
}

static bool read_lbas(struct iso_layout *layout, const char *path, struct err *err) {
        auto_free char *device = xasprintf("stdio:%s", path); // below /dev, too, it is a file
        const char *const argv[] = { "xorriso", "-no_rc", "-indev", device,       "-find", "/",
                                     "-type",   "f",      "-exec",  "report_lba", "--",    NULL };
        auto_buf output = { 0 };
        if (!run(&(struct run){ .argv = argv, .output = &output }, err))
                return false;
        char *rest = output.data;
        for (char *line; rest && (line = strsep(&rest, "\n"));)
                read_lba_line(layout, line);
        return true;
}

static bool check_part(const struct iso_part *part, const struct artefact_role *role, struct err *err) {
        struct stat stat;
        if (fstatat(role->out, part->source, &stat, 0) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", part->source);
        return (part->extent.offset > 0 && (uint64_t)stat.st_size == part->extent.size_bytes) ||
               fail(err, ERR_INTERNAL, 0, "%s has no place of its size in the ISO", part->path);
}

static bool check_layout(const struct iso_layout *layout, const struct artefact_role *role, struct err *err) {
        bool ok = check_part(&layout->root, role, err);
        for (size_t i = 0; ok && i < layout->part_count; i++)
                ok = check_part(&layout->parts[i], role, err);
        return ok;
}

static uint64_t first_change(const struct iso_layout *layout) {
        uint64_t first = UINT64_MAX;
        for (size_t i = 0; i < layout->part_count; i++)
                if (layout->parts[i].extent.offset < first)
                        first = layout->parts[i].extent.offset;
        return first;
}

// ---- as JSON ----

static json_t *extent_json(const struct iso_extent *extent) {
        return json_pack("[II]", (json_int_t)extent->offset, (json_int_t)extent->size_bytes);
}

static bool read_extent(json_t *json, struct iso_extent *ret) {
        json_int_t offset, size;
        if (!json || json_unpack(json, "[II!]", &offset, &size) != 0 || offset <= 0 || size < 0)
                return false;
        *ret = (struct iso_extent){ (uint64_t)offset, (uint64_t)size };
        return true;
}

static bool save_layout(int dir, const struct iso_layout *layout, struct err *err) {
        char state[DIGEST_STATE_TEXT_SIZE];
        digest_state_format(&layout->state, state);
        json_t *parts = json_object();
        for (size_t i = 0; i < layout->part_count; i++)
                json_object_set_new(parts, layout->parts[i].path, extent_json(&layout->parts[i].extent));
        json_t *json =
            json_pack("{so ss so}", "root", extent_json(&layout->root.extent), "state", state, "parts", parts);
        auto_free char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
        json_decref(json);
        return fs_write_atomic(dir, LAYOUT_NAME, text, strlen(text), 0644, err);
}

static bool unpack_layout(json_t *json, struct iso_layout *layout) {
        const char *state = json_string_value(json_object_get(json, "state"));
        json_t *parts = json_object_get(json, "parts");
        bool ok = state && digest_state_parse(state, &layout->state) &&
                  read_extent(json_object_get(json, "root"), &layout->root.extent);
        for (size_t i = 0; ok && i < layout->part_count; i++)
                ok = read_extent(json_object_get(parts, layout->parts[i].path), &layout->parts[i].extent);
        layout->state.bytes = first_change(layout);
        return ok;
}

static bool load_layout(const char *entry, struct iso_layout *layout, struct err *err) {
        auto_free char *path = xasprintf("%s/" LAYOUT_NAME, entry);
        json_error_t error;
        json_t *json = json_load_file(path, 0, &error);
        bool ok = json && unpack_layout(json, layout);
        json_decref(json);
        if (ok)
                return true;
        fail(err, ERR_SYSTEM, 0, "%s is damaged", path);
        return hint(err, "remove the directory %s; it is made again", entry);
}

// ---- making one ----

struct making {
        const struct artefact_role *role;
        struct iso_layout *layout;
        iso_make *make;
        void *context;
};

// A child process cannot see the descriptor.
static bool path_below(int dir, const char *name, char **ret, struct err *err) {
        char link[64], path[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length < 0)
                return fail(err, ERR_SYSTEM, errno, "read %s", link);
        *ret = xasprintf("%.*s/%s", (int)length, path, name);
        return true;
}

// The root is in the cache already. A file system without holes keeps it twice.
static void punch_root(int fd, const struct iso_extent *root) {
        (void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)root->offset, (off_t)root->size_bytes);
}

static bool make_template(int dir, void *context, struct err *err) {
        const struct making *making = context;
        auto_free char *path = NULL;
        auto_close int fd = -1;
        return path_below(dir, TEMPLATE_NAME, &path, err) && making->make(path, making->context, err) &&
               read_lbas(making->layout, path, err) && check_layout(making->layout, making->role, err) &&
               fs_open(dir, TEMPLATE_NAME, O_RDWR, 0, &fd, err) &&
               digest_begin(fd, first_change(making->layout), &making->layout->state, err) &&
               save_layout(dir, making->layout, err) && (punch_root(fd, &making->layout->root.extent), true);
}

// ---- using one ----

static bool copy_range(int from, uint64_t offset, int to, uint64_t size_bytes, struct err *err) {
        if (lseek(from, (off_t)offset, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "seek");
        return fs_copy_bytes(from, to, size_bytes, err);
}

static bool copy_part(const struct artefact_role *role, const struct iso_part *part, int to, struct err *err) {
        auto_close int from = -1;
        if (lseek(to, (off_t)part->extent.offset, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "seek");
        return fs_open(role->out, part->source, O_RDONLY, 0, &from, err) &&
               fs_copy_bytes(from, to, part->extent.size_bytes, err);
}

static bool fill(const struct artefact_role *role, const struct iso_layout *layout, int template, int to,
                 struct err *err) {
        const struct iso_extent *root = &layout->root.extent;
        bool ok = copy_range(template, 0, to, root->offset, err) && copy_part(role, &layout->root, to, err) &&
                  copy_range(template, root->offset + root->size_bytes, to, UINT64_MAX, err);
        for (size_t i = 0; ok && i < layout->part_count; i++)
                ok = copy_part(role, &layout->parts[i], to, err);
        return ok;
}

bool iso_from_template(const struct artefact_build *build, const struct artefact_role *role, const char *key,
                       iso_make *make, void *context, struct iso_layout *layout, const char *name,
                       char ret_sha256[static DIGEST_HEX_SIZE], struct err *err) {
        auto_free char *entry = cache_entry(build->cache, CACHE_ISO, key);
        auto_free char *path = xasprintf("%s/" TEMPLATE_NAME, entry);
        auto_close int template = -1;
        auto_close int to = -1;
        struct making making = { role, layout, make, context };
        struct cached_file cached;
        return cached_file_obtain(build->cache, CACHE_ISO, key, TEMPLATE_NAME, make_template, &making, &cached, err) &&
               load_layout(entry, layout, err) && check_layout(layout, role, err) &&
               fs_open(AT_FDCWD, path, O_RDONLY, 0, &template, err) &&
               fs_open(role->out, name, O_RDWR | O_CREAT | O_EXCL, 0644, &to, err) &&
               fill(role, layout, template, to, err) && digest_finish(&layout->state, to, ret_sha256, err);
}
