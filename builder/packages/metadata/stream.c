// SPDX-License-Identifier: MIT
// A compressed file, decompressed by a thread of its own while libsolv parses: a fifth of the time that metadata takes
// to load. The thread leaves out of primary.xml what kiln has no use for.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "packages/fetch/sink.h"
#include "packages/metadata/primary_strip.h"
#include "packages/metadata/stream.h"

// libsolv's headers need pool.h first
#include <solv/solv_xfopen.h>

enum { PIPE_BYTES = 1 << 20 };

struct stream {
        pthread_t thread;
        FILE *compressed;
        FILE *plain; // what the parser reads
        int sink;
        bool without_prose;
};

static bool send_all(int sink, const char *data, size_t size) {
        for (ssize_t put; size > 0 && (put = write(sink, data, size)) > 0; size -= (size_t)put)
                data += put;
        return size == 0;
}

static void *pump(void *context) {
        struct stream *stream = context;
        auto_free char *window = xmalloc(PROSE_WINDOW);
        struct prose prose = { .given_up = !stream->without_prose };
        size_t kept = 0; // bytes that could not be judged yet
        for (bool more = true; more;) {
                size_t got = fread(window + kept, 1, PROSE_WINDOW - kept, stream->compressed);
                size_t used = 0;
                more = got > 0;
                size_t left = prose_remove(&prose, window, kept + got, more, &used);
                if (!send_all(stream->sink, window, left))
                        break; // the parser has seen enough
                kept = kept + got - used;
                memmove(window, window + used, kept);
        }
        close(stream->sink);
        return NULL;
}

// The thread is the only one that writes to the pipe, and a parser that gives up early must not kill the program.
static bool start(struct stream *stream) {
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        errno = pthread_create(&stream->thread, NULL, pump, stream);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return errno == 0;
}

// libsolv tells no reason; without one of the system's, it does not know the compression.
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

bool stream_open(int fd, const char *name, bool without_prose, struct stream **ret, struct err *err) {
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
        *stream = (struct stream){ .compressed = compressed, .plain = fdopen(ends[0], "r"), .sink = ends[1] };
        stream->without_prose = without_prose;
        fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
        if (stream->plain && start(stream)) {
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

bool stream_close(struct stream *stream) {
        fclose(stream->plain);
        pthread_join(stream->thread, NULL);
        bool ok = !ferror(stream->compressed);
        ok &= fclose(stream->compressed) == 0;
        free(stream);
        return ok;
}
