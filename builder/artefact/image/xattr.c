// SPDX-License-Identifier: MIT
#include "artefact/image/xattr.h"

#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "base/stand_in.h"

enum { NAMES_MAX = 65536, VALUE_MAX = 65536 };

static bool goes_into_images(const char *name) {
        if (strcmp(name, "security.capability") == 0)
                return true;
        return strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0 &&
               strcmp(name, STAND_IN_ATTRIBUTE) != 0;
}

// Revision 3 of a file capability is revision 2 with the id of a namespace's root behind it.
static void drop_root_id(struct xattr *xattr) {
        uint32_t magic;
        if (xattr->size != XATTR_CAPS_SZ_3 || strcmp(xattr->name, "security.capability") != 0)
                return;
        memcpy(&magic, xattr->value, sizeof magic);
        magic = htole32((le32toh(magic) & ~(uint32_t)VFS_CAP_REVISION_MASK) | VFS_CAP_REVISION_2);
        memcpy(xattr->value, &magic, sizeof magic);
        xattr->size = XATTR_CAPS_SZ_2;
}

static bool read_xattr(const char *path, const char *name, struct xattrs *xattrs, struct err *err) {
        auto_free unsigned char *value = xmalloc(VALUE_MAX);
        ssize_t size = lgetxattr(path, name, value, VALUE_MAX);
        if (size < 0)
                return fail(err, ERR_SYSTEM, errno, "read attribute %s", name);
        struct xattr *xattr = array_append(&xattrs->items, &xattrs->count);
        *xattr = (struct xattr){ xstrdup(name), xmalloc((size_t)size + 1), (size_t)size };
        memcpy(xattr->value, value, (size_t)size);
        drop_root_id(xattr);
        return true;
}

static int compare_xattr_names(const void *left, const void *right) {
        return strcmp(((const struct xattr *)left)->name, ((const struct xattr *)right)->name);
}

bool xattrs_read(int parent, const char *name, struct xattrs *ret, struct err *err) {
        // There is no *at() call for attributes: the descriptor's path in /proc stands in for it.
        auto_free char *path = xasprintf("/proc/self/fd/%d/%s", parent, name);
        // Most files have none: a small buffer is enough to see that.
        char probe[256];
        ssize_t size = llistxattr(path, probe, sizeof probe);
        bool unsupported = size < 0 && errno == ENOTSUP;
        if (size == 0 || unsupported)
                return true;
        auto_free char *names = xmalloc(NAMES_MAX);
        size = llistxattr(path, names, NAMES_MAX);
        if (size < 0)
                return fail(err, ERR_SYSTEM, errno, "list the attributes of %s", name);
        struct xattrs xattrs = { 0 };
        for (const char *next = names; next < names + size; next += strlen(next) + 1)
                if (goes_into_images(next) && !read_xattr(path, next, &xattrs, err)) {
                        xattrs_release(&xattrs);
                        return wrap(err, "%s", name);
                }
        if (xattrs.count)
                qsort(xattrs.items, xattrs.count, sizeof *xattrs.items, compare_xattr_names);
        *ret = xattrs;
        return true;
}

void xattrs_release(struct xattrs *xattrs) {
        for (size_t i = 0; i < xattrs->count; i++) {
                free(xattrs->items[i].name);
                free(xattrs->items[i].value);
        }
        free(xattrs->items);
        *xattrs = (struct xattrs){ 0 };
}
