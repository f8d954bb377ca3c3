// SPDX-License-Identifier: MIT
// Overlay folders: a tree of files as they will lie below the image's root.
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "profile/internal.h"
#include "profile/reader/paths.h"

#define TEMPLATE_SUFFIX ".tmpl"

void file_put(struct arena *arena, struct file **files, size_t *count, const struct file *file) {
        for (size_t i = 0; i < *count; i++) {
                if (strcmp((*files)[i].path, file->path) == 0) {
                        (*files)[i] = *file;
                        return;
                }
        }
        *files = arena_grow(arena, *files, *count, sizeof **files);
        (*files)[*count] = *file;
        *count += 1;
}

struct visit {
        struct loader *loader;
        const char *folder, *real; // as seen from the working directory; its real path
        struct file *files;        // of this folder
        size_t count;
};

static bool is_template_name(const char *name) {
        size_t size = strlen(name), suffix_size = strlen(TEMPLATE_SUFFIX);
        return size > suffix_size && strcmp(name + size - suffix_size, TEMPLATE_SUFFIX) == 0;
}

static const char *link_target(struct arena *arena, const struct fs_entry *entry) {
        char target[4096];
        ssize_t size = readlinkat(entry->parent, entry->name, target, sizeof target);
        if (size < 0 || (size_t)size == sizeof target)
                return NULL;
        return arena_strndup(arena, target, (size_t)size);
}

static bool visit_entry(const struct fs_entry *entry, void *context, struct err *err) {
        (void)err;
        struct visit *visit = context;
        struct arena *arena = visit->loader->arena;
        mode_t type = entry->stat->st_mode & S_IFMT;
        const char *source = arena_printf(arena, "%s/%s", visit->folder, entry->path);
        struct file file = { .place = { source, 0, 0 }, .mode = -1, .owner = "root", .group = "root" };
        if (type == S_IFDIR)
                return true;
        if (type == S_IFLNK) {
                file.link = link_target(arena, entry);
        } else if (type == S_IFREG) {
                if (!loader_check_size(visit->loader, entry->stat, source, &file.place))
                        return true;
                file.source = arena_printf(arena, "%s/%s", visit->real, entry->path);
                file.is_template = is_template_name(entry->name);
                loader_add_input(visit->loader, file.source);
        }
        if (!file.link && !file.source) {
                report(visit->loader->diagnostics, ERR_SCHEMA, &file.place,
                       "neither a file, a directory nor a readable link");
                return true;
        }
        size_t size = strlen(entry->path);
        if (file.is_template)
                size -= strlen(TEMPLATE_SUFFIX);
        file.path = arena_printf(arena, "/%.*s", (int)size, entry->path);
        size_t before = visit->count;
        file_put(arena, &visit->files, &visit->count, &file);
        if (visit->count == before)
                report(visit->loader->diagnostics, ERR_DUPLICATE, &file.place,
                       "`%s` is in this overlay both as it is and as a template", file.path);
        return true;
}

bool overlay_add(struct loader *loader, const char *overlays, const char *name, const struct place *from,
                 struct file **files, size_t *count) {
        struct visit visit = { loader, arena_printf(loader->arena, "%s/%s", overlays, name), NULL, NULL, 0 };
        enum found found = loader_find_folder(loader, visit.folder, from, &visit.real);
        if (found != FOUND)
                return found == FOUND_REFUSED;
        auto_close int dir = -1;
        auto_err err = { 0 };
        if (!fs_open_dir(AT_FDCWD, visit.real, &dir, &err) || !fs_walk(dir, visit_entry, &visit, &err))
                report(loader->diagnostics, ERR_SYSTEM, &(struct place){ visit.folder, 0, 0 }, "%s", err.text);
        for (size_t i = 0; i < visit.count; i++)
                file_put(loader->arena, files, count, &visit.files[i]);
        return true;
}
