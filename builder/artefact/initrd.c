// SPDX-License-Identifier: MIT
// The initrd: everything that firmware/initramfs/parts lists, in its order (the list documents its own grammar).
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "artefact/initrd/cpio.h"
#include "artefact/initrd/modules.h"
#include "artefact/internal.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cache/kept.h"
#include "cache/lock.h"

enum { WORDS_MAX = 256 };

struct initrd {
        const struct artefact_build *build;
        const struct artefact_role *role;
        struct cpio *cpio;
        struct arena arena;
        const char **paths; // directories already there
        size_t path_count;
        const char *busybox; // its path in the initrd
};

static const char *busybox_of(const struct artefact_build *build) {
        return build->busybox ? build->busybox : "/bin/busybox";
}

static bool add_directory(struct initrd *initrd, const char *path, mode_t mode, struct err *err) {
        for (size_t i = 0; i < initrd->path_count; i++)
                if (strcmp(initrd->paths[i], path) == 0)
                        return true;
        *array_append(&initrd->paths, &initrd->path_count) = arena_strdup(&initrd->arena, path);
        return cpio_add(initrd->cpio, &(struct cpio_entry){ .path = path, .mode = S_IFDIR | mode }, err);
}

// The kernel's unpacker makes no parents.
static bool add_parents(struct initrd *initrd, const char *path, struct err *err) {
        for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                auto_free char *parent = xstrndup(path, (size_t)(slash - path));
                if (!add_directory(initrd, parent, 0755, err))
                        return false;
        }
        return true;
}

static bool add_bytes(struct initrd *initrd, const char *path, mode_t mode, const struct buf *bytes, struct err *err) {
        struct cpio_entry entry = {
                .path = path, .mode = S_IFREG | mode, .data = buf_text(bytes), .size = bytes->size
        };
        return add_parents(initrd, path, err) && cpio_add(initrd->cpio, &entry, err);
}

static bool add_file(struct initrd *initrd, const char *path, mode_t mode, const char *source, struct err *err) {
        auto_buf bytes = { 0 };
        return fs_read(AT_FDCWD, source, &bytes, err) && add_bytes(initrd, path, mode, &bytes, err);
}

static bool add_link(struct initrd *initrd, const char *path, const char *target, struct err *err) {
        struct cpio_entry entry = { .path = path, .mode = S_IFLNK | 0777, .target = target };
        return add_parents(initrd, path, err) && cpio_add(initrd->cpio, &entry, err);
}

// A program with an interpreter cannot run in an initrd that has no libraries.
static bool check_static(const char *path, struct err *err) {
        auto_buf bytes = { 0 };
        Elf64_Ehdr header;
        if (!fs_read(AT_FDCWD, path, &bytes, err))
                return hint(err, "the Debian package busybox-static has it");
        if (bytes.size < sizeof header || memcmp(bytes.data, ELFMAG, SELFMAG) != 0)
                return fail(err, ERR_TOOL, 0, "%s is no ELF program", path);
        memcpy(&header, bytes.data, sizeof header);
        for (size_t i = 0; i < header.e_phnum; i++) {
                Elf64_Phdr program;
                if (header.e_phoff > bytes.size || bytes.size - header.e_phoff < (i + 1) * sizeof program)
                        return fail(err, ERR_TOOL, 0, "%s is truncated", path);
                memcpy(&program, bytes.data + header.e_phoff + i * sizeof program, sizeof program);
                if (program.p_type == PT_INTERP) {
                        fail(err, ERR_TOOL, 0, "%s is not linked statically", path);
                        return hint(err, "the Debian package busybox-static has one that is");
                }
        }
        return true;
}

// ---- modules ----

static bool add_firmware(struct initrd *initrd, const struct modules *modules, struct err *err) {
        for (size_t i = 0; i < modules->count; i++)
                for (size_t j = 0; modules->items[i].wanted && j < modules->items[i].firmware.count; j++) {
                        auto_free char *path = xasprintf("/lib/firmware/%s", modules->items[i].firmware.items[j]);
                        auto_close int fd = -1;
                        auto_err absent = { 0 };
                        auto_buf bytes = { 0 };
                        // Most modules know of more firmware than any package ships.
                        if (!fs_open_in_root(modules->root, path, O_RDONLY, 0, &fd, &absent))
                                continue;
                        bool known = false;
                        for (size_t k = 0; k < initrd->path_count; k++)
                                known = known || strcmp(initrd->paths[k], path) == 0;
                        if (known)
                                continue;
                        *array_append(&initrd->paths, &initrd->path_count) = arena_strdup(&initrd->arena, path);
                        if (!buf_read_fd(&bytes, fd, err) || !add_bytes(initrd, path, 0644, &bytes, err))
                                return wrap(err, "%s", path);
                }
        return true;
}

