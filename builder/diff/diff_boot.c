// SPDX-License-Identifier: MIT
// What a build holds outside of the folders of its roles: boot loaders and their files (artefact/pxe.c), Kickstart
// files, lists of packages.
#include <ctype.h>
#include <string.h>

#include "base/fs.h"
#include "diff/internal.h"

enum { COMPARED_MAX_BYTES = 64 << 20 };

// Links to what is in the folders of roles, which is compared there.
#define IMAGES "pxe/images/"

static bool is_outside(const struct build_pair *builds, const char *path) {
        auto_free char *folder = xstrndup(path, strcspn(path, "/"));
        bool is_of_role = diffed_build_role(&builds->from, folder) || diffed_build_role(&builds->to, folder);
        return !is_of_role && strncmp(path, IMAGES, strlen(IMAGES)) != 0;
}

// A file without its build's name, which many carry in a comment. False: it cannot be read, or is too large.
static bool read_unnamed(const struct diffed_build *build, const char *path, struct buf *ret) {
        const char *name = member_text(build->manifest, "build");
        auto_buf bytes = { .max = COMPARED_MAX_BYTES };
        auto_err unreadable = { 0 };
        size_t length = strlen(name);
        if (!fs_path_is_safe(path) || !fs_read(build->dir, path, &bytes, &unreadable))
                return false;
        const char *rest = buf_text(&bytes), *end = rest + bytes.size;
        for (const char *found; length > 0 && (found = memmem(rest, (size_t)(end - rest), name, length));
             rest = found + length)
                buf_append(ret, rest, (size_t)(found - rest));
        buf_append(ret, rest, (size_t)(end - rest));
        return true;
}

static bool differs_but_for_name(const struct build_pair *builds, const char *path) {
        auto_buf before = { 0 }, after = { 0 };
        if (!read_unnamed(&builds->from, path, &before) || !read_unnamed(&builds->to, path, &after))
                return true;
        return before.size != after.size || memcmp(buf_text(&before), buf_text(&after), after.size) != 0;
}

static void add_artefact(const struct build_pair *builds, const char *path, json_t *list) {
        const json_t *from = json_object_get(builds->from.sums, path), *to = json_object_get(builds->to.sums, path);
        if (strcmp(member_text(from, "sha256"), member_text(to, "sha256")) == 0)
                return;
        if (!from || !to || differs_but_for_name(builds, path))
                json_array_append_new(list, json_pack("{ss sI sI}", "artefact", path, "from",
                                                      member_number(from, "size"), "to", member_number(to, "size")));
}

json_t *diff_artefacts(const struct build_pair *builds) {
        json_t *list = json_array(), *artefact;
        const char *path;
        json_object_foreach(builds->to.sums, path, artefact) if (is_outside(builds, path))
            add_artefact(builds, path, list);
        json_object_foreach(builds->from.sums, path, artefact) {
                bool is_gone = !json_object_get(builds->to.sums, path);
                if (is_gone && is_outside(builds, path))
                        add_artefact(builds, path, list);
        }
        return list;
}

// ---- what a node boots by ----

// Each tells all roles and nodes: what one of them boots stands in its own files, too.
static bool is_menu(const char *name) {
        static const char *const menus[] = { "boot.ipxe", "grub.cfg", "grub/grub.cfg", "pxelinux.cfg/default" };
        for (size_t i = 0; i < lengthof(menus); i++)
                if (strcmp(name, menus[i]) == 0)
                        return true;
        return false;
}

// The files of one node or role; the others are of all of them.
static bool is_of_one(const char *name) {
        static const char *const folders[] = { "mac/", "node/", "role/", "pxelinux.cfg/" };
        for (size_t i = 0; i < lengthof(folders); i++)
                if (strncmp(name, folders[i], strlen(folders[i])) == 0)
                        return true;
        return false;
}

static char *mac_with_hyphens(const json_t *entry) {
        char *mac = xstrdup(member_text(entry, "mac"));
        for (char *at = mac; *at; at++) {
                *at = (char)tolower((unsigned char)*at);
                if (*at == ':')
                        *at = '-';
        }
        return mac;
}

static bool is_own(const char *name, const json_t *entry) {
        auto_free char *mac = mac_with_hyphens(entry);
        auto_free char *ipxe = xasprintf("mac/%s.ipxe", mac), *pxelinux = xasprintf("pxelinux.cfg/01-%s", mac);
        auto_free char *node = xasprintf("node/%s.ipxe", member_text(entry, "name"));
        auto_free char *role = xasprintf("role/%s.ipxe", member_text(entry, "role"));
        const char *const own[] = { ipxe, pxelinux, node, role };
        for (size_t i = 0; i < lengthof(own); i++)
                if (strcmp(name, own[i]) == 0)
                        return true;
        return false;
}

void append_booted_by(const json_t *artefacts, const json_t *entry, struct buf *ret) {
        size_t i;
        json_t *artefact;
        json_array_foreach(artefacts, i, artefact) {
                const char *path = member_text(artefact, "artefact"), *name = path + strlen("pxe/");
                if (strncmp(path, "pxe/", strlen("pxe/")) != 0 || is_menu(name))
                        continue;
                if (is_of_one(name) && !is_own(name, entry))
                        continue;
                if (ret->size > 0)
                        buf_append_text(ret, ", ");
                buf_append_text(ret, name);
        }
}
