// SPDX-License-Identifier: MIT
// Overlay folders: a tree of files as they will lie below the image's root.
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>

#include "base/fs.h"
#include "base/progress.h"
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
        bool is_public, is_shared; // others may read the folder; what is made there gets its group
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

// ---- what is told ----

static bool is_leftover_of_editor(const char *name) {
        static const char *const patterns[] = { "?*~", ".?*.sw[a-p]", "#?*#", ".#?*", "?*.orig", "?*.rej" };
        for (size_t i = 0; i < lengthof(patterns); i++)
                if (fnmatch(patterns[i], name, 0) == 0)
                        return true;
        return false;
}

// An overlay is read by several checks, and each thing is told once.
static void overlay_warn(struct loader *loader, const char *text) {
        if (strings_have(&loader->told, text))
                return;
        strings_add_once(loader->arena, &loader->told, text);
        warning("%s", text);
}

// The kernel takes the line as it is, and looks for an interpreter whose name ends in a carriage return.
void check_script_lines(struct loader *loader, int dir, const char *name, const char *shown) {
        char head[256];
        auto_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        ssize_t size = read(fd, head, sizeof head); // fails for a file that cannot be opened, which is told elsewhere
        if (size < 3 || memcmp(head, "#!", 2) != 0)
                return;
        const char *end = memchr(head, '\n', (size_t)size);
        if (!end || end[-1] != '\r')
                return;
        report(loader->diagnostics, ERR_SCHEMA, &(struct place){ shown, 1, 1 },
               "a script whose lines end in CR LF: no interpreter is called so");
        report_hint(loader->diagnostics, "sed -i 's/\\r$//' %s", shown);
}

// git and copies keep no modes but the owner's x, and a checkout's umask is not the image's: so modes are said in the
// profile. A tree that is private as a whole is its user's umask.
static int lost_mode(const struct visit *visit, const struct fs_entry *entry) {
        mode_t mode = entry->stat->st_mode;
        bool is_private = (mode & 0004) == 0 && visit->is_public;
        bool is_inherited = S_ISDIR(mode) && visit->is_shared;
        mode_t special = mode & (S_ISUID | S_ISGID | S_ISVTX);
        if (is_inherited)
                special &= ~(mode_t)S_ISGID;
        if (special == 0 && !is_private)
                return 0;
        return (int)(mode & 07777);
}

void check_lost_modes(struct loader *loader, const struct role *role) {
        for (size_t i = 0; i < role->file_count; i++) {
                const struct file *file = &role->files[i];
                const char *as = "0644, or 0755 if it is a program";
                if (file->lost_mode == 0 || file->mode >= 0)
                        continue;
                if (file->is_directory)
                        as = "0755, or as packages have it";
                overlay_warn(loader, arena_printf(loader->arena,
                                                  "%s has mode %04o, which overlays do not keep: it becomes %s; "
                                                  "`attributes` of the role sets modes",
                                                  file->place.file, (unsigned)file->lost_mode, as));
        }
}

static bool leave_out(struct visit *visit, const struct fs_entry *entry) {
        if (!is_leftover_of_editor(entry->name))
                return false;
        *entry->descend = false;
        overlay_warn(visit->loader,
                     arena_printf(visit->loader->arena, "%s/%s is left out: an editor or a merge left it there",
                                  visit->folder, entry->path));
        return true;
}

static bool visit_entry(const struct fs_entry *entry, void *context, struct err *err) {
        (void)err;
        struct visit *visit = context;
        struct arena *arena = visit->loader->arena;
        mode_t type = entry->stat->st_mode & S_IFMT;
        const char *source = arena_printf(arena, "%s/%s", visit->folder, entry->path);
        struct file file = { .place = { source, 0, 0 }, .mode = -1, .owner = "root", .group = "root" };
        if (leave_out(visit, entry))
                return true;
        file.lost_mode = lost_mode(visit, entry);
        if (type == S_IFDIR) {
                file.is_directory = true;
                file.owner = NULL;
                file.group = NULL;
        } else if (type == S_IFLNK) {
                file.link = link_target(arena, entry);
        } else if (type == S_IFREG) {
                if (!loader_check_size(visit->loader, entry->stat, source, &file.place))
                        return true;
                file.source = arena_printf(arena, "%s/%s", visit->real, entry->path);
                file.shown = source;
                file.is_template = is_template_name(entry->name);
                loader_add_input(visit->loader, file.source);
                check_script_lines(visit->loader, entry->parent, entry->name, source);
        }
        if (!file.link && !file.source && !file.is_directory) {
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

static bool overlay_has(const struct file *files, size_t count, const char *path) {
        for (size_t i = 0; i < count; i++)
                if (strcmp(files[i].path, path) == 0)
                        return true;
        return false;
}

bool overlay_add(struct loader *loader, const char *folder, const struct place *from, struct file **files,
                 size_t *count) {
        struct visit visit = { .loader = loader, .folder = folder };
        enum found found = loader_find_folder(loader, visit.folder, from, &visit.real);
        if (found != FOUND)
                return found == FOUND_REFUSED;
        auto_close int dir = -1;
        auto_err err = { 0 };
        struct stat top = { 0 };
        (void)!stat(visit.real, &top); // fails with what follows
        visit.is_public = (top.st_mode & 0004) != 0;
        visit.is_shared = (top.st_mode & S_ISGID) != 0;
        if (!fs_open_dir(AT_FDCWD, visit.real, &dir, &err) || !fs_walk(dir, visit_entry, &visit, &err))
                report(loader->diagnostics, ERR_SYSTEM, &(struct place){ visit.folder, 0, 0 }, "%s", err.text);
        for (size_t i = 0; i < visit.count; i++) {
                // A directory of an overlay is where files are; what an earlier one says of the path holds.
                if (visit.files[i].is_directory && overlay_has(*files, *count, visit.files[i].path))
                        continue;
                file_put(loader->arena, files, count, &visit.files[i]);
        }
        return true;
}