static bool add_module_files(struct initrd *initrd, const struct modules *modules, const char *dir, struct err *err) {
        static const struct {
                const char *name;
                void (*write)(const struct modules *modules, struct buf *ret);
        } lists[] = { { "modules.dep", modules_dep },
                      { "modules.alias", modules_alias },
                      { "modules.softdep", modules_softdep } };
        for (size_t i = 0; i < modules->count; i++) {
                auto_free char *path = xasprintf("%s/%s", dir, modules->items[i].path);
                if (modules->items[i].wanted && !add_bytes(initrd, path, 0644, &modules->items[i].content, err))
                        return false;
        }
        for (size_t i = 0; i < lengthof(lists); i++) {
                auto_free char *path = xasprintf("%s/%s", dir, lists[i].name);
                auto_buf text = { 0 };
                lists[i].write(modules, &text);
                if (!add_bytes(initrd, path, 0644, &text, err))
                        return false;
        }
        return true;
}

static bool add_modules(struct initrd *initrd, char **words, struct err *err) {
        struct modules modules;
        auto_free char *dir = xasprintf("%s/%s", words[1], initrd->role->kernel_version);
        bool ok = modules_open(initrd->role->root, initrd->role->kernel_version, &modules, err) &&
                  modules_want(&modules, &initrd->build->cluster->release.initrd_modules, err) &&
                  add_parents(initrd, dir, err) && add_directory(initrd, dir, 0755, err) &&
                  add_module_files(initrd, &modules, dir, err) && add_firmware(initrd, &modules, err);
        modules_release(&modules);
        return ok;
}

// ---- the list ----

static mode_t mode_of(const char *word) { return (mode_t)strtoul(word, NULL, 8) & 07777; }

static bool part_dir(struct initrd *initrd, char **words, size_t count, struct err *err) {
        (void)count;
        return add_parents(initrd, words[1], err) && add_directory(initrd, words[1], mode_of(words[2]), err);
}

static bool part_nod(struct initrd *initrd, char **words, size_t count, struct err *err) {
        (void)count;
        struct cpio_entry entry = {
                .path = words[1],
                .mode = (words[2][0] == 'b' ? S_IFBLK : S_IFCHR) | mode_of(words[5]),
                .device = makedev((unsigned)atoi(words[3]), (unsigned)atoi(words[4])),
        };
        return add_parents(initrd, words[1], err) && cpio_add(initrd->cpio, &entry, err);
}

static bool part_link(struct initrd *initrd, char **words, size_t count, struct err *err) {
        (void)count;
        return add_link(initrd, words[1], words[2], err);
}

static bool part_file(struct initrd *initrd, char **words, size_t count, struct err *err) {
        (void)count;
        auto_free char *source = xasprintf("%s/%s", initrd->build->initramfs_dir, words[2]);
        return add_file(initrd, words[1], mode_of(words[3]), source, err);
}

static bool part_busybox(struct initrd *initrd, char **words, size_t count, struct err *err) {
        (void)count;
        const char *busybox = busybox_of(initrd->build);
        initrd->busybox = arena_strdup(&initrd->arena, words[1]);
        return check_static(busybox, err) && add_file(initrd, words[1], mode_of(words[2]), busybox, err);
}

static bool part_applets(struct initrd *initrd, char **words, size_t count, struct err *err) {
        if (!initrd->busybox)
                return fail(err, ERR_SYNTAX, 0, "applets before busybox");
        for (size_t i = 2; i < count; i++) {
                auto_free char *path = xasprintf("%s/%s", words[1], words[i]);
                if (!add_link(initrd, path, initrd->busybox, err))
                        return false;
        }
        return true;
}

