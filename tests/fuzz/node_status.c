// SPDX-License-Identifier: MIT
// Fuzz target: what a client sends to a machine's status_port. Whatever it is, the response is one of HTTP, gives the
// answer to GET of "/" alone, and is asked for no more bytes than fit.
// Build with clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ibuilder -I. and
// firmware/node/watch/status_answer.c with what that needs, -ljansson; run with tests/fuzz/node_status.corpus as
// argument. tests/unit/node_status.c replays the corpus on every run.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "firmware/node/watch/status_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        auto_buf body = { 0 }, response = { 0 };
        buf_append_text(&body, "{\"the\":\"answer\"}");
        if (size > STATUS_REQUEST_MAX)
                size = STATUS_REQUEST_MAX;
        if (!status_respond((const char *)data, size, &body, &response)) {
                if (size == STATUS_REQUEST_MAX || response.size > 0)
                        abort(); // it would wait for what has no room
                return 0;
        }
        const char *text = buf_text(&response);
        bool is_answer = strstr(text, "the") != NULL, is_get = size > 6 && memcmp(data, "GET / ", 6) == 0;
        if (strncmp(text, "HTTP/1.1 ", 9) != 0 || !strstr(text, "\r\n\r\n") || (is_answer && !is_get))
                abort();
        return 0;
}
