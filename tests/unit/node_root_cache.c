// SPDX-License-Identifier: MIT
// Roots kept on the state disk: every system call that changes the disk fails or is the last one before a power cut,
// what was not flushed is lost, and others have been at the directory. Whatever comes of it, no other root than the one
// that was asked for is ever given out, and the next boot keeps its root again.
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/run.h"
#include "firmware/node/roots/kept_roots.h"
#include "firmware/node/roots/root_parts.h"
#include "tests/unit/root.h"
#include "tests/unit/test.h"

enum { ROOT_BYTES = 600000, CHUNK_BYTES = 20000, ROOTS = 3, CUTS = 200, DIRTY_MAX = 64 };

// ---- the disk's system calls ----

static struct world {
        bool is_watched;
        long fail_at, cut_at, calls; // the how manieth call; 0: none
        int number;                  // errno of the one that fails
        ino_t dirty[DIRTY_MAX];      // files that were written and not flushed
        size_t dirty_count;
        size_t too_early;               // files that were given their name before they were flushed
        char renamed[2][128];           // from, to: not flushed
        uint64_t free_bytes, all_bytes; // 0: what there is
} * world;

// Whether the call shall be made; if not, it fails.
static bool may_go_on(bool *ret_is_last) {
        *ret_is_last = false;
        if (!world->is_watched)
                return true;
        world->calls++;
        *ret_is_last = world->calls == world->cut_at;
        errno = world->number;
        return world->calls != world->fail_at;
}

static void mark(int fd, bool is_dirty) {
        struct stat stat;
        size_t at = 0;
        if (!world->is_watched || fstat(fd, &stat) < 0)
                return;
        while (at < world->dirty_count && world->dirty[at] != stat.st_ino)
                at++;
        if (is_dirty && at == world->dirty_count && at < DIRTY_MAX)
                world->dirty[world->dirty_count++] = stat.st_ino;
        if (!is_dirty && at < world->dirty_count)
                world->dirty[at] = world->dirty[--world->dirty_count];
}

