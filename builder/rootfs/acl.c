// SPDX-License-Identifier: MIT
// The attributes hold the kernel's form of an ACL (linux/posix_acl_xattr.h): a version, then entries of tag,
// permissions and id, little endian.
#include "rootfs/acl.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/progress.h"

#define ACCESS_ACL "system.posix_acl_access"
#define DEFAULT_ACL "system.posix_acl_default"

enum { ACL_BYTES_MAX = 65536, ALL_BITS = 07, GROUP_SHIFT = 3 };

struct acl {
        struct posix_acl_xattr_entry entries[ACL_BYTES_MAX / sizeof(struct posix_acl_xattr_entry)];
        size_t count; // 0: there is none
};

static bool acl_read(const char *file, const char *attribute, struct acl *ret, struct err *err) {
        struct posix_acl_xattr_header header;
        auto_free char *value = xmalloc(ACL_BYTES_MAX);
        ssize_t size = lgetxattr(file, attribute, value, ACL_BYTES_MAX);
        ret->count = 0;
        if (size < 0 && (errno == ENODATA || errno == ENOTSUP))
                return true;
        if (size < 0)
                return fail(err, ERR_SYSTEM, errno, "read attribute %s", attribute);
        if ((size_t)size < sizeof header)
                return fail(err, ERR_CORRUPT, 0, "attribute %s is cut short", attribute);
        memcpy(&header, value, sizeof header);
        if (le32toh(header.a_version) != POSIX_ACL_XATTR_VERSION)
                return fail(err, ERR_CORRUPT, 0, "attribute %s is of version %u", attribute, le32toh(header.a_version));
        ret->count = ((size_t)size - sizeof header) / sizeof *ret->entries;
        memcpy(ret->entries, value + sizeof header, ret->count * sizeof *ret->entries);
        return true;
}

// ---- what it says ----

static const struct kind {
        unsigned tag;
        const char *name;
        bool has_id;
} kinds[] = {
        { ACL_USER_OBJ, "user", false }, { ACL_USER, "user", true },  { ACL_GROUP_OBJ, "group", false },
        { ACL_GROUP, "group", true },    { ACL_MASK, "mask", false }, { ACL_OTHER, "other", false },
};

static unsigned bits_of(const struct acl *acl, unsigned tag, unsigned otherwise) {
        for (size_t i = 0; i < acl->count; i++)
                if (le16toh(acl->entries[i].e_tag) == tag)
                        return le16toh(acl->entries[i].e_perm) & ALL_BITS;
        return otherwise;
}

static void append_acl_entry(struct buf *text, const char *prefix, const struct posix_acl_xattr_entry *entry) {
        unsigned tag = le16toh(entry->e_tag), bits = le16toh(entry->e_perm);
        for (size_t i = 0; i < lengthof(kinds); i++) {
                if (kinds[i].tag != tag)
                        continue;
                if (text->size)
                        buf_append_text(text, ",");
                buf_printf(text, "%s%s:", prefix, kinds[i].name);
                if (kinds[i].has_id)
                        buf_printf(text, "%u", le32toh(entry->e_id));
                buf_append_char(text, ':');
                buf_append_char(text, (bits & ACL_READ) ? 'r' : '-');
                buf_append_char(text, (bits & ACL_WRITE) ? 'w' : '-');
                buf_append_char(text, (bits & ACL_EXECUTE) ? 'x' : '-');
        }
}

// As getfacl(1) and setfacl(1) write it.
static void append_acl(struct buf *text, const char *prefix, const struct acl *acl) {
        for (size_t i = 0; i < acl->count; i++)
                append_acl_entry(text, prefix, &acl->entries[i]);
}

// ---- taking it away ----

static bool remove_acl(const char *file, const char *attribute, const struct acl *acl, struct err *err) {
        if (acl->count == 0)
                return true;
        return lremovexattr(file, attribute) == 0 || fail(err, ERR_SYSTEM, errno, "remove attribute %s", attribute);
}

// The kernel's access check takes the group's entry and the mask together.
static mode_t mode_without(const struct acl *access, mode_t mode) {
        unsigned group = bits_of(access, ACL_GROUP_OBJ, 0) & bits_of(access, ACL_MASK, ALL_BITS);
        if (access->count == 0)
                return mode & 07777;
        return (mode & 07707) | (mode_t)(group << GROUP_SHIFT);
}

static bool take_acls(const char *file, const char *path, mode_t mode, const struct acl *access,
                      const struct acl *inherited, struct err *err) {
        auto_buf text = { 0 };
        mode_t after = mode_without(access, mode);
        append_acl(&text, "", access);
        append_acl(&text, "default:", inherited);
        if (!remove_acl(file, ACCESS_ACL, access, err) || !remove_acl(file, DEFAULT_ACL, inherited, err))
                return false;
        if (access->count > 0 && chmod(file, after) < 0)
                return fail(err, ERR_SYSTEM, errno, "set the mode");
        warning("%s: a scriptlet gave it an ACL (%s), which images cannot hold: it is left out, and mode %04o remains",
                path, buf_text(&text), (unsigned)after);
        return true;
}

bool acl_settle(int parent, const char *name, const char *path, struct err *err) {
        assert(name && path);
        struct stat stat;
        auto_free struct acl *access = xmalloc(sizeof *access);
        auto_free struct acl *inherited = xmalloc(sizeof *inherited);
        if (fstatat(parent, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", path);
        if (S_ISLNK(stat.st_mode))
                return true;
        auto_free char *file = xasprintf("/proc/self/fd/%d/%s", parent, name); // no *at() call takes attributes
        if (!acl_read(file, ACCESS_ACL, access, err) || !acl_read(file, DEFAULT_ACL, inherited, err))
                return wrap(err, "%s", path);
        if (access->count == 0 && inherited->count == 0)
                return true;
        return take_acls(file, path, stat.st_mode, access, inherited, err) || wrap(err, "%s", path);
}

bool acl_inherit_nothing(int dir, struct err *err) {
        if (fremovexattr(dir, DEFAULT_ACL) == 0 || errno == ENODATA || errno == ENOTSUP)
                return true;
        return fail(err, ERR_SYSTEM, errno, "remove attribute %s of the layer's directory", DEFAULT_ACL);
}
