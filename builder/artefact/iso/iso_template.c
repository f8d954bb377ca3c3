// SPDX-License-Identifier: MIT
#include "artefact/iso/iso_template.h"

#include <assert.h>
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

// ---- where the files lie ----

static struct iso_file *find_iso_file(struct iso_template *template, const char *path) {
        if (strcmp(template->root.path, path) == 0)
                return &template->root;
        for (size_t i = 0; i < template->file_count; i++)
                if (strcmp(template->files[i].path, path) == 0)
                        return &template->files[i];
        for (size_t i = 0; i < template->same_count; i++)
                if (strcmp(template->same[i].path, path) == 0)
                        return &template->same[i];
        return NULL;
}

// "File data lba:  0 ,     9978 ,      528 ,  1081344 , '/EFI/BOOT/BOOTX64.EFI'": extent, first block, blocks, bytes
// of the file, path. A file of 4 GiB or more has several extents, one after the other.
static void read_lba_line(struct iso_template *template, const char *line) {
        unsigned extent;
        unsigned long long block, blocks, size;
        char path[PATH_MAX];
        int fields =
            sscanf(line, "File data lba: %u , %llu , %llu , %llu , '%4095[^']'", &extent, &block, &blocks, &size, path);
        if (fields != 5 || extent != 0)
                return;
        struct iso_file *file = find_iso_file(template, path);
        if (file)
                file->extent = (struct iso_extent){ block * ISO_SECTOR_BYTES, size };
}

static bool read_lbas(struct iso_template *template, const char *path, struct err *err) {
        auto_free char *device = xasprintf("stdio:%s", path); // without the prefix a path below /dev is a drive
        const char *const argv[] = { "xorriso", "-no_rc", "-indev", device,       "-find", "/",
                                     "-type",   "f",      "-exec",  "report_lba", "--",    NULL };
        auto_buf output = { 0 };
        if (!run(&(struct run){ .argv = argv, .output = &output }, err))
                return false;
        char *rest = output.data;
        for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
                read_lba_line(template, line);
        return true;
}

