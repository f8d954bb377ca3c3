// SPDX-License-Identifier: MIT
// Unpacking without librpm, for boot loader files. A package is verified before, and treated as hostile all the same:
// every path is resolved with the directory as its root, so neither "..", nor absolute names, nor links lead out of it.
#include <archive.h>
#include <archive_entry.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/err.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "packages/packages.h"
#include "packages/trust/package_verify.h"
#include "packages/trust/rpm_file.h"

enum { UNPACKED_MAX = 1 << 30 };

// "./usr/x", "/usr/x" and "usr/x" are the same file; the package's own root has no name.
static const char *archive_path(const char *path) {
        while (*path == '/' || (path[0] == '.' && (path[1] == '/' || !path[1])))
                path++;
        return path;
}

// mkdir -p in the root. A link to a directory inside it, such as lib64 -> usr/lib64, is followed.
static bool open_or_make_parent(int dir, const char *path, int *ret_fd, const char **ret_name, struct err *err) {
        const char *slash = strrchr(path, '/');
        if (!slash) {
                *ret_name = path;
                return fs_open_in_root(dir, ".", O_RDONLY | O_DIRECTORY, 0, ret_fd, err);
        }
        *ret_name = slash + 1;
        auto_free char *parent = xstrndup(path, (size_t)(slash - path));
        if (fs_open_in_root(dir, parent, O_RDONLY | O_DIRECTORY, 0, ret_fd, err))
                return true;
        if (err->number != ENOENT)
                return false;
        auto_close int above = -1;
        const char *name = NULL;
        if (!open_or_make_parent(dir, parent, &above, &name, err))
                return false;
        if (mkdirat(above, name, 0755) < 0 && errno != EEXIST)
                return fail(err, ERR_SYSTEM, errno, "make directory %s", parent);
        return fs_open_in_root(dir, parent, O_RDONLY | O_DIRECTORY, 0, ret_fd, err);
}

static bool fail_for_archive(struct archive *archive, struct err *err) {
        const char *text = archive_error_string(archive);
        if (!text)
                text = "damaged";
        return fail(err, ERR_CORRUPT, 0, "%s", text);
}

static bool extract_data(struct archive *archive, int parent, const char *name, mode_t mode, struct err *err) {
        auto_close int fd = -1;
        if (!fs_open(parent, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600, &fd, err))
                return false;
        const void *block;
        size_t size;
        la_int64_t offset;
        int result;
        while ((result = archive_read_data_block(archive, &block, &size, &offset)) == ARCHIVE_OK)
                if (!interrupt_check(err) || !fs_write_all(fd, block, size, err))
                        return false;
        if (result != ARCHIVE_EOF)
                return fail_for_archive(archive, err);
        // Never set-id, never to be written to by others: these are the host's files, in a directory all may enter.
        if (fchmod(fd, mode & 0755) < 0)
                return fail(err, ERR_SYSTEM, errno, "chmod");
        return true;
}

static bool extract_hard_link(struct archive *archive, struct archive_entry *entry, int dir, int parent,
                              const char *name, struct err *err) {
        const char *target = archive_path(archive_entry_hardlink(entry));
        const char *target_name = NULL;
        auto_close int target_parent = -1;
        if (!fs_path_is_safe(target))
                return fail(err, ERR_CORRUPT, 0, "a hard link leads outside");
        if (!open_or_make_parent(dir, target, &target_parent, &target_name, err))
                return false;
        if (linkat(target_parent, target_name, parent, name, 0) < 0)
                return fail(err, ERR_SYSTEM, errno, "link");
        // newc gives the contents of a set of links with its last member
        if (archive_entry_size(entry) == 0)
                return true;
        return extract_data(archive, parent, name, archive_entry_perm(entry), err);
}

static bool extract_dir(int parent, const char *name, mode_t mode, struct err *err) {
        struct stat stat;
        bool exists = fstatat(parent, name, &stat, AT_SYMLINK_NOFOLLOW) == 0;
        if (exists && (S_ISDIR(stat.st_mode) || S_ISLNK(stat.st_mode)))
                return true;
        if (mkdirat(parent, name, 0700) < 0)
                return fail(err, ERR_SYSTEM, errno, "make directory");
        // Always writable for us, or the files in it could not be written.
        if (fchmodat(parent, name, (mode & 0755) | 0700, 0) < 0)
                return fail(err, ERR_SYSTEM, errno, "chmod");
        return true;
}

