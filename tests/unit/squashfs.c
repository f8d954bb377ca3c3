// SPDX-License-Identifier: MIT
#include "artefact/artefact.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "artefact/file_sums.h"
#include "artefact/image/image.h"
#include "artefact/image/image_chunks.h"
#include "artefact/image/xattr.h"
#include "artefact/internal.h"
#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "shared/chunk_index.h"
#include "tests/unit/open_cache.h"
#include "tests/unit/root.h"
#include "tests/unit/test.h"

static char top[] = "/tmp/kiln-squashfs-XXXXXX";
static int top_fd = -1;
enum { EPOCH = 1450051200 };

static void put(const char *path, const void *data, size_t size, mode_t mode) {
        struct err error = { 0 };
        if (!fs_mkdirs_for(top_fd, path, 0755, &error) || !fs_write_atomic(top_fd, path, data, size, mode, &error)) {
                printf("Bail out! %s\n", error.text);
                exit(1);
        }
}

// Bytes that compress to about half, the same on each call.
static void noise(char *to, size_t size, unsigned seed) {
        for (size_t i = 0; i < size; i++) {
                seed = seed * 1103515245 + 12345;
                to[i] = "0123456789abcdef"[seed >> 28];
        }
}

// More than 16 bits, which a plain user's 65536 subordinate ids do not reach.
static gid_t large_gid(void) { return is_mapped() ? 60000 : 70000; }

static void make_tree(void) {
        static char large[700000];
        noise(large, sizeof large, 1);
        put("tree/etc/empty", "", 0, 0600);
        put("tree/etc/motd", "hello\n", 6, 0644);
        put("tree/usr/large", large, sizeof large, 0755);
        put("tree/usr/copy", large, sizeof large, 0644);
        put("tree/usr/copy of motd", "hello\n", 6, 04755);
        memset(large + 131072, 0, 300000);
        put("tree/usr/sparse", large, sizeof large, 0644);
        for (int i = 0; i < 1500; i++) {
                auto_free char *path = xasprintf("tree/many/%d", i);
                put(path, path, strlen(path), 0644);
        }
        EXPECT(linkat(top_fd, "tree/usr/large", top_fd, "tree/bin-large", 0) == 0);
        EXPECT(linkat(top_fd, "tree/usr/large", top_fd, "tree/zzz", 0) == 0);
        EXPECT(symlinkat("usr/large", top_fd, "tree/link") == 0);
        EXPECT(mknodat(top_fd, "tree/pipe", S_IFIFO | 0640, 0) == 0);
        EXPECT(mknodat(top_fd, "tree/gone", S_IFCHR, 0) == 0);
        EXPECT(fchownat(top_fd, "tree/etc/motd", 480, large_gid(), 0) == 0);
        EXPECT(mkdirat(top_fd, "tree/tmp", 0700) == 0 && fchmodat(top_fd, "tree/tmp", 01777, 0) == 0);
        struct timespec future[2] = { { EPOCH + 1000, 0 }, { EPOCH + 1000, 0 } };
        struct timespec past[2] = { { 1000000000, 0 }, { 1000000000, 0 } };
        EXPECT(utimensat(top_fd, "tree/etc/empty", future, 0) == 0);
        EXPECT(utimensat(top_fd, "tree/etc/motd", past, 0) == 0);
        int fd = openat(top_fd, "tree/usr/copy", O_RDONLY | O_CLOEXEC);
        struct vfs_ns_cap_data caps = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE };
        caps.data[0].permitted = 1 << CAP_NET_RAW;
        EXPECT(fsetxattr(fd, "security.capability", &caps, XATTR_CAPS_SZ_2, 0) == 0);
        close(fd);
}

static bool pack(const char *compressor, int level, unsigned jobs, const char *image, struct buf *files,
                 struct err *err) {
        struct image_options options = { compressor, level, 131072, EPOCH, jobs, NULL, NULL };
        auto_close int root = -1;
        auto_close int fd = -1;
        return fs_open_dir(top_fd, "tree", &root, err) &&
               fs_open(top_fd, image, O_RDWR | O_CREAT | O_TRUNC, 0644, &fd, err) &&
               image_write(&options, root, fd, files, err);
}

