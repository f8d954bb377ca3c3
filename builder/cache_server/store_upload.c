// SPDX-License-Identifier: MIT
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/fs.h"
#include "base/mem.h"
#include "cache_server/internal.h"

// What a disk has to catch up with at the end: its thread has other connections, too.
enum { SYNC_BYTES = 16 << 20 };

struct store_upload {
        struct store *store;
        struct store_name name;
        char *temporary; // in tmp/; NULL once it is moved
        int fd;
        struct digest *digest;
        uint64_t bytes, synced_bytes, reserved_bytes;
};

static bool free_disk(struct store *store, uint64_t bytes) {
        pthread_mutex_lock(&store->lock);
        bool ok = store_free_disk(store, bytes);
        pthread_mutex_unlock(&store->lock);
        return ok;
}

// A file takes room in a directory, and an inode.
static int make_upload_file(struct store *store, const char *name) {
        int fd;
        do
                fd = openat(store->temporary, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
        while (fd < 0 && errno == ENOSPC && free_disk(store, 1));
        return fd;
}

bool store_upload_begin(struct store *store, const struct store_name *name, struct store_upload **ret,
                        struct err *err) {
        assert(store && name && ret);
        pthread_mutex_lock(&store->lock);
        uint64_t number = store->upload_number++;
        pthread_mutex_unlock(&store->lock);
        auto_free char *temporary = xasprintf("%" PRIu64, number);
        auto_close int fd = make_upload_file(store, temporary);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "make %s/tmp/%s", store->path, temporary);
        struct store_upload *upload = xcalloc(1, sizeof *upload);
        *upload = (struct store_upload){ .store = store,
                                         .name = *name,
                                         .temporary = take_ptr(temporary),
                                         .fd = take_fd(fd),
                                         .digest = digest_new("sha256") };
        *ret = upload;
        return true;
}

// Room is made as bytes come in, not when they are announced: who sends nothing removes nothing.
static bool reserve(struct store_upload *upload, uint64_t size, struct err *err) {
        struct store *store = upload->store;
        uint64_t wanted = store_bytes_on_disk(upload->bytes + size);
        pthread_mutex_lock(&store->lock);
        bool fits = store_make_room(store, wanted - upload->reserved_bytes);
        if (fits) {
                store->pending_bytes += wanted - upload->reserved_bytes;
                upload->reserved_bytes = wanted;
        }
        pthread_mutex_unlock(&store->lock);
        return fits || fail(err, ERR_DISK_FULL, 0, "the cache's limit is reached, and nothing can go");
}

static bool sync_upload(struct store_upload *upload, struct err *err) {
        if (fdatasync(upload->fd) < 0)
                return fail(err, ERR_SYSTEM, errno, "write an upload to the disk");
        upload->synced_bytes = upload->bytes;
        return true;
}

// What came to the disk before that was full is written once more.
static bool write_upload(struct store_upload *upload, const void *data, size_t size, struct err *err) {
        for (;;) {
                struct err failure = { 0 };
                if (fs_write_all(upload->fd, data, size, &failure))
                        return true;
                bool can_go_on = failure.kind == ERR_DISK_FULL && free_disk(upload->store, size) &&
                                 lseek(upload->fd, (off_t)upload->bytes, SEEK_SET) >= 0;
                if (!can_go_on) {
                        *err = failure;
                        return false;
                }
                err_release(&failure);
        }
}

bool store_upload_add(struct store_upload *upload, const void *data, size_t size, struct err *err) {
        assert(upload->temporary);
        if (!reserve(upload, size, err) || !write_upload(upload, data, size, err))
                return false;
        digest_update(upload->digest, data, size);
        upload->bytes += size;
        return upload->bytes - upload->synced_bytes < SYNC_BYTES || sync_upload(upload, err);
}

static bool check_upload_digest(struct store_upload *upload, struct err *err) {
        char found[DIGEST_HEX_SIZE];
        digest_final(take_ptr(upload->digest), found);
        if (upload->name.kind != STORE_CAS || strcmp(found, upload->name.hex) == 0)
                return true;
        return fail(err, ERR_CHECKSUM, 0, "the content has the SHA-256 %s", found);
}

