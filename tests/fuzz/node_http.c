// SPDX-License-Identifier: MIT
// Fuzz target: what an HTTP server sends. Whatever arrives, heads, chunks and redirections must do no harm, and what is
// accepted must hold together.
// Build with clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ibuilder -I. and firmware/node/http/*.c,
// firmware/node/facts/clock.c and what that needs, -ljansson -lresolv; run with tests/fuzz/node_http.corpus as
// argument. tests/unit/node_http.c replays the corpus on every run.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "firmware/node/http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_body(struct http *http, size_t size) {
        char block[512];
        auto_err err = { 0 };
        for (size_t total = 0, got = 1; got > 0; total += got) {
                if (!http_read(http, block, sizeof block, &got, &err))
                        return;
                if (total + got > size ||
                    (http->response.has_length && !http->response.chunked && total + got > http->response.length))
                        abort(); // more than was sent, or than was promised
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct url base = { "host", "/a/b", 80 };
        struct http http = { .fd = -1 };
        struct url next;
        auto_err err = { 0 }, ignored = { 0 };
        int fd = memfd_create("response", MFD_CLOEXEC);
        if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
                abort();
        if (http_receive(fd, 1000, &http, &err)) {
                if (http.response.status < 200 || http.response.status > 999 ||
                    strlen(http.response.location) >= URL_MAX ||
                    (http.response.has_range && http.response.total && http.response.first_byte >= http.response.total))
                        abort();
                read_body(&http, size);
                if (url_follow(&base, http.response.location, &next, &ignored) &&
                    (next.path[0] != '/' || !next.host[0] || !next.port || strpbrk(next.path, " \r\n") ||
                     strpbrk(next.host, " \r\n/")))
                        abort(); // it would break the next request
        }
        http_close(&http);
        return 0;
}