static bool listing(const char *image, struct buf *output, struct err *err) {
        const char *argv[] = { "unsquashfs", "-UTC", "-lln", image, NULL };
        return run(&(struct run){ .argv = argv, .dir = top, .output = output }, err);
}

static bool has_line(const struct buf *output, const char *start, const char *end) {
        for (const char *line = buf_text(output); *line;) {
                size_t length = strcspn(line, "\n");
                if (strncmp(line, start, strlen(start)) == 0 && length >= strlen(end) &&
                    strncmp(line + length - strlen(end), end, strlen(end)) == 0)
                        return true;
                line += length + (line[length] == '\n');
        }
        return false;
}

static void modes_owners_and_times(void) {
        auto_buf files = { 0 };
        auto_buf output = { 0 };
        EXPECT_OK(pack("gzip", 6, 2, "a.squashfs", &files, err));
        EXPECT_OK(listing("a.squashfs", &output, err));
        auto_free char *motd = xasprintf("-rw-r--r-- 480/%u", large_gid());
        EXPECT(has_line(&output, motd, "6 2001-09-09 01:46 squashfs-root/etc/motd"));
        EXPECT(has_line(&output, "-rw------- 0/0", "0 2015-12-14 00:16 squashfs-root/etc/empty"));
        EXPECT(has_line(&output, "-rwsr-xr-x 0/0", "squashfs-root/usr/copy of motd"));
        EXPECT(has_line(&output, "drwxrwxrwt 0/0", "squashfs-root/tmp"));
        EXPECT(has_line(&output, "lrwxrwxrwx 0/0", "squashfs-root/link -> usr/large"));
        EXPECT(strstr(buf_text(&output), "squashfs-root/gone") == NULL);
        // What the manifest says: linux/capability.h, CAP_NET_RAW permitted and effective.
        EXPECT(strstr(buf_text(&files), "{\"capabilities\":\"0100000200200000000000000000000000000000\",\"gid\":0,"
                                        "\"mode\":\"0644\",\"path\":\"/usr/copy\"") != NULL);
}

static void another_reader_gets_the_same_tree_back(void) {
        auto_buf files = { 0 };
        EXPECT_OK(pack("gzip", 6, 2, "a.squashfs", &files, err));
        EXPECT_OK(run_command(
            err, "sh", "-c",
            "cd $1 && rm -rf out && unsquashfs -no-progress -d out a.squashfs >/dev/null && rm tree/gone && "
            "diff -r --no-dereference -x pipe tree out && mknod tree/gone c 0 0",
            "sh", top, NULL));
        struct stat large, first, last;
        EXPECT(fstatat(top_fd, "out/usr/large", &large, 0) == 0 && fstatat(top_fd, "out/bin-large", &first, 0) == 0);
        EXPECT(fstatat(top_fd, "out/zzz", &last, 0) == 0);
        EXPECT(large.st_ino == first.st_ino && large.st_ino == last.st_ino && large.st_nlink == 3);
        char caps[64];
        auto_free char *path = xasprintf("%s/out/usr/copy", top);
        EXPECT(lgetxattr(path, "security.capability", caps, sizeof caps) == XATTR_CAPS_SZ_2);
        EXPECT_OK(run_command(err, "sh", "-c", "rdsquashfs -d $1/a.squashfs > $1/described", "sh", top, NULL));
}