static bool part_node_helper(struct initrd *initrd, char **words, size_t count, struct err *err) {
        (void)count;
        return add_file(initrd, words[1], mode_of(words[2]), initrd->build->kiln_node, err);
}

static bool part_modules(struct initrd *initrd, char **words, size_t count, struct err *err) {
        (void)count;
        return add_modules(initrd, words, err);
}

static const struct {
        const char *word;
        size_t least, most; // words in the line
        bool (*add)(struct initrd *initrd, char **words, size_t count, struct err *err);
} parts[] = {
        { "dir", 3, 3, part_dir },
        { "nod", 6, 6, part_nod },
        { "link", 3, 3, part_link },
        { "file", 4, 4, part_file },
        { "busybox", 3, 3, part_busybox },
        { "applets", 3, WORDS_MAX, part_applets },
        { "node-helper", 3, 3, part_node_helper },
        { "modules", 2, 2, part_modules },
};

static bool add_part(struct initrd *initrd, char *line, struct err *err) {
        char *words[WORDS_MAX];
        size_t count = 0;
        char *state = NULL;
        line[strcspn(line, "#")] = '\0';
        for (char *word = strtok_r(line, " \t", &state); word && count < WORDS_MAX;
             word = strtok_r(NULL, " \t", &state))
                words[count++] = word;
        if (count == 0)
                return true;
        for (size_t i = 0; i < lengthof(parts); i++)
                if (strcmp(parts[i].word, words[0]) == 0 && count >= parts[i].least && count <= parts[i].most &&
                    words[1][0] == '/' && fs_path_is_safe(words[1]))
                        return parts[i].add(initrd, words, count, err);
        return fail(err, ERR_SYNTAX, 0, "not a part: %s%s%s", words[0], count > 1 ? " " : "",
                    count > 1 ? words[1] : "");
}

static bool add_parts(struct initrd *initrd, struct err *err) {
        auto_free char *path = xasprintf("%s/parts", initrd->build->initramfs_dir);
        auto_buf list = { 0 };
        if (!fs_read(AT_FDCWD, path, &list, err))
                return false;
        int number = 0;
        for (char *line = list.data, *next; line && *line; line = next) {
                size_t length = strcspn(line, "\n");
                next = line + length + (line[length] == '\n');
                line[length] = '\0';
                number++;
                if (!add_part(initrd, line, err))
                        return wrap(err, "%s:%d", path, number);
        }
        return cpio_finish(initrd->cpio, err);
}

static bool initrd_check(const struct artefact_build *build, struct err *err) {
        return part_check(build->cluster->release.initrd_compressor, err) && check_static(busybox_of(build), err);
}

// ---- the cache: <cache>/initrd/ ----
//
//     <archive's digest>.<compressor>/initrd.img    kept.h; roles with the same kernel have the same archive
//     <inputs' digest>                              names the former, so that a known initrd is not put together again
//
// The archive's digest is also one of who compresses it.

struct making {
        const struct artefact_build *build;
        const struct artefact_role *role;
        struct buf archive; // empty: not put together yet
};

static bool make_archive(struct making *making, struct err *err) {
        if (making->archive.size)
                return true;
        struct initrd initrd = { .build = making->build,
                                 .role = making->role,
                                 .cpio = cpio_new(making->build->source_date_epoch, &making->archive) };
        bool ok = add_parts(&initrd, err);
        cpio_free(initrd.cpio);
        free(initrd.paths);
        arena_release(&initrd.arena);
        return ok;
}

static bool make_image(int dir, void *context, struct err *err) {
        struct making *making = context;
        return make_archive(making, err) && part_write(making->build->cluster->release.initrd_compressor,
                                                       &making->archive, PART_ALIGN_BYTES, dir, "initrd.img", err);
}

static bool add_source(const struct fs_entry *entry, void *context, struct err *err) {
        char sha256[DIGEST_HEX_SIZE];
        if (!S_ISREG(entry->stat->st_mode))
                return true;
        if (!digest_file("sha256", entry->parent, entry->name, sha256, err))
                return false;
        buf_printf(context, "%s %s\n", entry->path, sha256);
        return true;
}

