// The initrd: everything that firmware/initramfs/parts lists, in its order (the list documents its own grammar).
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "artefact/cpio.h"
#include "artefact/internal.h"
#include "artefact/modules.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"

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
        const char *busybox = initrd->build->busybox ? initrd->build->busybox : "/bin/busybox";
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
        return part_check(build->cluster->release.initrd_compressor, err) &&
               check_static(build->busybox ? build->busybox : "/bin/busybox", err);
}

// Roles with the same kernel have the same initrd: it is compressed once, and found again by the archive's digest.
static bool publish(const struct artefact_build *build, struct artefact_role *role, const struct buf *archive,
                    struct err *err) {
        static pthread_mutex_t compressing = PTHREAD_MUTEX_INITIALIZER;
        const char *compressor = build->cluster->release.initrd_compressor;
        char sha256[DIGEST_HEX_SIZE];
        digest_bytes("sha256", archive->data, archive->size, sha256);
        auto_free char *name = xasprintf("%s.%s", sha256, compressor);
        snprintf(role->initrd_key, sizeof role->initrd_key, "%.64s.%.8s", sha256, compressor);
        auto_free char *path = xasprintf("%s/initrd", build->cache);
        auto_close int dir = -1;
        if (!fs_mkdirs(AT_FDCWD, path, 0755, err) || !fs_open_dir(AT_FDCWD, path, &dir, err))
                return false;
        pthread_mutex_lock(&compressing);
        bool ok = fs_exists(dir, name) || part_write(compressor, archive, dir, name, err);
        pthread_mutex_unlock(&compressing);
        return ok && fs_link_or_copy(dir, name, role->out, "initrd.img", err);
}

static bool initrd_write(struct artefact_build *build, struct artefact_role *role, struct err *err) {
        auto_buf archive = { 0 };
        struct initrd initrd = { .build = build, .role = role, .cpio = cpio_new(build->source_date_epoch, &archive) };
        bool ok = add_parts(&initrd, err) && publish(build, role, &archive, err);
        cpio_free(initrd.cpio);
        free(initrd.paths);
        arena_release(&initrd.arena);
        return ok;
}

const struct artefact_kind initrd_kind = {
        .name = "initrd",
        .description = "busybox, kiln-node, init and the kernel modules that find the root",
        .per_role = true,
        .check = initrd_check,
        .write = initrd_write,
};