static void device_nodes_keep_their_numbers(void) {
        auto_buf files = { 0 };
        auto_buf output = { 0 };
        struct stat disk;
        EXPECT(mknodat(top_fd, "tree/null", S_IFCHR | 0666, makedev(1, 3)) == 0);
        EXPECT(mknodat(top_fd, "tree/disk", S_IFBLK | 0660, makedev(259, 70000)) == 0);
        EXPECT_OK(pack("gzip", 6, 2, "d.squashfs", &files, err));
        EXPECT_OK(listing("d.squashfs", &output, err));
        EXPECT(has_line(&output, "crw-rw-rw- 0/0", "squashfs-root/null") ||
               has_line(&output, "crw-r--r-- 0/0", "squashfs-root/null"));
        EXPECT(has_line(&output, "br", "squashfs-root/disk"));
        EXPECT_OK(run_command(err, "sh", "-c", "cd $1 && unsquashfs -no-progress -d devices d.squashfs disk >/dev/null",
                              "sh", top, NULL));
        EXPECT(fstatat(top_fd, "devices/disk", &disk, 0) == 0 && disk.st_rdev == makedev(259, 70000));
        EXPECT(unlinkat(top_fd, "tree/null", 0) == 0 && unlinkat(top_fd, "tree/disk", 0) == 0);
}

static void equal_data_is_stored_once(void) {
        auto_buf files = { 0 };
        struct stat stat;
        EXPECT_OK(pack("gzip", 6, 2, "a.squashfs", &files, err));
        EXPECT(fstatat(top_fd, "a.squashfs", &stat, 0) == 0);
        EXPECT(stat.st_size % IMAGE_ALIGN_BYTES == 0);
        EXPECT(stat.st_size > 300000 && stat.st_size < 700000); // 700000 bytes of half a byte each, and little else
}

static void threads_do_not_change_a_bit(void) {
        auto_buf one = { 0 };
        auto_buf many = { 0 };
        char sha_one[DIGEST_HEX_SIZE], sha_many[DIGEST_HEX_SIZE];
        EXPECT_OK(pack("gzip", 6, 1, "a.squashfs", &one, err));
        EXPECT_OK(pack("gzip", 6, 4, "b.squashfs", &many, err));
        EXPECT_OK(digest_file("sha256", top_fd, "a.squashfs", sha_one, err));
        EXPECT_OK(digest_file("sha256", top_fd, "b.squashfs", sha_many, err));
        EXPECT_TEXT(sha_one, sha_many);
        EXPECT(one.size > 100000 && one.size == many.size && memcmp(one.data, many.data, one.size) == 0);
        auto_free char *motd = xasprintf(
            "{\"gid\":%u,\"mode\":\"0644\",\"path\":\"/etc/motd\",\"sha256\":"
            "\"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\",\"size\":6,\"type\":\"file\","
            "\"uid\":480}\n",
            large_gid());
        EXPECT(strstr(buf_text(&one), motd) != NULL);
}

static void every_compressor_is_readable(void) {
        static const struct {
                const char *name;
                int level;
        } cases[] = { { "gzip", 1 }, { "gzip", 12 }, { "xz", 0 }, { "zstd", 3 } };
        for (size_t i = 0; i < lengthof(cases); i++) {
                auto_buf files = { 0 };
                auto_buf output = { 0 };
                EXPECT_OK(pack(cases[i].name, cases[i].level, 2, "c.squashfs", &files, err));
                const char *argv[] = { "unsquashfs", "-cat", "c.squashfs", "etc/motd", NULL };
                EXPECT_OK(run(&(struct run){ .argv = argv, .dir = top, .output = &output }, err));
                EXPECT_TEXT(buf_text(&output), "hello\n");
        }
}

static void an_empty_tree_mounts(void) {
        struct image_options options = { "gzip", 6, 131072, EPOCH, 1, NULL };
        auto_close int root = -1;
        auto_close int fd = -1;
        auto_buf files = { 0 };
        auto_buf output = { 0 };
        EXPECT(mkdirat(top_fd, "nothing", 0755) == 0);
        EXPECT_OK(fs_open_dir(top_fd, "nothing", &root, err));
        EXPECT_OK(fs_open(top_fd, "empty.squashfs", O_RDWR | O_CREAT, 0644, &fd, err));
        EXPECT_OK(image_write(&options, root, fd, &files, err));
        EXPECT_OK(listing("empty.squashfs", &output, err));
        EXPECT(files.size == 0);
}