// Everything that decides the archive; the kernel's modules are the root's.
static bool digest_inputs(const struct making *making, char ret_hex[static DIGEST_HEX_SIZE], struct err *err) {
        const struct artefact_build *build = making->build;
        const struct strings *modules = &build->cluster->release.initrd_modules;
        const char *programs[] = { busybox_of(build), build->kiln_node };
        auto_buf text = { 0 };
        auto_close int sources = -1;
        buf_printf(&text, "%s %s %s %s %lld\n", build->maker, making->role->root_key, making->role->kernel_version,
                   build->cluster->release.initrd_compressor, (long long)build->source_date_epoch);
        for (size_t i = 0; i < modules->count; i++)
                buf_printf(&text, "%s\n", modules->items[i]);
        for (size_t i = 0; i < lengthof(programs); i++) {
                if (!digest_file("sha256", AT_FDCWD, programs[i], ret_hex, err))
                        return false;
                buf_printf(&text, "%s\n", ret_hex);
        }
        if (!fs_open_dir(AT_FDCWD, build->initramfs_dir, &sources, err) || !fs_walk(sources, add_source, &text, err))
                return false;
        digest_bytes("sha256", text.data, text.size, ret_hex);
        return true;
}

static void name_of_archive(const struct making *making, char ret[static INITRD_KEY_SIZE]) {
        char sha256[DIGEST_HEX_SIZE];
        struct digest *digest = digest_new("sha256");
        digest_update(digest, making->build->maker, strlen(making->build->maker));
        digest_update(digest, making->archive.data, making->archive.size);
        digest_final(digest, sha256);
        snprintf(ret, INITRD_KEY_SIZE, "%.64s.%.8s", sha256, making->build->cluster->release.initrd_compressor);
}

static bool read_name(int cache, const char *inputs, char ret[static INITRD_KEY_SIZE]) {
        auto_buf text = { 0 };
        auto_err absent = { 0 };
        if (!fs_read(cache, inputs, &text, &absent) || text.size < 64 || text.size >= INITRD_KEY_SIZE ||
            strspn(buf_text(&text), "0123456789abcdef") != 64 || strchr(buf_text(&text), '/'))
                return false;
        memcpy(ret, buf_text(&text), text.size + 1);
        return true;
}

static bool note_name(int cache, const char *inputs, const char *name, struct err *err) {
        auto_free char *lock_name = xasprintf("%s.lock", inputs);
        auto_close int lock = -1;
        return lock_take(cache, lock_name, &lock, err) && lock_remove_leftovers(cache, inputs, err) &&
               fs_write_atomic(cache, inputs, name, strlen(name), 0644, err);
}

static bool find_or_make(struct making *making, struct artefact_role *role, struct err *err) {
        auto_free char *path = xasprintf("%s/initrd", making->build->cache);
        auto_close int cache = -1;
        char inputs[DIGEST_HEX_SIZE];
        if (!fs_mkdirs(AT_FDCWD, path, 0755, err) || !fs_open_dir(AT_FDCWD, path, &cache, err) ||
            !digest_inputs(making, inputs, err))
                return false;
        memcpy(role->initrd_inputs, inputs, sizeof role->initrd_inputs - 1);
        bool known = read_name(cache, inputs, role->initrd_key);
        if (!known && !make_archive(making, err))
                return false;
        if (!known)
                name_of_archive(making, role->initrd_key);
        auto_free char *entry = xasprintf("%s/%s", path, role->initrd_key);
        auto_free char *image = xasprintf("%s/initrd.img", entry);
        struct kept kept;
        if (!kept_obtain(entry, "initrd.img", make_image, making, &kept, err))
                return false;
        memcpy(role->initrd_sha256, kept.sha256, sizeof role->initrd_sha256);
        return (known || note_name(cache, inputs, role->initrd_key, err)) &&
               fs_link_or_copy(AT_FDCWD, image, role->out, "initrd.img", err);
}

static bool initrd_write(struct artefact_build *build, struct artefact_role *role, struct err *err) {
        struct making making = { .build = build, .role = role };
        bool ok = find_or_make(&making, role, err);
        buf_release(&making.archive);
        return ok;
}

const struct artefact_kind initrd_kind = {
        .name = "initrd",
        .description = "busybox, kiln-node, init and the kernel modules that find the root",
        .per_role = true,
        .check = initrd_check,
        .write = initrd_write,
};
