// SPDX-License-Identifier: MIT
#include "artefact/initrd/initrd_modules.h"

#include <fcntl.h>

#include "artefact/initrd/modules.h"
#include "base/fs.h"

static bool add_contents(struct initrd_archive *archive, const struct modules *modules, const char *directory,
                         struct err *err) {
        for (size_t i = 0; i < modules->count; i++) {
                const struct module *module = &modules->items[i];
                auto_free char *path = xasprintf("%s/%s", directory, module->path);
                if (module->wanted && !initrd_archive_add_bytes(archive, path, 0644, &module->content, err))
                        return false;
        }
        return true;
}

static bool add_depmod_lists(struct initrd_archive *archive, const struct modules *modules, const char *directory,
                             struct err *err) {
        static const struct {
                const char *name;
                void (*write)(const struct modules *modules, struct buf *ret);
        } lists[] = {
                { "modules.dep", modules_dep },
                { "modules.alias", modules_alias },
                { "modules.softdep", modules_softdep },
        };
        for (size_t i = 0; i < lengthof(lists); i++) {
                auto_free char *path = xasprintf("%s/%s", directory, lists[i].name);
                auto_buf text = { 0 };
                lists[i].write(modules, &text);
                if (!initrd_archive_add_bytes(archive, path, 0644, &text, err))
                        return false;
        }
        return true;
}

// Most modules know of more firmware than any package ships: a file that the root does not have is left out. Several
// modules may name the same file.
static bool add_firmware_file(struct initrd_archive *archive, int root, const char *name, struct err *err) {
        auto_free char *path = xasprintf("/lib/firmware/%s", name);
        auto_close int fd = -1;
        auto_err absent = { 0 };
        auto_buf bytes = { 0 };
        if (initrd_archive_has(archive, path) || !fs_open_in_root(root, path, O_RDONLY, 0, &fd, &absent))
                return true;
        if (buf_read_fd(&bytes, fd, err) && initrd_archive_add_bytes(archive, path, 0644, &bytes, err))
                return true;
        return wrap(err, "%s", path);
}

static bool add_firmware(struct initrd_archive *archive, const struct modules *modules, struct err *err) {
        for (size_t i = 0; i < modules->count; i++) {
                const struct module *module = &modules->items[i];
                if (!module->wanted)
                        continue;
                for (size_t j = 0; j < module->firmware.count; j++)
                        if (!add_firmware_file(archive, modules->root, module->firmware.items[j], err))
                                return false;
        }
        return true;
}

bool initrd_modules_add(struct initrd_archive *archive, const char *directory, int root, const char *kernel_version,
                        const struct strings *names, struct err *err) {
        struct modules modules;
        auto_free char *path = xasprintf("%s/%s", directory, kernel_version);
        bool chosen = modules_index(root, kernel_version, &modules, err) && modules_want(&modules, names, err);
        bool ok = chosen && initrd_archive_add_directory(archive, path, 0755, err) &&
                  add_contents(archive, &modules, path, err) && add_depmod_lists(archive, &modules, path, err) &&
                  add_firmware(archive, &modules, err);
        modules_release(&modules);
        return ok;
}