static void wrong_options_are_refused(void) {
        struct err error = { 0 };
        EXPECT(!image_check(&(struct image_options){ "gzip", 13, 131072, 0, 1, NULL }, &error));
        EXPECT(error.kind == ERR_SCHEMA);
        EXPECT(!image_check(&(struct image_options){ "gzip", 6, 100000, 0, 1, NULL }, &error));
        EXPECT(!image_check(&(struct image_options){ "brotli", 6, 131072, 0, 1, NULL }, &error));
        EXPECT(error.kind == ERR_SCHEMA);
        err_release(&error);
}

static void a_full_disk_is_named(void) {
        struct image_options options = { "gzip", 6, 131072, EPOCH, 2, NULL };
        struct err error = { 0 };
        auto_close int root = -1;
        auto_close int full = open("/dev/full", O_RDWR | O_CLOEXEC);
        auto_buf files = { 0 };
        EXPECT_OK(fs_open_dir(top_fd, "tree", &root, err));
        EXPECT(!image_write(&options, root, full, &files, &error));
        EXPECT(error.kind == ERR_DISK_FULL);
        err_release(&error);
}

static void namespaced_capabilities_lose_their_root(void) {
        struct vfs_ns_cap_data caps = { .magic_etc = VFS_CAP_REVISION_3 | VFS_CAP_FLAGS_EFFECTIVE, .rootid = 1000 };
        caps.data[0].permitted = 1 << CAP_NET_RAW;
        put("capable", "x", 1, 0755);
        auto_free char *path = xasprintf("%s/capable", top);
        EXPECT(lsetxattr(path, "security.capability", &caps, sizeof caps, 0) == 0);
        EXPECT(lsetxattr(path, "user.note", "kept", 4, 0) == 0 || errno == ENOTSUP);
        EXPECT(lsetxattr(path, "trusted.overlay.opaque", "y", 1, 0) == 0 || errno == EPERM || errno == ENOTSUP);
        struct xattrs xattrs = { 0 };
        EXPECT_OK(xattrs_read(top_fd, "capable", &xattrs, err));
        EXPECT(xattrs.count >= 1 && xattrs.count <= 2);
        EXPECT_TEXT(xattrs.items[0].name, "security.capability");
        EXPECT(xattrs.items[0].size == XATTR_CAPS_SZ_2 && xattrs.items[0].value[3] == 2 &&
               xattrs.items[0].value[0] == 1);
        xattrs_release(&xattrs);
}

// ---- chunks ----

enum {
        LIVED_FILES = 3000,
        LIVED_BYTES = 70 << 20,
        LAB_ROOT_BYTES = 203000000, // the smallest of the lab's roles
        CHANGED_PERCENT_MAX = 2,    // of it, by one package more
        CHANGED_RANGES_MAX = 12,
};

// Which files a role has, and how large they are: few have most of the bytes. `number` counts from 1.
static size_t lived_size(int number) {
        if (number % 100 == 0)
                return 2000000 + (size_t)number * 13;
        return 200 + (size_t)number * 7919 % 9000;
}

static void put_noise(const char *path, size_t size, unsigned seed) {
        auto_free char *bytes = xmalloc(size);
        noise(bytes, size, seed);
        EXPECT_OK(fs_mkdirs_for(top_fd, path, 0755, err) && fs_write(top_fd, path, bytes, size, 0644, err));
}

