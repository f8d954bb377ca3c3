// SPDX-License-Identifier: MIT
// kiln-node's HTTP: URLs, heads and bodies as they arrive, and the fuzzer's corpus with every byte changed and cut.
#include "tests/unit/corpus.h"
#include "tests/unit/test.h"

#include "base/mem.h"
#include "tests/fuzz/node_http.c"

static void urls(void) {
        static const struct {
                const char *text, *said; // `said`: the same again, or NULL with a part of the refusal in `why`
                const char *why;
        } cases[] = {
                { "http://192.168.2.1", "http://192.168.2.1/", NULL },
                { "HTTP://Host.example:8080/a/b?c=d#e", "http://Host.example:8080/a/b?c=d", NULL },
                { "http://h?x", "http://h/?x", NULL },
                { "http://h:80/%20", "http://h/%20", NULL },
                { "https://h/", NULL, "no TLS" },
                { "ftp://h/", NULL, "not an http:// URL" },
                { "", NULL, "not an http:// URL" },
                { "http://", NULL, "no host" },
                { "http://-h/", NULL, "no host" },
                { "http://h:/", NULL, "the port" },
                { "http://h:65536/", NULL, "the port" },
                { "http://h:8x/", NULL, "the port" },
                { "http://u@h/", NULL, "name and password" },
                { "http://[::1]/", "http://[::1]/", NULL },
                { "http://[fd00:0:0::1]:8080/x", "http://[fd00:0:0::1]:8080/x", NULL },
                { "http://[::1", NULL, "no IPv6 address" },
                { "http://[]/", NULL, "no IPv6 address" },
                { "http://[10.0.0.1]/", NULL, "no IPv6 address" },
                { "http://[fe80::1%25eth0]/", NULL, "without a zone" },
                { "http://[::1]x/", NULL, "the port" },
                { "http://[::1]:/", NULL, "the port" },
                { "http://fd00::1/", NULL, "the port" },
                { "http://h/a b", NULL, "%-codes" },
                { "http://h/a\r\nX: y", NULL, "%-codes" },
                { "http://h\r\nX/", NULL, "no host" },
        };
        for (size_t i = 0; i < lengthof(cases); i++) {
                struct url url;
                auto_err err = { 0 };
                auto_buf said = { 0 };
                bool good = url_parse(cases[i].text, &url, &err);
                if (good)
                        url_format(&url, &said);
                EXPECT(good == (cases[i].said != NULL));
                if (good && cases[i].said)
                        EXPECT_TEXT(buf_text(&said), cases[i].said);
                EXPECT(good || (err.kind == ERR_USAGE && cases[i].why && strstr(err.text, cases[i].why)));
        }
}

static void redirections(void) {
        static const struct {
                const char *location, *to;
        } cases[] = {
                { "http://other/x", "http://other/x" },
                { "//other:81/x", "http://other:81/x" },
                { "/x?y", "http://h:8080/x?y" },
                { "x", "http://h:8080/a/x" },
                { "?z", "http://h:8080/a/b?z" },
                { "../x", "http://h:8080/x" },
                { ".", "http://h:8080/a/" },
                { "..", "http://h:8080/" },
                { "../../../x", "http://h:8080/x" },
                { "./x/./y/../z/", "http://h:8080/a/x/z/" },
                { "/..", "http://h:8080/" },
                { "/a/b/..?c=/../d", "http://h:8080/a/?c=/../d" },
                { "/.hidden/..x", "http://h:8080/.hidden/..x" },
                { "http://other/a/./b/..", "http://other/a/" },
                { "//other/../x", "http://other/x" },
                { "/a//../b", "http://h:8080/a/b" },
                { "/a/%2e%2e/b", "http://h:8080/a/%2e%2e/b" },
        };
        struct url from;
        EXPECT_OK(url_parse("http://h:8080/a/b?c=/d", &from, err));
        for (size_t i = 0; i < lengthof(cases); i++) {
                struct url url;
                auto_buf to = { 0 };
                EXPECT_OK(url_follow(&from, cases[i].location, &url, err));
                url_format(&url, &to);
                EXPECT_TEXT(buf_text(&to), cases[i].to);
        }
}

static bool head(const char *text, struct http_response *ret, struct err *why) {
        size_t size = 0;
        return http_parse_head(text, strlen(text), ret, &size, why) && size <= strlen(text);
}

static void heads(void) {
        static const char *const refused[] = {
                "HTTP/2 200\r\n\r\n",
                "HTTP/1.1 99 x\r\n\r\n",
                "HTTP/1.1 2000\r\n\r\n",
                "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                "HTTP/1.1 206 P\r\nContent-Range: bytes 5-3/10\r\n\r\n",
                "HTTP/1.1 206 P\r\nContent-Range: bytes 5-10/10\r\n\r\n",
                "HTTP/1.1 206 P\r\nContent-Range: items 0-1/2\r\n\r\n",
                "HTTP/1.1 206 P\r\nContent-Range: bytes\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n",
        };
        struct http_response response;
        for (size_t i = 0; i < lengthof(refused); i++) {
                auto_err why = { 0 };
                EXPECT(!head(refused[i], &response, &why) && why.kind == ERR_CORRUPT);
        }
        EXPECT_OK(head("HTTP/1.1 206 x\r\ncontent-RANGE:bytes 3-9/*\r\nContent-Length:\t7 \r\nLocation: \r\n\r\n",
                       &response, err));
        EXPECT(response.status == 206 && response.has_range && response.first_byte == 3 && response.total == 0);
        EXPECT(response.has_length && response.length == 7 && !response.chunked && !*response.location);
}

static void replay(const uint8_t *data, size_t size) {
        static const uint8_t changes[] = { 0x01, 0x20, 0xff };
        LLVMFuzzerTestOneInput(data, size);
        for (size_t i = 0; i < size; i++) {
                auto_free uint8_t *copy = xmalloc(size + 1);
                memcpy(copy, data, size);
                LLVMFuzzerTestOneInput(copy, i);
                for (size_t j = 0; j < lengthof(changes); j++) {
                        copy[i] = data[i] ^ changes[j];
                        LLVMFuzzerTestOneInput(copy, size);
                }
        }
}

static void replay_input(const char *path, uint8_t *data, size_t size) {
        (void)path;
        replay(data, size);
}

static void the_corpus_does_no_harm(void) { corpus_replay("tests/fuzz/node_http.corpus/*", 9, replay_input); }

int main(void) {
        RUN(urls);
        RUN(redirections);
        RUN(heads);
        RUN(the_corpus_does_no_harm);
        return test_done();
}
