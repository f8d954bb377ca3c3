// SPDX-License-Identifier: MIT
#include "release/stick_write.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "release/iso_write.h"
#include "release/stick_device.h"

// CHUNK is what O_DIRECT reads at once, and what is written before progress shows it as written: so much was really
// taken by the device, and not by the page cache.
enum { CHUNK_BYTES = 4 << 20, HEAD_BYTES = 1 << 20, TAIL_BYTES = 1 << 20, ALIGN_BYTES = 4096 };

struct stick {
        const char *device;
        int from, to;
        uint64_t iso_bytes, device_bytes;
        char *chunk, *read_back; // CHUNK_BYTES each, aligned
};

// ---- writing ----

static bool read_iso_range(int fd, char *to, size_t size, uint64_t offset, const char *name, struct err *err) {
        while (size > 0) {
                ssize_t got = pread(fd, to, size, (off_t)offset);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return fail(err, ERR_SYSTEM, errno, "read %s at byte %" PRIu64, name, offset);
                if (got == 0)
                        return fail(err, ERR_DIFFERENT, 0, "%s ends at byte %" PRIu64, name, offset);
                to += got;
                size -= (size_t)got;
                offset += (uint64_t)got;
        }
        return true;
}

static bool write_stick_range(const struct stick *stick, const char *from, size_t size, uint64_t offset,
                              struct err *err) {
        while (size > 0) {
                ssize_t put = pwrite(stick->to, from, size, (off_t)offset);
                if (put < 0 && errno == EINTR)
                        continue;
                if (put == 0)
                        errno = ENOSPC;
                if (put <= 0)
                        return fail(err, ERR_SYSTEM, errno, "write %s at byte %" PRIu64, stick->device, offset);
                from += put;
                size -= (size_t)put;
                offset += (uint64_t)put;
        }
        return true;
}

static bool stick_settle(const struct stick *stick, struct err *err) {
        return fdatasync(stick->to) == 0 || fail(err, ERR_SYSTEM, errno, "write %s", stick->device);
}

static bool copy_chunk(const struct stick *stick, uint64_t offset, uint64_t end, struct progress *progress,
                       struct err *err) {
        size_t size = (size_t)(end - offset);
        if (!interrupt_check(err) || !read_iso_range(stick->from, stick->chunk, size, offset, "the ISO", err) ||
            !write_stick_range(stick, stick->chunk, size, offset, err) || !stick_settle(stick, err))
                return false;
        progress_add(progress, size);
        return true;
}

static bool copy_from_to(const struct stick *stick, uint64_t start, uint64_t end, struct progress *progress,
                         struct err *err) {
        for (uint64_t at = start; at < end; at += CHUNK_BYTES)
                if (!copy_chunk(stick, at, size_min(at + CHUNK_BYTES, end), progress, err))
                        return false;
        return true;
}

// Whatever ends the work from here on, the stick has no start that a firmware would take for one. Behind the ISO, the
// second copy of an older partition table would be restored by some tools.
static bool empty_ends(const struct stick *stick, struct err *err) {
        size_t head = size_min(stick->device_bytes, HEAD_BYTES);
        memset(stick->chunk, 0, HEAD_BYTES);
        if (!write_stick_range(stick, stick->chunk, head, 0, err) || !stick_settle(stick, err))
                return false;
        size_t tail = size_min(stick->device_bytes - stick->iso_bytes, TAIL_BYTES);
        return write_stick_range(stick, stick->chunk, tail, stick->device_bytes - tail, err);
}

static bool put_iso(const struct stick *stick, struct err *err) {
        struct progress progress;
        uint64_t head = size_min(stick->iso_bytes, HEAD_BYTES);
        progress_begin(&progress, "write the stick", "bytes", stick->iso_bytes);
        bool ok = empty_ends(stick, err) && copy_from_to(stick, head, stick->iso_bytes, &progress, err) &&
                  copy_from_to(stick, 0, head, &progress, err);
        progress_end(&progress, ok);
        return ok;
}

// ---- reading back ----

static uint64_t first_difference_of(const char *left, const char *right, size_t size) {
        size_t i = 0;
        while (i < size && left[i] == right[i])
                i++;
        return i;
}

