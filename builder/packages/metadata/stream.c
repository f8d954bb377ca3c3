// SPDX-License-Identifier: MIT
#include "packages/metadata/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "packages/metadata/primary_strip.h"
#include "packages/metadata/xml_guard.h"

// libsolv's headers need pool.h first
#include <solv/solv_xfopen.h>

enum { PIPE_BYTES = 1 << 20 };

struct stream {
        pthread_t thread;
        FILE *compressed;
        FILE *plain; // what the parser reads
        int pipe;
        bool strip_primary;
        struct xml_guard guard;
        const char *wrong; // what the guard found, or NULL; the thread's until it was joined
};

static bool write_to_pipe(int pipe, const char *data, size_t size) {
        for (ssize_t put; size > 0 && (put = write(pipe, data, size)) > 0; size -= (size_t)put)
                data += put;
        return size == 0;
}

static void *decompress(void *context) {
        struct stream *stream = context;
        auto_free char *window = xmalloc(STRIP_WINDOW);
        struct strip strip = { .given_up = !stream->strip_primary };
        size_t unread = 0; // bytes of the window that the next ones must complete
        for (bool more = true; more;) {
                size_t got = fread(window + unread, 1, STRIP_WINDOW - unread, stream->compressed);
                size_t used = 0;
                more = got > 0;
                stream->wrong = xml_guard_check(&stream->guard, window + unread, got);
                if (stream->wrong)
                        break; // the parser sees the end of the text
                size_t left = primary_strip(&strip, window, unread + got, more, &used);
                if (!write_to_pipe(stream->pipe, window, left))
                        break; // the parser has seen enough
                unread = unread + got - used;
                memmove(window, window + used, unread);
        }
        close(stream->pipe);
        return NULL;
}

// All signals are blocked in the thread, SIGPIPE among them: a parser that gives up early closes the pipe, which must
// not kill the program.
static bool start_thread(struct stream *stream) {
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        errno = pthread_create(&stream->thread, NULL, decompress, stream);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return errno == 0;
}

// solv_xfopen_fd() sets errno only where the system refused something; otherwise it does not know the compression.
static bool open_compressed(int fd, const char *name, FILE **ret, struct err *err) {
        auto_close int own = dup(fd);
        if (own < 0 || lseek(own, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", name);
        errno = 0;
        *ret = solv_xfopen_fd(name, own, "r");
        if (!*ret && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
                return fail(err, ERR_SYSTEM, errno, "open %s", name);
        if (!*ret)
                return fail(err, ERR_CORRUPT, 0, "%s cannot be opened: its compression is not known", name);
        (void)take_fd(own);
        return true;
}

bool stream_open(int fd, const char *name, bool strip_primary, uint64_t max_bytes, struct stream **ret,
                 struct err *err) {
        int ends[2];
        FILE *compressed = NULL;
        if (!open_compressed(fd, name, &compressed, err))
                return false;
        if (pipe2(ends, O_CLOEXEC) < 0) {
                (void)fail(err, ERR_SYSTEM, errno, "make a pipe to decompress %s", name);
                fclose(compressed);
                return false;
        }
        struct stream *stream = xcalloc(1, sizeof *stream);
        *stream = (struct stream){ .compressed = compressed, .plain = fdopen(ends[0], "r"), .pipe = ends[1] };
        stream->strip_primary = strip_primary;
        stream->guard.max_bytes = max_bytes;
        fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
        if (stream->plain && start_thread(stream)) {
                *ret = stream;
                return true;
        }
        (void)fail(err, ERR_SYSTEM, errno, "start to decompress %s", name);
        close(ends[1]);
        if (stream->plain)
                fclose(stream->plain);
        else
                close(ends[0]);
        fclose(compressed);
        free(stream);
        return false;
}

FILE *stream_file(const struct stream *stream) { return stream->plain; }

bool stream_close(struct stream *stream, const char **ret_wrong) {
        fclose(stream->plain);
        pthread_join(stream->thread, NULL);
        *ret_wrong = stream->wrong;
        bool ok = !ferror(stream->compressed);
        ok &= fclose(stream->compressed) == 0;
        free(stream);
        return ok;
}