static bool extract_link(struct archive_entry *entry, int parent, const char *name, struct err *err) {
        if (symlinkat(archive_entry_symlink(entry), parent, name) < 0)
                return fail(err, ERR_SYSTEM, errno, "link");
        return true;
}

// One entry below `parent`. Devices and the like are left out: no boot loader is one.
static bool extract_one(struct archive *archive, struct archive_entry *entry, int dir, int parent, const char *name,
                        struct err *err) {
        mode_t type = archive_entry_filetype(entry);
        if (type == AE_IFDIR)
                return extract_dir(parent, name, archive_entry_perm(entry), err);
        if (unlinkat(parent, name, 0) < 0 && errno != ENOENT)
                return fail(err, ERR_SYSTEM, errno, "replace");
        if (archive_entry_hardlink(entry))
                return extract_hard_link(archive, entry, dir, parent, name, err);
        if (type == AE_IFLNK)
                return extract_link(entry, parent, name, err);
        if (type == AE_IFREG)
                return extract_data(archive, parent, name, archive_entry_perm(entry), err);
        return true;
}

static bool extract_entry(struct archive *archive, struct archive_entry *entry, int dir, struct err *err) {
        const char *path = archive_path(archive_entry_pathname(entry));
        auto_close int parent = -1;
        const char *name = NULL;
        if (!*path)
                return true;
        if (!fs_path_is_safe(path))
                return fail(err, ERR_CORRUPT, 0, "`%s` leads outside", path);
        auto_free char *clean = xstrdup(path);
        for (size_t end = strlen(clean); end > 1 && clean[end - 1] == '/';)
                clean[--end] = '\0';
        if (!open_or_make_parent(dir, clean, &parent, &name, err))
                return false;
        return extract_one(archive, entry, dir, parent, name, err) || wrap(err, "%s", path);
}

// The compressions that rpm knows, and no more: of others libarchive runs a program of that name from PATH, as which
// any payload with the right first bytes would do.
static void support_payloads(struct archive *archive) {
        archive_read_support_filter_gzip(archive);
        archive_read_support_filter_bzip2(archive);
        archive_read_support_filter_lzma(archive);
        archive_read_support_filter_xz(archive);
        archive_read_support_filter_zstd(archive);
        archive_read_support_format_cpio(archive);
}

static bool extract_all(struct archive *archive, int payload, int dir, struct err *err) {
        enum { BLOCK = 128 << 10 };
        if (archive_read_open_fd(archive, payload, BLOCK) != ARCHIVE_OK)
                return fail_for_archive(archive, err);
        struct archive_entry *entry;
        int64_t left = UNPACKED_MAX;
        int result;
        while ((result = archive_read_next_header(archive, &entry)) == ARCHIVE_OK) {
                left -= archive_entry_size(entry);
                if (left < 0)
                        return fail(err, ERR_CORRUPT, 0, "its files have more than the %d bytes that a boot loader may",
                                    UNPACKED_MAX);
                if (!interrupt_check(err) || !extract_entry(archive, entry, dir, err))
                        return false;
        }
        return result == ARCHIVE_EOF || fail_for_archive(archive, err);
}

// The bytes are compared once more with what was verified, in the file that is unpacked: a cache may rot.
static bool open_payload(const struct package *package, int *ret_fd, struct err *err) {
        auto_close int fd = -1;
        char hex[DIGEST_HEX_SIZE];
        struct rpm_file file;
        if (!fs_open(AT_FDCWD, package->path, O_RDONLY, 0, &fd, err) ||
            !digest_fd(package->checksum_type, fd, hex, err) ||
            !package_check_digest(package, hex, package->path, err) || !rpm_file_read(fd, &file, err))
                return false;
        off_t offset = (off_t)file.payload_offset;
        rpm_file_close(&file);
        if (lseek(fd, offset, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "seek in %s", package->path);
        *ret_fd = take_fd(fd);
        return true;
}

bool package_extract(const struct package *package, int dir, struct err *err) {
        assert(package->checksum && package->checksum_type);
        if (!package->path)
                return fail(err, ERR_INTERNAL, 0, "%s was not fetched", package->nevra);
        auto_close int payload = -1;
        if (!open_payload(package, &payload, err))
                return wrap(err, "unpacking %s", package->nevra);
        struct archive *archive = archive_read_new();
        if (!archive)
                abort(); // out of memory
        support_payloads(archive);
        bool ok = extract_all(archive, payload, dir, err);
        archive_read_free(archive);
        return ok || wrap(err, "unpacking %s", package->nevra);
}