static bool compare_chunk(const struct stick *stick, int back, uint64_t offset, size_t size, struct err *err) {
        size_t whole = (size + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES; // O_DIRECT reads no less
        if (offset + whole > stick->device_bytes)
                whole = size;
        if (!interrupt_check(err) || !read_iso_range(stick->from, stick->chunk, size, offset, "the ISO", err) ||
            !read_iso_range(back, stick->read_back, whole, offset, stick->device, err))
                return false;
        if (memcmp(stick->chunk, stick->read_back, size) == 0)
                return true;
        fail(err, ERR_DIFFERENT, 0, "%s gives back something else than was written, from byte %" PRIu64 " on",
             stick->device, offset + first_difference_of(stick->chunk, stick->read_back, size));
        return hint(err, "the stick is worn out, or pretends to be larger than it is: take another one");
}

static bool read_back(const struct stick *stick, struct err *err) {
        struct progress progress;
        auto_close int back = -1;
        if (!stick_open_uncached(stick->device, stick->to, &back, err))
                return false;
        progress_begin(&progress, "read the stick", "bytes", stick->iso_bytes);
        bool ok = true;
        for (uint64_t at = 0; ok && at < stick->iso_bytes; at += CHUNK_BYTES) {
                size_t size = size_min(stick->iso_bytes - at, CHUNK_BYTES);
                ok = compare_chunk(stick, back, at, size, err);
                if (ok)
                        progress_add(&progress, size);
        }
        progress_end(&progress, ok);
        return ok;
}

// ---- all of it ----

static bool write_and_compare(const struct stick *stick, struct err *err) {
        if (put_iso(stick, err) && read_back(stick, err))
                return true;
        wrap(err, "%s is not bootable now", stick->device);
        if (err->hint)
                return false;
        return hint(err, "write it again, from the beginning");
}

static bool ask_before(const struct stick_options *options, const struct stick *stick, struct err *err) {
        auto_buf what = { 0 };
        stick_describe(options->device, stick->to, stick->device_bytes, &what);
        notice("%s", buf_text(&what));
        if (options->dry_run) {
                notice("%" PRIu64 " bytes would be written to %s, and read back", stick->iso_bytes, options->device);
                return true;
        }
        return !options->confirm || options->confirm(buf_text(&what), options->context, err);
}

static bool write_opened(const struct stick_options *options, struct stick *stick, struct err *err) {
        if (stick->iso_bytes > stick->device_bytes)
                return fail(err, ERR_USAGE, 0, "%s is too small: it holds %" PRIu64 " bytes, and the ISO has %" PRIu64,
                            options->device, stick->device_bytes, stick->iso_bytes);
        if (!ask_before(options, stick, err))
                return false;
        if (options->dry_run)
                return true;
        stick->chunk = aligned_alloc(ALIGN_BYTES, CHUNK_BYTES);
        stick->read_back = aligned_alloc(ALIGN_BYTES, CHUNK_BYTES);
        bool ok = stick->chunk && stick->read_back;
        if (!ok)
                (void)fail(err, ERR_SYSTEM, ENOMEM, "write %s", options->device);
        ok = ok && write_and_compare(stick, err);
        if (ok)
                stick_read_partitions(stick->to);
        free(stick->chunk);
        free(stick->read_back);
        return ok;
}

bool stick_write(const struct stick_options *options, struct err *err) {
        assert(options->build && options->role && options->device);
        struct stick stick = { .device = options->device, .from = -1, .to = -1 };
        struct stick_rules rules = { options->allow_fixed, options->allow_file, options->dry_run };
        bool ok = stick_open(options->device, &rules, &stick.to, &stick.device_bytes, err) &&
                  iso_open_published(options->build, options->role, &stick.from, &stick.iso_bytes, err) &&
                  write_opened(options, &stick, err);
        close_cleanup(&stick.from);
        if (stick.to >= 0 && close(stick.to) < 0 && ok)
                ok = fail(err, ERR_SYSTEM, errno, "write %s", options->device);
        return ok || wrap(err, "writing %s to a stick", options->role);
}
