// A compressed file, decompressed by a thread of its own while libsolv parses: a fifth of the time that metadata takes
// to load.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "packages/internal.h"

// libsolv's headers need pool.h first
#include <solv/solv_xfopen.h>

enum { PIPE_BYTES = 1 << 20, BLOCK_BYTES = 256 << 10 };

struct stream {
        pthread_t thread;
        FILE *compressed;
        FILE *plain; // what the parser reads
        int sink;
};

static void *pump(void *context) {
        struct stream *stream = context;
        auto_free char *block = xmalloc(BLOCK_BYTES);
        for (size_t got; (got = fread(block, 1, BLOCK_BYTES, stream->compressed)) > 0;) {
                size_t done = 0;
                for (ssize_t put; done < got && (put = write(stream->sink, block + done, got - done)) > 0;)
                        done += (size_t)put;
                if (done < got)
                        break; // the parser has seen enough
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
        bool started = pthread_create(&stream->thread, NULL, pump, stream) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        return started;
}

struct stream *stream_open(const char *path) {
        int ends[2];
        FILE *compressed = solv_xfopen(path, "r");
        if (!compressed)
                return NULL;
        if (pipe2(ends, O_CLOEXEC) < 0) {
                fclose(compressed);
                return NULL;
        }
        struct stream *stream = xcalloc(1, sizeof *stream);
        *stream = (struct stream){ .compressed = compressed, .plain = fdopen(ends[0], "r"), .sink = ends[1] };
        fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
        if (stream->plain && start(stream))
                return stream;
        close(ends[1]);
        if (stream->plain)
                fclose(stream->plain);
        else
                close(ends[0]);
        fclose(compressed);
        free(stream);
        return NULL;
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