static bool check_extent(const struct iso_template *template, const struct iso_file *file, struct err *err) {
        struct stat stat;
        if (fstatat(template->directory, file->source, &stat, 0) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", file->source);
        bool fits = file->extent.offset > 0 && (uint64_t)stat.st_size == file->extent.size_bytes;
        return fits || fail(err, ERR_INTERNAL, 0, "%s has no place of its size in the ISO", file->path);
}

static bool check_extents(const struct iso_template *template, struct err *err) {
        if (!check_extent(template, &template->root, err))
                return false;
        for (size_t i = 0; i < template->file_count; i++)
                if (!check_extent(template, &template->files[i], err))
                        return false;
        for (size_t i = 0; i < template->same_count; i++)
                if (!check_extent(template, &template->same[i], err))
                        return false;
        return true;
}

static uint64_t first_change(const struct iso_template *template) {
        uint64_t first = UINT64_MAX;
        for (size_t i = 0; i < template->file_count; i++)
                if (template->files[i].extent.offset < first)
                        first = template->files[i].extent.offset;
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

static bool save_layout(int dir, const struct iso_template *template, struct err *err) {
        char state[DIGEST_STATE_TEXT_SIZE];
        digest_state_format(&template->state, state);
        json_t *files = json_object();
        for (size_t i = 0; i < template->file_count; i++)
                json_object_set_new(files, template->files[i].path, extent_json(&template->files[i].extent));
        for (size_t i = 0; i < template->same_count; i++)
                json_object_set_new(files, template->same[i].path, extent_json(&template->same[i].extent));
        json_t *json =
            json_pack("{so ss so}", "root", extent_json(&template->root.extent), "state", state, "files", files);
        auto_free char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
        json_decref(json);
        return fs_write_atomic(dir, LAYOUT_NAME, text, strlen(text), 0644, err);
}

static bool unpack_layout(json_t *json, struct iso_template *template) {
        const char *state = json_string_value(json_object_get(json, "state"));
        json_t *files = json_object_get(json, "files");
        if (!state || !digest_state_parse(state, &template->state) ||
            !read_extent(json_object_get(json, "root"), &template->root.extent))
                return false;
        for (size_t i = 0; i < template->file_count; i++)
                if (!read_extent(json_object_get(files, template->files[i].path), &template->files[i].extent))
                        return false;
        for (size_t i = 0; i < template->same_count; i++)
                if (!read_extent(json_object_get(files, template->same[i].path), &template->same[i].extent))
                        return false;
        template->state.bytes = first_change(template);
        return true;
}

static bool load_layout(const char *entry, struct iso_template *template, struct err *err) {
        auto_free char *path = xasprintf("%s/" LAYOUT_NAME, entry);
        json_error_t error;
        json_t *json = json_load_file(path, 0, &error);
        bool ok = json && unpack_layout(json, template);
        json_decref(json);
        if (ok)
                return true;
        fail(err, ERR_SYSTEM, 0, "%s is damaged", path);
        return hint(err, "remove the directory %s; it is made again", entry);
}

// ---- making one ----

// xorriso is a child process, which does not have the descriptor of the directory: it needs a path.
static bool path_below(int dir, const char *name, char **ret, struct err *err) {
        char link[64], path[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
        ssize_t length = readlink(link, path, sizeof path - 1);
        if (length < 0)
                return fail(err, ERR_SYSTEM, errno, "read %s", link);
        *ret = xasprintf("%.*s/%s", (int)length, path, name);
        return true;
}

// The cache has the root already, as an entry of its own: the hole saves the space of a second copy. A file system
// without holes keeps both, which does no harm.
static void punch_root(int fd, const struct iso_extent *root) {
        (void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)root->offset, (off_t)root->size_bytes);
}

static bool make_volume_at(struct iso_template *template, const char *path, struct err *err) {
        return template->make(path, template->context, err) && read_lbas(template, path, err) &&
               check_extents(template, err);
}

// From where to where in its file. Up to the end of the file: UINT64_MAX.
struct moved_range {
        uint64_t from, to, size_bytes;
};

static bool copy_range(int from, int to, const struct moved_range *range, struct err *err) {
        if (lseek(from, (off_t)range->from, SEEK_SET) < 0 || lseek(to, (off_t)range->to, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "seek");
        return fs_copy_bytes(from, to, range->size_bytes, err);
}

// The template is what comes before the root's place and after it: a hole there would be read, and digested, each time.
static bool copy_from_volume(const struct iso_template *template, int volume, int to, struct err *err) {
        const struct iso_extent *root = &template->root.extent;
        const struct moved_range before = { 0, 0, root->offset },
                                 after = { root->offset + root->size_bytes, root->offset, UINT64_MAX };
        return copy_range(volume, to, &before, err) && copy_range(volume, to, &after, err);
}

static bool copy_to_volume(const struct iso_template *template, int from, int volume, struct err *err) {
        const struct iso_extent *root = &template->root.extent;
        const struct moved_range before = { 0, 0, root->offset },
                                 after = { root->offset, root->offset + root->size_bytes, UINT64_MAX };
        return copy_range(from, volume, &before, err) && copy_range(from, volume, &after, err);
}

// Makes the template from the volume that was made for this build.
static bool keep_volume(struct iso_template *template, int volume, int dir, struct err *err) {
        auto_close int to = -1;
        return digest_begin(volume, first_change(template), &template->state, err) && save_layout(dir, template, err) &&
               fs_open(dir, TEMPLATE_NAME, O_WRONLY | O_CREAT | O_EXCL, 0644, &to, err) &&
               copy_from_volume(template, volume, to, err);
}

static bool make_template(int dir, void *context, struct err *err) {
        struct iso_template *template = context;
        auto_free char *path = NULL;
        auto_close int volume = -1;
        if (!path_below(template->directory, template->name, &path, err) || !make_volume_at(template, path, err) ||
            !fs_open(template->directory, template->name, O_RDWR, 0, &volume, err) ||
            !keep_volume(template, volume, dir, err))
                return false;
        if (template->lacks_root)
                punch_root(volume, &template->root.extent);
        template->is_written = true;
        return fchmod(volume, 0644) == 0 || fail(err, ERR_SYSTEM, errno, "set the mode of %s", template->name);
}

// ---- using one ----

static bool copy_to_place(const struct iso_template *template, const struct iso_file *file, int to, struct err *err) {
        auto_close int from = -1;
        if (lseek(to, (off_t)file->extent.offset, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "seek");
        return fs_open(template->directory, file->source, O_RDONLY, 0, &from, err) &&
               fs_copy_bytes(from, to, file->extent.size_bytes, err);
}

// Copies the template `from` to both sides of the root's place, and then what is this build's own.
static bool copy_volume(const struct iso_template *template, int from, int to, struct err *err) {
        if (!copy_to_volume(template, from, to, err) ||
            (!template->lacks_root && !copy_to_place(template, &template->root, to, err)))
                return false;
        for (size_t i = 0; i < template->file_count; i++)
                if (!copy_to_place(template, &template->files[i], to, err))
                        return false;
        return true;
}

// What xorriso has just made for the template is the ISO, too.
static bool write_volume(const struct iso_template *template, const char *entry, int *ret_fd, struct err *err) {
        auto_free char *path = xasprintf("%s/" TEMPLATE_NAME, entry);
        auto_close int from = -1;
        if (template->is_written)
                return fs_open(template->directory, template->name, O_RDONLY, 0, ret_fd, err);
        return fs_open(AT_FDCWD, path, O_RDONLY, 0, &from, err) &&
               fs_open(template->directory, template->name, O_RDWR | O_CREAT | O_EXCL, 0644, ret_fd, err) &&
               copy_volume(template, from, *ret_fd, err);
}

bool iso_template_fill(struct iso_template *template, char ret_sha256[static DIGEST_HEX_SIZE], struct err *err) {
        assert(template->make && template->file_count > 0 && template->file_count <= ISO_FILES_MAX);
        auto_free char *entry = cache_entry(template->cache, CACHE_ISO, template->key);
        auto_close int to = -1;
        struct cached_file cached;
        if (!cached_file_obtain(template->cache, CACHE_ISO, template->key, TEMPLATE_NAME, make_template, template,
                                &cached, err))
                return false;
        return load_layout(entry, template, err) && check_extents(template, err) &&
               write_volume(template, entry, &to, err) && digest_finish(&template->state, to, ret_sha256, err);
}