// As packages leave it: files in some folders, and a database of all, of which one more package changes some pages.
static void make_lived_root(const char *top_path, bool has_package) {
        size_t total = 0;
        for (int i = 1; i <= LIVED_FILES; i++) {
                auto_free char *path = xasprintf("%s/usr/%c/package%02d/file%d", top_path, 'a' + i % 7, i % 60, i);
                total += lived_size(i);
                put_noise(path, lived_size(i), (unsigned)i);
        }
        EXPECT(total > LIVED_BYTES);
        auto_free char *database = xmalloc(4 << 20);
        noise(database, 4 << 20, 5);
        if (has_package) {
                static const char *const added[] = { "usr/bin/jq", "usr/d/package03/jq.1", "usr/d/package77/COPYING" };
                for (size_t i = 0; i < lengthof(added); i++) {
                        auto_free char *path = xasprintf("%s/%s", top_path, added[i]);
                        put_noise(path, 30000 + 10000 * i, 999 + (unsigned)i);
                }
                noise(database + 4096, 4096, 6);
                noise(database + (2 << 20), 8192, 7);
        }
        auto_free char *path = xasprintf("%s/var/lib/rpm/rpmdb.sqlite", top_path);
        put(path, database, 4 << 20, 0644);
}

static void chunks_of_tree(const char *name, struct chunk_index *ret) {
        struct image_options options = { "gzip", 1, 131072, EPOCH, 2, NULL };
        auto_free char *image = xasprintf("%s.squashfs", name);
        auto_buf files = { 0 }, index = { 0 };
        auto_close int root = -1, fd = -1;
        EXPECT_OK(fs_open_dir(top_fd, name, &root, err));
        EXPECT_OK(fs_open(top_fd, image, O_RDWR | O_CREAT | O_TRUNC, 0644, &fd, err));
        EXPECT_OK(image_write(&options, root, fd, &files, err));
        EXPECT_OK(image_chunks(fd, &index, err));
        EXPECT_OK(chunk_index_read(index.data, index.size, ret, err));
        EXPECT(index.size < ret->size_bytes / 200); // 0.5 %
        EXPECT_OK(fs_remove_tree(top_fd, name, err));
        EXPECT_OK(fs_remove_tree(top_fd, image, err));
}

static bool has_chunk(const struct chunk_index *index, const struct chunk *chunk) {
        for (size_t i = 0; i < index->n; i++)
                if (memcmp(index->chunks[i].digest, chunk->digest, sizeof chunk->digest) == 0)
                        return true;
        return false;
}

// What a node that has the root before must fetch of the one after, and in how many pieces.
static void chunks_survive_one_more_package(void) {
        auto_chunk_index before = { 0 }, after = { 0 };
        uint64_t bytes = 0;
        unsigned ranges = 0;
        bool was_missing = false;
        make_lived_root("lived", false);
        chunks_of_tree("lived", &before);
        make_lived_root("lived", true);
        chunks_of_tree("lived", &after);
        for (size_t i = 0; i < after.n; i++) {
                bool is_missing = !has_chunk(&before, &after.chunks[i]);
                if (is_missing)
                        bytes += after.chunks[i].size;
                if (is_missing && !was_missing)
                        ranges++;
                was_missing = is_missing;
        }
        printf("# one more package: %llu of %llu bytes in %u ranges are new\n", (unsigned long long)bytes,
               (unsigned long long)after.size_bytes, ranges);
        // What is new does not grow with the root.
        EXPECT(bytes * 100 < (uint64_t)LAB_ROOT_BYTES * CHANGED_PERCENT_MAX && ranges <= CHANGED_RANGES_MAX);
}

