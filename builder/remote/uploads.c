// SPDX-License-Identifier: MIT
// What is uploaded beside the build, by one thread, in the order in which it was made.
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "remote/bundle.h"
#include "remote/internal.h"

enum { LOOK_MS = 100 };

struct upload {
        char *kind, *name, *path; // `kind` NULL: `name` is the SHA-256 of the file
        bool is_missing;
};

struct uploads {
        struct remote *remote;
        pthread_t thread;
        bool is_running;
        pthread_mutex_t mutex; // of what follows
        pthread_cond_t changed;
        struct upload *items;
        size_t count, done;
        struct upload *damaged; // what the remote has under these names is, whatever it says
        size_t damaged_count;
        size_t failed;
        bool ends; // no more will come
};

static bool remote_has(struct remote *remote, const char *folder, const char *name) {
        const struct remote_request head = { .folder = folder, .name = name };
        return remote_ask(remote, &head) == REMOTE_FOUND;
}

static bool upload_file(struct remote *remote, const char *sha256, int fd, uint64_t size_bytes) {
        const struct remote_request put = {
                .folder = "cas", .name = sha256, .is_upload = true, .fd = fd, .size_bytes = size_bytes
        };
        return remote_ask(remote, &put) == REMOTE_FOUND;
}

static bool upload_text(struct remote *remote, const char *key, const struct buf *text) {
        const struct remote_request put = {
                .folder = "ac", .name = key, .is_upload = true, .data = text->data, .size_bytes = text->size
        };
        return remote_ask(remote, &put) == REMOTE_FOUND;
}

static bool open_upload_parent(const char *path, int *ret_fd, struct err *err) {
        const char *slash = strrchr(path, '/');
        assert(slash);
        auto_free char *parent = xstrndup(path, (size_t)(slash - path));
        return fs_open_dir(AT_FDCWD, parent, ret_fd, err);
}

// Another build removes what it finds to be damaged, and makes it again: what was packed meanwhile lacks files.
static bool check_is_in_place(const char *path, const struct stat *opened, struct err *err) {
        struct stat now;
        bool is_there = lstat(path, &now) == 0 && now.st_ino == opened->st_ino && now.st_dev == opened->st_dev;
        return is_there || fail(err, ERR_CORRUPT, 0, "it was removed or replaced while it was packed");
}