// Of a key's entry. A new text takes the place of an old one: the machine that signed that may be trusted no more.
static bool is_same_text(const struct store_upload *upload) {
        auto_buf there = { .max = STORE_AC_MAX };
        auto_buf sent = { .max = STORE_AC_MAX };
        auto_err unreadable = { 0 };
        int kind = upload->store->kinds[upload->name.kind];
        return fs_read(kind, upload->name.hex, &there, &unreadable) && lseek(upload->fd, 0, SEEK_SET) == 0 &&
               buf_read_fd(&sent, upload->fd, &unreadable) && there.size == sent.size &&
               memcmp(buf_text(&there), buf_text(&sent), sent.size) == 0;
}

static bool is_there_already(const struct store_upload *upload) {
        if (!store_use(upload->store, &upload->name))
                return false;
        return upload->name.kind == STORE_CAS || is_same_text(upload);
}

// The lock is held.
static bool rename_upload(const struct store_upload *upload) {
        struct store *store = upload->store;
        int kind = store->kinds[upload->name.kind];
        int result;
        do
                result = renameat(store->temporary, upload->temporary, kind, upload->name.hex);
        while (result < 0 && errno == ENOSPC && store_free_disk(store, 1));
        return result == 0;
}

// The lock is held. Who was reading the old one goes on reading it.
static bool move_into_place(struct store_upload *upload, struct err *err) {
        struct store *store = upload->store;
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
        if (!rename_upload(upload))
                return fail(err, ERR_SYSTEM, errno, "rename an upload");
        free(take_ptr(upload->temporary));
        struct stored *stored = store_find(store, &upload->name);
        if (stored) {
                store->bytes = store->bytes - stored->bytes + upload->reserved_bytes;
                stored->bytes = upload->reserved_bytes;
        } else {
                stored = store_add(store, &upload->name, upload->reserved_bytes);
        }
        store->pending_bytes -= upload->reserved_bytes;
        upload->reserved_bytes = 0;
        times[1] = store_touch(store, stored);
        (void)futimens(upload->fd, times);
        return true;
}

// A content is used by who writes down that it is there.
static void use_content(const struct store_upload *upload) {
        struct store_name content;
        auto_buf text = { .max = STORE_AC_MAX };
        auto_err unreadable = { 0 };
        bool names_one = upload->name.kind == STORE_AC && lseek(upload->fd, 0, SEEK_SET) == 0 &&
                         buf_read_fd(&text, upload->fd, &unreadable) && store_content_of(&text, &content);
        if (names_one)
                (void)store_use(upload->store, &content);
}

static bool keep_upload(struct store_upload *upload, struct err *err) {
        if (!reserve(upload, 0, err) || !sync_upload(upload, err))
                return false;
        pthread_mutex_lock(&upload->store->lock);
        bool ok = move_into_place(upload, err);
        pthread_mutex_unlock(&upload->store->lock);
        return ok;
}

// A content that is there already is replaced all the same: this one was digested just now, and that one long ago.
bool store_upload_finish(struct store_upload *upload, bool *ret_new, struct err *err) {
        assert(upload->temporary && ret_new);
        if (!check_upload_digest(upload, err))
                return false;
        bool is_new = !is_there_already(upload);
        bool is_kept = is_new || upload->name.kind == STORE_CAS;
        if (is_kept && !keep_upload(upload, err))
                return false;
        use_content(upload);
        *ret_new = is_new;
        return true;
}

void store_upload_end(struct store_upload *upload) {
        if (!upload)
                return;
        if (upload->temporary)
                (void)unlinkat(upload->store->temporary, upload->temporary, 0);
        pthread_mutex_lock(&upload->store->lock);
        upload->store->pending_bytes -= upload->reserved_bytes;
        pthread_mutex_unlock(&upload->store->lock);
        digest_free(upload->digest);
        close_cleanup(&upload->fd);
        free(upload->temporary);
        free(upload);
}