static void the_cache_answers_the_second_time(void) {
        struct cluster cluster = { .release = { .name = "test",
                                                .squashfs_compressor = "gzip",
                                                .squashfs_level = 6,
                                                .squashfs_block_bytes = 131072 } };
        auto_free char *cache = xasprintf("%s/cache", top);
        struct artefact_build build = {
                .cluster = &cluster,
                .cache = open_cache(cache),
                .source_date_epoch = EPOCH,
                .jobs = 2,
                .sums = file_sums_new(),
        };
        struct role role = { .name = "master" };
        struct artefact_role first = { .role = &role, .root_key = "key", .out = -1 };
        struct artefact_role second = { .role = &role, .root_key = "key", .root = -1, .out = -1 };
        auto_buf files = { 0 };
        EXPECT(mkdirat(top_fd, "out1", 0755) == 0 && mkdirat(top_fd, "out2", 0755) == 0);
        EXPECT_OK(fs_open_dir(top_fd, "tree", &first.root, err));
        EXPECT_OK(fs_open_dir(top_fd, "out1", &first.out, err));
        EXPECT_OK(fs_open_dir(top_fd, "out2", &second.out, err));
        EXPECT_OK(squashfs_kind.write(&build, &first, err));
        EXPECT_OK(squashfs_kind.write(&build, &second, err)); // has no root: only the cache can answer
        EXPECT_TEXT(second.root_sha256, first.root_sha256);
        char sha256[DIGEST_HEX_SIZE];
        EXPECT_OK(digest_file("sha256", second.out, "rootfs.squashfs", sha256, err));
        EXPECT_TEXT(sha256, first.root_sha256);
        EXPECT_OK(digest_file("sha256", second.out, "rootfs.chunks", sha256, err));
        EXPECT_TEXT(sha256, first.chunks_sha256);
        EXPECT_TEXT(sha256, second.chunks_sha256);
        auto_buf chunks = { 0 };
        auto_chunk_index index = { 0 };
        EXPECT_OK(fs_read(second.out, "rootfs.chunks", &chunks, err));
        EXPECT_OK(chunk_index_read(chunks.data, chunks.size, &index, err));
        EXPECT(index.size_bytes == second.root_size_bytes && chunks.size == second.chunks_size_bytes);
        EXPECT_OK(squashfs_read_files(&build, &second, &files, err));
        EXPECT(strstr(buf_text(&files), "\"path\":\"/usr/large\"") != NULL);
        // What lies beside the image counts, too: the manifest is made of it.
        auto_free char *list = xasprintf("%s/squashfs/key/files.jsonl", cache);
        EXPECT_OK(fs_write(AT_FDCWD, list, "{}\n", 3, 0644, err));
        buf_release(&files);
        EXPECT(unlinkat(first.out, "rootfs.squashfs", 0) == 0 && unlinkat(first.out, "rootfs.chunks", 0) == 0);
        EXPECT_OK(squashfs_kind.write(&build, &first, err));
        EXPECT_TEXT(second.root_sha256, first.root_sha256);
        EXPECT_OK(squashfs_read_files(&build, &second, &files, err));
        EXPECT(strstr(buf_text(&files), "\"path\":\"/usr/large\"") != NULL);
        // The three parts are one archive with one file in it, as cpio sees it.
        EXPECT_OK(
            run_command(err, "sh", "-c",
                        "cd $1 && mkdir un && cat out2/rootfs.head out2/rootfs.squashfs out2/rootfs.tail > whole && "
                        "(cd un && cpio -i --quiet --no-absolute-filenames < ../whole) && "
                        "cmp un/kiln/rootfs.squashfs out1/rootfs.squashfs && "
                        "test $(stat -c %s out2/rootfs.head) = 4096 && test $(stat -c %s out2/rootfs.tail) = 4096",
                        "sh", top, NULL));
        file_sums_free(build.sums);
        close(first.root);
        close(first.out);
        close(second.out);
}

int main(void) {
        struct err ignored = { 0 };
        become_root();
        if (!mkdtemp(top) || (top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
                return 1;
        make_tree();
        RUN(modes_owners_and_times);
        RUN(another_reader_gets_the_same_tree_back);
        if (is_mapped())
                SKIP(device_nodes_keep_their_numbers, "no root of a user namespace makes device nodes");
        else
                RUN(device_nodes_keep_their_numbers);
        RUN(equal_data_is_stored_once);
        RUN(threads_do_not_change_a_bit);
        RUN(every_compressor_is_readable);
        RUN(an_empty_tree_mounts);
        RUN(wrong_options_are_refused);
        RUN(a_full_disk_is_named);
        RUN(namespaced_capabilities_lose_their_root);
        RUN(chunks_survive_one_more_package);
        RUN(the_cache_answers_the_second_time);
        if (!fs_remove_tree(AT_FDCWD, top, &ignored))
                err_release(&ignored);
        return test_done();
}
