// SPDX-License-Identifier: MIT
#include "rootfs/normalise.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "tests/unit/said.h"
#include "tests/unit/test.h"

enum { EPOCH = 1447000000, ENTRIES = 5 };

static char work_path[] = "/tmp/kiln-normalise-XXXXXX";
static int work = -1;

static void put(const char *path, const char *text, mode_t mode) {
        EXPECT_OK(fs_mkdirs_for(work, path, 0755, err));
        EXPECT_OK(fs_write_atomic(work, path, text, strlen(text), mode, err));
}

static mode_t mode_of(const char *path) {
        struct stat stat = { 0 };
        EXPECT(fstatat(work, path, &stat, AT_SYMLINK_NOFOLLOW) == 0);
        return stat.st_mode & 07777;
}

// What is said on standard error; the tree is below `name`.
static void normalise(const char *name, struct buf *ret_said) {
        auto_close int tree = -1;
        EXPECT_OK(fs_open_dir(work, name, &tree, err));
        struct said said = said_begin();
        EXPECT_OK(normalise_tree(tree, 1500000000, EPOCH, err));
        said_end(&said, ret_said);
}

// `setfacl -m u:480:rwx,m:MASK`: the mode's group bits are then the mask.
static bool set_acl(const char *path, const char *attribute, unsigned group, unsigned mask) {
        struct {
                struct posix_acl_xattr_header header;
                struct posix_acl_xattr_entry entries[ENTRIES];
        } value = { .header = { htole32(POSIX_ACL_XATTR_VERSION) } };
        const struct {
                unsigned tag, bits, id;
        } entries[ENTRIES] = { { ACL_USER_OBJ, 06, ACL_UNDEFINED_ID },
                               { ACL_USER, 07, 480 },
                               { ACL_GROUP_OBJ, group, ACL_UNDEFINED_ID },
                               { ACL_MASK, mask, ACL_UNDEFINED_ID },
                               { ACL_OTHER, 04, ACL_UNDEFINED_ID } };
        for (size_t i = 0; i < ENTRIES; i++)
                value.entries[i] =
                    (struct posix_acl_xattr_entry){ htole16((uint16_t)entries[i].tag),
                                                    htole16((uint16_t)entries[i].bits), htole32(entries[i].id) };
        auto_free char *file = xasprintf("%s/%s", work_path, path);
        return setxattr(file, attribute, &value, sizeof value, 0) == 0;
}

static bool has_acl(const char *path, const char *attribute) {
        auto_free char *file = xasprintf("%s/%s", work_path, path);
        return getxattr(file, attribute, NULL, 0) >= 0;
}

// The mask would let the owning group write what its own entry lets it read.
static void acls_become_modes(void) {
        auto_buf said = { 0 };
        put("acl/etc/wide", "x", 0644);
        put("acl/etc/masked", "x", 0664);
        put("acl/etc/plain", "x", 0664);
        put("acl/etc/d/file", "x", 0644);
        EXPECT(set_acl("acl/etc/wide", "system.posix_acl_access", 04, 07) && mode_of("acl/etc/wide") == 0674);
        EXPECT(set_acl("acl/etc/masked", "system.posix_acl_access", 07, 04));
        EXPECT(set_acl("acl/etc/d", "system.posix_acl_default", 05, 07));
        EXPECT(set_acl("acl", "system.posix_acl_default", 05, 07));
        auto_free char *file = xasprintf("%s/acl/etc/wide", work_path);
        EXPECT(setxattr(file, "user.note", "kept", 4, 0) == 0);
        normalise("acl", &said);
        EXPECT(mode_of("acl/etc/wide") == 0644 && !has_acl("acl/etc/wide", "system.posix_acl_access"));
        EXPECT(mode_of("acl/etc/masked") == 0644 && mode_of("acl/etc/plain") == 0664);
        EXPECT(!has_acl("acl/etc/d", "system.posix_acl_default") && !has_acl("acl", "system.posix_acl_default"));
        EXPECT(has_acl("acl/etc/wide", "user.note"));
        const char *text = buf_text(&said);
        EXPECT(strstr(text, "/etc/wide: a scriptlet gave it an ACL (user::rw-,user:480:rwx,group::r--,mask::rwx,"
                            "other::r--), which images cannot hold: it is left out, and mode 0644 remains"));
        EXPECT(strstr(text, "/etc/d: a scriptlet gave it an ACL (default:user::rw-,default:user:480:rwx,"));
        EXPECT(!strstr(text, "/etc/plain") && !strstr(text, "user.note"));
}

int main(void) {
        auto_err err = { 0 };
        if (!mkdtemp(work_path) || !fs_open_dir(AT_FDCWD, work_path, &work, &err)) {
                printf("Bail out! %s\n", err.text ? err.text : "mkdtemp");
                return 1;
        }
        RUN(acls_become_modes);
        int failed = test_done();
        (void)!fs_remove_tree(AT_FDCWD, work_path, &err);
        return failed;
}