// What is to be sent, and what it is.
static bool open_content(struct remote *remote, const struct upload *upload, struct action *ret, int *ret_fd,
                         struct err *err) {
        struct stat stat;
        char sha256[DIGEST_HEX_SIZE];
        auto_close int from = -1;
        auto_close int parent = -1;
        auto_close int packed = -1;
        if (!fs_open(AT_FDCWD, upload->path, O_RDONLY | O_NOFOLLOW, 0, &from, err))
                return false;
        if (fstat(from, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", upload->path);
        ret->size_bytes = (uint64_t)stat.st_size;
        ret->form = ACTION_FILE;
        bool ok = true;
        if (S_ISDIR(stat.st_mode)) {
                ret->form = ACTION_TREE;
                ok = open_upload_parent(upload->path, &parent, err) && remote_temporary(parent, &packed, err) &&
                     bundle_pack(from, packed, &remote->closing, sha256, &ret->size_bytes, err) &&
                     check_is_in_place(upload->path, &stat, err);
                *ret_fd = take_fd(packed);
        } else {
                ok = digest_fd("sha256", from, sha256, err);
                *ret_fd = take_fd(from);
        }
        if (ok)
                memcpy(ret->sha256, sha256, sizeof ret->sha256);
        return ok;
}

// The content comes first: an entry that names what is not there is a miss for everybody.
static bool send_entry(struct remote *remote, const struct upload *upload, struct err *err) {
        struct action action = { .kind = upload->kind, .name = upload->name };
        char key[ACTION_KEY_SIZE];
        auto_close int content = -1;
        auto_buf text = { 0 };
        action_key(upload->kind, upload->name, key);
        if (!upload->is_missing && remote_has(remote, "ac", key))
                return true;
        if (atomic_load(&remote->off))
                return false;
        return open_content(remote, upload, &action, &content, err) &&
               upload_file(remote, action.sha256, content, action.size_bytes) &&
               action_sign(&action, remote->signer, &text, err) && upload_text(remote, key, &text);
}

// A server that digests what it gets, as bazel-remote does, refuses what has another; here, what was verified is sent.
static bool send_blob(struct remote *remote, const struct upload *upload, struct err *err) {
        struct stat stat;
        auto_close int fd = -1;
        if (!upload->is_missing && remote_has(remote, "cas", upload->name))
                return true;
        if (atomic_load(&remote->off) || !fs_open(AT_FDCWD, upload->path, O_RDONLY | O_NOFOLLOW, 0, &fd, err))
                return false;
        if (fstat(fd, &stat) < 0)
                return fail(err, ERR_SYSTEM, errno, "stat %s", upload->path);
        return upload_file(remote, upload->name, fd, (uint64_t)stat.st_size);
}

static bool send_upload(struct remote *remote, const struct upload *upload) {
        auto_err err = { 0 };
        bool ok = false;
        if (atomic_load(&remote->off) || atomic_load(&remote->full) || atomic_load(&remote->closing))
                return false;
        if (upload->kind)
                ok = send_entry(remote, upload, &err);
        else
                ok = send_blob(remote, upload, &err);
        if (!ok && err.text && !atomic_load(&remote->closing))
                notice("%s is not uploaded to %s: %s", upload->name, remote->shown, err.text);
        return ok;
}

static void *send_all(void *context) {
        struct uploads *uploads = context;
        pthread_mutex_lock(&uploads->mutex);
        while (uploads->done < uploads->count || !uploads->ends) {
                if (uploads->done == uploads->count) {
                        pthread_cond_wait(&uploads->changed, &uploads->mutex);
                        continue;
                }
                const struct upload upload = uploads->items[uploads->done];
                pthread_mutex_unlock(&uploads->mutex);
                bool ok = send_upload(uploads->remote, &upload);
                pthread_mutex_lock(&uploads->mutex);
                uploads->failed += !ok;
                uploads->done++;
                pthread_cond_broadcast(&uploads->changed);
        }
        pthread_mutex_unlock(&uploads->mutex);
        return NULL;
}

// Signals are for the threads that unwind, and a connection that breaks sends one.
static bool start_uploading(struct uploads *uploads) {
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        bool ok = pthread_create(&uploads->thread, NULL, send_all, uploads) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return ok;
}

struct uploads *uploads_new(struct remote *remote) {
        struct uploads *uploads = xcalloc(1, sizeof *uploads);
        uploads->remote = remote;
        pthread_mutex_init(&uploads->mutex, NULL);
        pthread_cond_init(&uploads->changed, NULL);
        return uploads;
}

static bool is_among(const struct upload *items, size_t count, const char *kind, const char *name) {
        for (size_t i = 0; i < count; i++)
                if (strcmp(items[i].name, name) == 0 && strcmp(text_or(items[i].kind, ""), text_or(kind, "")) == 0)
                        return true;
        return false;
}

static char *copy_kind(const char *kind) {
        if (!kind)
                return NULL;
        return xstrdup(kind);
}

void uploads_repair(struct uploads *uploads, const char *kind, const char *name) {
        pthread_mutex_lock(&uploads->mutex);
        *array_append(&uploads->damaged, &uploads->damaged_count) = (struct upload){ copy_kind(kind), xstrdup(name) };
        pthread_mutex_unlock(&uploads->mutex);
}

// What was not loaded because something else was damaged may well be there. The mutex is held.
static bool is_to_be_sent(const struct uploads *uploads, const char *kind, const char *name, bool is_missing) {
        if (atomic_load(&uploads->remote->unread))
                return is_among(uploads->damaged, uploads->damaged_count, kind, name);
        return is_missing;
}

// The thread begins with the first: a user namespace is entered by a process that has none.
void uploads_add(struct uploads *uploads, const char *kind, const char *name, const char *path, bool is_missing) {
        pthread_mutex_lock(&uploads->mutex);
        if (is_among(uploads->items, uploads->count, kind, name)) { // roles share entries
                pthread_mutex_unlock(&uploads->mutex);
                return;
        }
        *array_append(&uploads->items, &uploads->count) =
            (struct upload){ copy_kind(kind), xstrdup(name), xstrdup(path),
                             is_to_be_sent(uploads, kind, name, is_missing) };
        if (!uploads->is_running)
                uploads->is_running = start_uploading(uploads);
        pthread_cond_broadcast(&uploads->changed);
        pthread_mutex_unlock(&uploads->mutex);
}

static void wait_a_while(struct uploads *uploads) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)!pthread_cond_timedwait(&uploads->changed, &uploads->mutex, &until);
}

size_t uploads_finish(struct uploads *uploads, int64_t wait_ms) {
        int64_t until = monotonic_ms() + wait_ms;
        pthread_mutex_lock(&uploads->mutex);
        while (uploads->is_running && uploads->done < uploads->count && !interrupt_requested() &&
               (wait_ms < 0 || monotonic_ms() < until))
                wait_a_while(uploads);
        atomic_store(&uploads->remote->closing, true);
        uploads->ends = true;
        pthread_cond_broadcast(&uploads->changed);
        pthread_mutex_unlock(&uploads->mutex);
        if (uploads->is_running)
                pthread_join(uploads->thread, NULL);
        uploads->is_running = false;
        return uploads->failed + uploads->count - uploads->done;
}

static void free_uploads(struct upload *items, size_t count) {
        for (size_t i = 0; i < count; i++) {
                free(items[i].kind);
                free(items[i].name);
                free(items[i].path);
        }
        free(items);
}

void uploads_free(struct uploads *uploads) {
        if (!uploads)
                return;
        assert(!uploads->is_running);
        free_uploads(uploads->items, uploads->count);
        free_uploads(uploads->damaged, uploads->damaged_count);
        pthread_cond_destroy(&uploads->changed);
        pthread_mutex_destroy(&uploads->mutex);
        free(uploads);
}