static bool is_dirty_file(int dir, const char *name) {
        struct stat stat;
        if (fstatat(dir, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                return false;
        for (size_t i = 0; i < world->dirty_count; i++)
                if (world->dirty[i] == stat.st_ino)
                        return true;
        return false;
}

ssize_t write(int fd, const void *data, size_t size) {
        bool is_last;
        if (!may_go_on(&is_last))
                return -1;
        mark(fd, true);
        if (is_last)
                size /= 2;
        ssize_t written = syscall(SYS_write, fd, data, size);
        if (is_last)
                _exit(0);
        return written;
}

int fsync(int fd) {
        bool is_last;
        struct stat stat;
        if (!may_go_on(&is_last))
                return -1;
        if (is_last)
                _exit(0);
        mark(fd, false);
        if (world->is_watched && fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode))
                world->renamed[0][0] = '\0';
        return 0; // nothing is flushed in truth: the test is no load for anybody's disk
}

int renameat(int from_dir, const char *from, int to_dir, const char *to) {
        bool is_last;
        if (!may_go_on(&is_last))
                return -1;
        world->too_early += is_dirty_file(from_dir, from);
        int result = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
        if (world->is_watched) {
                snprintf(world->renamed[0], sizeof world->renamed[0], "%s", from);
                snprintf(world->renamed[1], sizeof world->renamed[1], "%s", to);
        }
        if (is_last)
                _exit(0);
        return result;
}

int unlinkat(int dir, const char *name, int flags) {
        bool is_last;
        if (!may_go_on(&is_last))
                return -1;
        int result = (int)syscall(SYS_unlinkat, dir, name, flags);
        if (is_last)
                _exit(0);
        return result;
}

int mkdirat(int dir, const char *name, mode_t mode) {
        bool is_last;
        if (!may_go_on(&is_last))
                return -1;
        int result = (int)syscall(SYS_mkdirat, dir, name, mode);
        if (is_last)
                _exit(0);
        return result;
}

int futimens(int fd, const struct timespec times[2]) {
        bool is_last;
        if (!may_go_on(&is_last))
                return -1;
        if (is_last)
                _exit(0);
        return (int)syscall(SYS_utimensat, fd, NULL, times, 0);
}

int fstatvfs(int fd, struct statvfs *ret) {
        (void)fd;
        *ret = (struct statvfs){ .f_frsize = 1, .f_blocks = 1 << 30, .f_bavail = 1 << 30 };
        if (world->all_bytes) {
                ret->f_blocks = world->all_bytes;
                ret->f_bavail = world->free_bytes;
        }
        return 0;
}

// ---- roots ----

static char top[] = "/tmp/kiln-root-cache-XXXXXX";
static int disk = -1;

static struct root {
        char *content;
        char sha256[SHA256_HEX_SIZE];
        struct buf index;
        struct chunk_index chunks;
        int fd; // in memory
} roots[ROOTS];

static void digest_of(const void *data, size_t size, uint8_t ret[static SHA256_DIGEST_SIZE]) {
        struct sha256_ctx context;
        sha256_init(&context);
        sha256_update(&context, size, data);
        sha256_digest(&context, SHA256_DIGEST_SIZE, ret);
}

// Each differs from the one before in a twentieth.
static void make_roots(void) {
        for (size_t i = 0; i < ROOTS; i++) {
                struct root *root = &roots[i];
                uint8_t digest[SHA256_DIGEST_SIZE];
                root->content = xmalloc(ROOT_BYTES);
                for (size_t at = 0; at < ROOT_BYTES; at++)
                        root->content[at] = (char)(at * 2654435761u >> 13);
                for (size_t changed = 0; changed < i; changed++)
                        memset(root->content + (changed * 7 + 3) * CHUNK_BYTES, (int)changed + 1, ROOT_BYTES / 20);
                for (size_t at = 0; at < ROOT_BYTES; at += CHUNK_BYTES) {
                        digest_of(root->content + at, CHUNK_BYTES, digest);
                        EXPECT_OK(chunk_index_append(&root->chunks, CHUNK_BYTES, digest, err));
                }
                chunk_index_format(&root->chunks, &root->index);
                digest_of(root->content, ROOT_BYTES, digest);
                for (size_t j = 0; j < sizeof digest; j++)
                        snprintf(root->sha256 + 2 * j, 3, "%02x", digest[j]);
                root->fd = memfd_create("root", MFD_CLOEXEC);
                EXPECT(root->fd >= 0 && write(root->fd, root->content, ROOT_BYTES) == ROOT_BYTES);
        }
}

static void new_disk(void) {
        close_cleanup(&disk);
        EXPECT_OK(run_command(err, "rm", "-rf", top, NULL));
        EXPECT(mkdir(top, 0755) == 0);
        disk = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        EXPECT(disk >= 0);
}

static bool add(const struct root *root, bool is_from_disk, struct err *err) {
        const struct kept_addition addition = { .sha256 = root->sha256,
                                                .root = root->fd,
                                                .size_bytes = ROOT_BYTES,
                                                .index = root->index.data,
                                                .index_size = root->index.size,
                                                .is_from_disk = is_from_disk };
        return kept_roots_add(disk, &addition, err);
}

// What a boot takes from the disk: the whole root, if `why` stays empty. It is checked against the truth.
static bool is_kept(const struct root *root, struct err *why) {
        auto_kept_roots kept = { .dir = -1 };
        auto_free char *found = xmalloc(ROOT_BYTES + 1);
        auto_close int to = memfd_create("copy", MFD_CLOEXEC);
        if (!kept_roots_open(disk, &kept, why) || !kept_roots_copy(&kept, root->sha256, ROOT_BYTES, to, why))
                return false;
        EXPECT(pread(to, found, ROOT_BYTES + 1, 0) == ROOT_BYTES && memcmp(found, root->content, ROOT_BYTES) == 0);
        return true;
}

static bool is_there(const struct root *root) {
        auto_err why = { 0 };
        return is_kept(root, &why);
}

// What a boot puts together for a root: how many bytes, none of which is wrong.
static uint64_t bytes_from_disk(const struct root *root) {
        auto_kept_roots kept = { .dir = -1 };
        auto_err why = { 0 };
        uint64_t bytes = 0;
        bool there[ROOT_BYTES / CHUNK_BYTES] = { 0 };
        auto_free char *found = xcalloc(1, ROOT_BYTES);
        auto_close int to = memfd_create("parts", MFD_CLOEXEC);
        if (!kept_roots_open(disk, &kept, &why))
                return 0;
        EXPECT_OK(root_parts_copy(&kept, &root->chunks, to, there, &bytes, err));
        EXPECT(pread(to, found, ROOT_BYTES, 0) >= 0);
        for (size_t i = 0; i < lengthof(there); i++)
                EXPECT(!there[i] || memcmp(found + i * CHUNK_BYTES, root->content + i * CHUNK_BYTES, CHUNK_BYTES) == 0);
        return bytes;
}

static size_t files_kept(void) {
        size_t count = 0;
        auto_free char *path = xasprintf("%s/" KEPT_ROOTS, top);
        auto_closedir DIR *entries = opendir(path);
        for (const struct dirent *entry; entries && (entry = readdir(entries));)
                count += entry->d_name[0] != '.';
        return count;
}

static bool has_part(void) {
        auto_free char *path = xasprintf("%s/" KEPT_ROOTS, top);
        auto_closedir DIR *entries = opendir(path);
        for (const struct dirent *entry; entries && (entry = readdir(entries));)
                if (strstr(entry->d_name, ".part"))
                        return true;
        return false;
}

static char *path_of(const struct root *root, const char *end) {
        return xasprintf("%s/" KEPT_ROOTS "/%s%s", top, root->sha256, end);
}

static void change_byte(const char *path, off_t at) {
        auto_close int fd = open(path, O_RDWR | O_CLOEXEC);
        uint8_t byte;
        EXPECT(fd >= 0 && pread(fd, &byte, 1, at) == 1);
        byte ^= 1;
        EXPECT(pwrite(fd, &byte, 1, at) == 1);
}

// ---- tests ----

static void the_last_two_are_kept(void) {
        new_disk();
        EXPECT(!is_there(&roots[0]) && bytes_from_disk(&roots[0]) == 0);
        EXPECT_OK(add(&roots[0], false, err));
        EXPECT(is_there(&roots[0]) && files_kept() == 2);
        EXPECT_OK(add(&roots[1], false, err));
        EXPECT(is_there(&roots[0]) && is_there(&roots[1]) && files_kept() == 4);
        EXPECT_OK(add(&roots[0], true, err)); // booted again: used last
        EXPECT_OK(add(&roots[2], false, err));
        EXPECT(is_there(&roots[0]) && !is_there(&roots[1]) && is_there(&roots[2]) && files_kept() == 4);
        EXPECT(bytes_from_disk(&roots[1]) > ROOT_BYTES * 9 / 10);
}

static void nobody_else_can_read_them(void) {
        struct stat stat_;
        auto_free char *path = xasprintf("%s/" KEPT_ROOTS, top), *file = path_of(&roots[2], ".squashfs");
        EXPECT(stat(path, &stat_) == 0 && (stat_.st_mode & 07777) == 0700);
        EXPECT(stat(file, &stat_) == 0 && (stat_.st_mode & 07777) == 0600);
}

static void a_damaged_root_gives_its_good_chunks(void) {
        new_disk();
        EXPECT_OK(add(&roots[0], false, err));
        auto_free char *path = path_of(&roots[0], ".squashfs");
        auto_err why = { 0 };
        change_byte(path, 5 * CHUNK_BYTES + 7);
        EXPECT(!is_kept(&roots[0], &why) && why.kind == ERR_CHECKSUM && strstr(why.text, "damaged"));
        EXPECT(bytes_from_disk(&roots[0]) == ROOT_BYTES - CHUNK_BYTES);
        EXPECT(truncate(path, 3 * CHUNK_BYTES + 5) == 0);
        EXPECT(!is_there(&roots[0]) && bytes_from_disk(&roots[0]) == 3 * CHUNK_BYTES);
        EXPECT_OK(add(&roots[0], false, err)); // fetched, and kept anew
        EXPECT(is_there(&roots[0]));
}

// An index may name half a million chunks that are not there: each costs a read.
static void a_root_of_damage_is_left_soon(void) {
        enum { DAMAGED = 12 };
        new_disk();
        EXPECT_OK(add(&roots[0], false, err));
        auto_free char *path = path_of(&roots[0], ".squashfs");
        for (off_t chunk = 0; chunk < DAMAGED; chunk++)
                change_byte(path, chunk * CHUNK_BYTES + 7);
        EXPECT(bytes_from_disk(&roots[0]) == 0);
}

static void a_damaged_index_is_none(void) {
        new_disk();
        EXPECT_OK(add(&roots[0], false, err));
        auto_free char *path = path_of(&roots[0], ".chunks");
        for (size_t at = 0; at < roots[0].index.size; at += 11) {
                change_byte(path, (off_t)at);
                EXPECT(bytes_from_disk(&roots[0]) <= ROOT_BYTES);
                change_byte(path, (off_t)at);
        }
        EXPECT(truncate(path, (off_t)roots[0].index.size - 1) == 0 && bytes_from_disk(&roots[0]) == 0);
        EXPECT(truncate(path, 1LL << 40) == 0 && bytes_from_disk(&roots[0]) == 0);
        EXPECT(unlink(path) == 0 && bytes_from_disk(&roots[0]) == 0 && is_there(&roots[0]));
}

// The directory is something else.
static void nothing_else_is_followed(void) {
        auto_free char *path = xasprintf("%s/" KEPT_ROOTS, top), *aside = xasprintf("%s/aside", top);
        for (int kind = 0; kind < 3; kind++) {
                auto_err why = { 0 };
                new_disk();
                EXPECT_OK(add(&roots[0], false, err));
                EXPECT(rename(path, aside) == 0);
                if (kind == 0)
                        EXPECT(symlink("aside", path) == 0);
                else if (kind == 1)
                        EXPECT(mkfifo(path, 0666) == 0);
                else
                        EXPECT(close(creat(path, 0666)) == 0);
                EXPECT(!is_kept(&roots[0], &why) && why.kind == ERR_CORRUPT && bytes_from_disk(&roots[0]) == 0);
                EXPECT_OK(add(&roots[1], false, err));
                EXPECT(is_there(&roots[1]) && !is_there(&roots[0]));
        }
}

static void files_of_others_go(void) {
        new_disk();
        EXPECT_OK(add(&roots[0], false, err));
        auto_free char *root = path_of(&roots[0], ".squashfs"), *aside = xasprintf("%s/aside", top),
                       *other = path_of(&roots[1], ".squashfs"), *part = path_of(&roots[1], ".squashfs.part"),
                       *pipe = path_of(&roots[2], ".squashfs");
        EXPECT(link(root, aside) == 0 && !is_there(&roots[0])); // it could be written by its other name
        EXPECT(unlink(aside) == 0 && is_there(&roots[0]));
        EXPECT(chown(root, 1, 1) == 0 && !is_there(&roots[0]));
        EXPECT(symlink("/etc/passwd", other) == 0 && !is_there(&roots[1]));
        EXPECT(symlink("/etc/passwd", part) == 0 && mkfifo(pipe, 0666) == 0 && !is_there(&roots[2]));
        EXPECT_OK(add(&roots[1], false, err));
        EXPECT(is_there(&roots[1]) && files_kept() == 2 && access("/etc/passwd", R_OK) == 0);
        EXPECT(lseek(roots[1].fd, 0, SEEK_CUR) == ROOT_BYTES); // what runs is not moved
}

static void the_state_keeps_its_room(void) {
        new_disk();
        EXPECT_OK(add(&roots[0], false, err));
        world->all_bytes = 8 * ROOT_BYTES;
        world->free_bytes = 2 * ROOT_BYTES + ROOT_BYTES / 2;
        auto_err why = { 0 };
        EXPECT(!add(&roots[1], false, &why) && why.kind == ERR_DISK_FULL && strstr(why.text, "must stay so"));
        world->free_bytes = ROOT_BYTES; // the state needs it: everything goes
        EXPECT(!add(&roots[0], true, &why) && why.kind == ERR_DISK_FULL && files_kept() == 0);
        world->all_bytes = 0;
        EXPECT_OK(add(&roots[0], false, err));
        EXPECT(is_there(&roots[0]));
}

// ENOSPC and EIO, at every call.
static void errors_leave_nothing_wrong(void) {
        static const int numbers[] = { ENOSPC, EIO };
        for (size_t i = 0; i < lengthof(numbers); i++) {
                bool failed = true;
                size_t failures = 0;
                for (long at = 1; failed; at++) {
                        auto_err why = { 0 };
                        new_disk();
                        EXPECT_OK(add(&roots[0], false, err));
                        *world = (struct world){ .is_watched = true, .fail_at = at, .number = numbers[i] };
                        bool ok = add(&roots[1], false, &why);
                        failed = world->calls >= at;
                        world->is_watched = false;
                        EXPECT(ok == is_there(&roots[1]) || why.text);
                        EXPECT(ok || why.kind == (i == 0 ? ERR_DISK_FULL : ERR_SYSTEM));
                        EXPECT(is_there(&roots[0]) && !has_part());
                        EXPECT(files_kept() == 2 || files_kept() == 4); // a root, and its index
                        failures += !ok;
                        EXPECT_OK(add(&roots[1], false, err));
                        EXPECT(is_there(&roots[1]) && files_kept() == 4);
                }
                EXPECT(failures >= 8);
        }
}

// ---- power cuts ----

static unsigned long seed = 1;

static unsigned long any(unsigned long below) {
        seed = seed * 6364136223846793005ul + 1442695040888963407ul;
        return (seed >> 33) % below;
}

// Of a file that was not flushed, any part may be on the disk, and zeros in the place of the rest.
static void lose_writes(const char *path) {
        struct stat stat_;
        if (lstat(path, &stat_) < 0 || !S_ISREG(stat_.st_mode) || stat_.st_size == 0)
                return;
        for (size_t i = 0; i < world->dirty_count; i++) {
                if (world->dirty[i] != stat_.st_ino)
                        continue;
                off_t kept = (off_t)any((unsigned long)stat_.st_size + 1);
                EXPECT(truncate(path, kept) == 0);
                if (any(2))
                        EXPECT(truncate(path, stat_.st_size) == 0);
        }
}

static void lose_power(void) {
        auto_free char *path = xasprintf("%s/" KEPT_ROOTS, top);
        auto_closedir DIR *entries = opendir(path);
        for (const struct dirent *entry; entries && (entry = readdir(entries));) {
                auto_free char *file = xasprintf("%s/%s", path, entry->d_name);
                lose_writes(file);
        }
        auto_free char *from = xasprintf("%s/%s", path, world->renamed[0]),
                       *to = xasprintf("%s/%s", path, world->renamed[1]);
        if (world->renamed[0][0] && any(2))
                (void)rename(to, from); // the directory was not flushed
}

// One boot, which ends whenever it likes.
static void boot_until_cut(const struct root *root, long cut_at) {
        bool from_disk = is_there(root);
        int status;
        *world = (struct world){ .is_watched = true, .cut_at = cut_at };
        pid_t pid = fork();
        if (pid == 0) {
                struct err ignored = { 0 };
                (void)!add(root, from_disk, &ignored);
                _exit(0);
        }
        EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
        world->is_watched = false;
        EXPECT(world->too_early == 0);
        lose_power();
}

static void power_cuts_leave_whole_roots_or_none(void) {
        size_t kept = 0, lost = 0;
        new_disk();
        for (int i = 0; i < CUTS; i++) {
                const struct root *root = &roots[any(ROOTS)];
                boot_until_cut(root, (long)any(16) + 1);
                for (size_t j = 0; j < ROOTS; j++) {
                        bool there = is_there(&roots[j]);
                        kept += there;
                        lost += !there;
                        (void)bytes_from_disk(&roots[j]);
                }
                if (i % 4 == 3) { // a boot that nobody cuts
                        EXPECT_OK(add(root, is_there(root), err));
                        EXPECT(is_there(root) && files_kept() <= 4);
                }
        }
        printf("# %d cuts: of the roots %zu were there afterwards, %zu not\n", CUTS, kept, lost);
        EXPECT(kept > 0 && lost > 0);
}

// ---- ranges ----

static void expect_plan(const bool *there, size_t most) {
        const struct chunk_index *index = &roots[0].chunks;
        auto_free struct chunk_range *ranges = NULL;
        size_t count, covered = 0, end = 0;
        root_parts_plan(index, there, most, &ranges, &count);
        EXPECT(count <= most);
        for (size_t i = 0; i < count; i++) {
                EXPECT(ranges[i].first < ranges[i].end && (i == 0 || ranges[i].first > end));
                end = ranges[i].end;
                EXPECT(!there[ranges[i].first] && !there[end - 1]);
                for (size_t chunk = ranges[i].first; chunk < end; chunk++)
                        covered += !there[chunk];
        }
        EXPECT(end <= index->n);
        for (size_t i = 0; i < index->n; i++)
                covered -= !there[i];
        EXPECT(covered == 0);
}

static void ranges_are_few_and_whole(void) {
        enum { CHUNKS = ROOT_BYTES / CHUNK_BYTES };
        bool there[CHUNKS] = { 0 };
        expect_plan(there, 200);
        for (size_t i = 0; i < CHUNKS; i++)
                there[i] = true;
        expect_plan(there, 1);
        for (int i = 0; i < 2000; i++) {
                for (size_t j = 0; j < CHUNKS; j++)
                        there[j] = any(3) > 0;
                expect_plan(there, any(12) + 1);
        }
}

// The narrowest gaps close.
static void narrow_gaps_close(void) {
        static const char missing[] = "x.x....x..x...x";
        bool there[ROOT_BYTES / CHUNK_BYTES];
        auto_free struct chunk_range *ranges = NULL;
        size_t count;
        memset(there, true, sizeof there);
        for (size_t i = 0; i < strlen(missing); i++)
                there[i] = missing[i] == '.';
        root_parts_plan(&roots[0].chunks, there, 3, &ranges, &count);
        EXPECT(count == 3 && ranges[0].first == 0 && ranges[0].end == 3 && ranges[1].first == 7 &&
               ranges[1].end == 11 && ranges[2].first == 14);
}

int main(void) {
        become_root();
        world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (world == MAP_FAILED || !mkdtemp(top))
                return 1;
        make_roots();
        RUN(the_last_two_are_kept);
        RUN(nobody_else_can_read_them);
        RUN(a_damaged_root_gives_its_good_chunks);
        RUN(a_root_of_damage_is_left_soon);
        RUN(a_damaged_index_is_none);
        RUN(nothing_else_is_followed);
        RUN(files_of_others_go);
        RUN(the_state_keeps_its_room);
        RUN(errors_leave_nothing_wrong);
        RUN(power_cuts_leave_whole_roots_or_none);
        RUN(ranges_are_few_and_whole);
        RUN(narrow_gaps_close);
        struct err ignored = { 0 };
        (void)!run_command(&ignored, "rm", "-rf", top, NULL);
        return test_done();
}
