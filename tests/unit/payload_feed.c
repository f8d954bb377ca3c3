// SPDX-License-Identifier: MIT
// A package that is unpacked on its way has the same header and the same payload, and whoever stops reading waits for
// nothing.
#include <fcntl.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"
#include "packages/trust/rpm_file.h"
#include "rootfs/payload_feed.h"
#include "tests/unit/test.h"

enum { PACKAGE_MAX = 256 << 20 }; // 140 MB of numbers: more than a feed holds ready

static char top[] = "/tmp/kiln-feed-XXXXXX";

static char *in_top(const char *name) { return xasprintf("%s/%s", top, name); }

static bool build_package(const char *name, const char *payload, int lines, struct err *err) {
        auto_free char *define = xasprintf("_topdir %s", top);
        auto_free char *form = xasprintf("_binary_payload %s", payload);
        auto_free char *spec = in_top(name);
        auto_free char *text = xasprintf("Name: %s\nVersion: 1\nRelease: 1\nSummary: a test\nLicense: MIT\n"
                                         "BuildArch: noarch\n%%description\nA test.\n%%install\n"
                                         "mkdir -p %%{buildroot}/usr\nseq 1 %d > %%{buildroot}/usr/numbers\n"
                                         "%%files\n/usr/numbers\n",
                                         name, lines);
        const char *argv[] = { "rpmbuild", "-bb", "--quiet", "--define", define, "--define", form, spec, NULL };
        return fs_write_atomic(AT_FDCWD, spec, text, strlen(text), 0644, err) &&
               run(&(struct run){ .argv = argv }, err);
}

static int open_package(const char *name) {
        auto_free char *path = xasprintf("%s/RPMS/noarch/%s-1-1.noarch.rpm", top, name);
        int fd = -1;
        EXPECT_OK(fs_open(AT_FDCWD, path, O_RDONLY, 0, &fd, err));
        return fd;
}

static uint64_t payload_offset(int fd) {
        struct rpm_file file = { .fd = -1 };
        EXPECT_OK(rpm_file_read(fd, &file, err));
        uint64_t offset = file.payload_offset;
        rpm_file_close(&file);
        return offset;
}

// Whatever of it can be unpacked; whether that is all of it.
static bool unpack(const struct buf *package, uint64_t offset, struct buf *ret) {
        lzma_stream stream = LZMA_STREAM_INIT;
        lzma_ret status = lzma_stream_decoder(&stream, UINT64_MAX, 0);
        stream.next_in = (const uint8_t *)package->data + offset;
        stream.avail_in = package->size - offset;
        while (status == LZMA_OK) {
                uint8_t *room = (uint8_t *)buf_reserve(ret, 1 << 20);
                stream.next_out = room;
                stream.avail_out = 1 << 20;
                status = lzma_code(&stream, LZMA_FINISH);
                ret->size += (size_t)(stream.next_out - room);
        }
        lzma_end(&stream);
        return status == LZMA_STREAM_END;
}

static void read_feed(int package, struct buf *ret) {
        struct payload_feed *feed = payload_feed_start(package);
        EXPECT(feed);
        if (feed)
                EXPECT_OK(buf_read_fd(ret, payload_feed_output(feed), err));
        payload_feed_stop(feed);
}

static void header_and_payload_are_the_same(void) {
        auto_close int package = open_package("large");
        auto_buf before = { .max = PACKAGE_MAX };
        auto_buf after = { .max = PACKAGE_MAX };
        auto_buf payload_before = { .max = PACKAGE_MAX };
        auto_buf payload_after = { .max = PACKAGE_MAX };
        uint64_t offset = payload_offset(package);
        EXPECT_OK(buf_read_fd(&before, package, err));
        read_feed(package, &after);
        EXPECT(after.size > 100 << 20 && memcmp(before.data, after.data, offset) == 0);
        EXPECT(unpack(&before, offset, &payload_before) && unpack(&after, offset, &payload_after));
        EXPECT(payload_before.size > 100 << 20 && payload_before.size == payload_after.size);
        EXPECT(memcmp(payload_before.data, payload_after.data, payload_before.size) == 0);
}

static void nobody_waits_for_what_is_not_read(void) {
        auto_close int package = open_package("large");
        char bytes[4096];
        payload_feed_stop(payload_feed_start(package));
        struct payload_feed *feed = payload_feed_start(package);
        EXPECT(feed && read(payload_feed_output(feed), bytes, sizeof bytes) == sizeof bytes);
        payload_feed_stop(feed);
        payload_feed_stop(NULL);
}

// The first one's thread ends while nothing was read; whatever has its descriptors' numbers since is left alone.
static void feeds_beside_each_other_keep_their_pipes(void) {
        auto_close int package = open_package("small");
        struct payload_feed *first = payload_feed_start(package);
        const struct timespec a_while = { .tv_nsec = 300000000 };
        auto_buf one = { 0 };
        auto_buf other = { 0 };
        nanosleep(&a_while, NULL);
        struct payload_feed *second = payload_feed_start(package);
        EXPECT(first && second);
        EXPECT_OK(buf_read_fd(&one, payload_feed_output(first), err));
        payload_feed_stop(first);
        EXPECT_OK(buf_read_fd(&other, payload_feed_output(second), err));
        payload_feed_stop(second);
        EXPECT(one.size > 1000 && one.size == other.size && memcmp(one.data, other.data, one.size) == 0);
}

static void a_damaged_payload_ends_early(void) {
        auto_close int package = open_package("large");
        auto_close int damaged = open(top, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        auto_buf bytes = { .max = PACKAGE_MAX };
        auto_buf fed = { .max = PACKAGE_MAX };
        auto_buf payload = { .max = PACKAGE_MAX };
        uint64_t offset = payload_offset(package);
        EXPECT_OK(buf_read_fd(&bytes, package, err));
        memset(bytes.data + (offset + bytes.size) / 2, 'x', 1000);
        EXPECT_OK(fs_write_all(damaged, bytes.data, bytes.size, err));
        read_feed(damaged, &fed);
        EXPECT(!unpack(&fed, offset, &payload) && payload.size > 0);
        EXPECT(ftruncate(damaged, (off_t)(offset + bytes.size) / 2) == 0); // cut short is damaged, too
        buf_clear(&fed);
        buf_clear(&payload);
        read_feed(damaged, &fed);
        EXPECT(!unpack(&fed, offset, &payload) && payload.size > 0);
}

static void what_is_not_xz_is_left_to_librpm(void) {
        auto_close int package = open_package("gzip");
        auto_close int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
        EXPECT(!payload_feed_start(package) && !payload_feed_start(other));
}

int main(void) {
        auto_err err = { 0 };
        if (!mkdtemp(top) || !build_package("large", "w2.xzdio", 16500000, &err) ||
            !build_package("small", "w2.xzdio", 10000, &err) || !build_package("gzip", "w1.gzdio", 10000, &err)) {
                fprintf(stderr, "%s\n", text_or(err.text, "mkdtemp"));
                return 1;
        }
        RUN(header_and_payload_are_the_same);
        RUN(nobody_waits_for_what_is_not_read);
        RUN(feeds_beside_each_other_keep_their_pipes);
        RUN(a_damaged_payload_ends_early);
        RUN(what_is_not_xz_is_left_to_librpm);
        (void)!fs_remove_tree(AT_FDCWD, top, &err);
        return test_done();
}
