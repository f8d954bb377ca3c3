// SPDX-License-Identifier: MIT
// Where an HTTP answer ends, in whatever pieces it comes; and how much JSON a text has.
#include "status/http_reader.h"
#include "base/json_modest.h"
#include "base/mem.h"
#include "tests/unit/test.h"

#define HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"

// Feeds a text in pieces of `step` bytes, until there is nothing more to wait for.
static struct http_reader read_in_pieces(const char *text, size_t size, size_t step, struct buf *answer) {
        struct http_reader reader = { 0 };
        for (size_t at = 0; at < size; at += step) {
                buf_append(answer, text + at, size_min(step, size - at));
                if (http_reader_feed(&reader, answer))
                        break;
        }
        return reader;
}

enum ending { WHOLE, CUT, OPEN, NO_HTTP };

static void expect_ending(const char *text, enum ending ending, const char *body) {
        for (size_t step = 1; step <= strlen(text); step++) {
                auto_buf answer = { 0 }, found = { 0 };
                struct http_reader reader = read_in_pieces(text, strlen(text), step, &answer);
                http_reader_body(&reader, &answer, &found);
                test_bad += reader.is_whole != (ending == WHOLE);
                test_bad += http_reader_is_cut(&reader) != (ending == CUT || ending == NO_HTTP);
                test_bad += (reader.status == 0) != (ending == NO_HTTP);
                EXPECT_TEXT(buf_text(&found), body);
                if (test_bad > 0) {
                        printf("# in pieces of %zu: %s\n", step, text);
                        return;
                }
        }
}

static void lengths(void) {
        expect_ending(HEAD "Content-Length: 3\r\n\r\nabc", WHOLE, "abc");
        expect_ending(HEAD "content-length:3\r\n\r\nabc", WHOLE, "abc");
        expect_ending(HEAD "Content-Length: 3\r\n\r\nab", CUT, "ab");
        expect_ending(HEAD "Content-Length: 0\r\n\r\n", WHOLE, "");
        expect_ending(HEAD "Content-Length: 3\r\n\r\nabcdef", WHOLE, "abc");
        expect_ending("HTTP/1.1 204 No Content\r\n\r\nabc", WHOLE, "");
        expect_ending("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc", WHOLE, "");
        expect_ending(HEAD "Content-Length: -1\r\n\r\nabc", OPEN, "abc");
        expect_ending(HEAD "Content-Lengthy: 1\r\n\r\nabc", OPEN, "abc");
        expect_ending(HEAD "\r\nContent-Length: 1\r\n\r\n", OPEN, "Content-Length: 1\r\n\r\n");
        expect_ending("HTTP/1.1 204 No Content\r\n\r\n", WHOLE, "");
        expect_ending(HEAD "Content-Length: 3\r\n", CUT, "");
        expect_ending("HTTP/1.1 20", NO_HTTP, "");
        expect_ending("SSH-2.0-x\r\nabcdef", NO_HTTP, "");
}

static void chunks(void) {
        expect_ending(CHUNKED "3\r\nabc\r\n0\r\n\r\n", WHOLE, "abc");
        expect_ending(CHUNKED "3;x=\"y\"\r\nabc\r\n00A \r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n", WHOLE,
                      "abc0123456789");
        expect_ending(HEAD "Content-Length: 1\r\nTransfer-Encoding:gzip ,\tChunked \r\n\r\n1\r\na\r\n0\r\n", WHOLE,
                      "a");
        expect_ending(CHUNKED "3\r\nabc\r\n", CUT, "abc");
        expect_ending(CHUNKED "3\r\nabc\r\n0", CUT, "abc");
        expect_ending(CHUNKED "3\r\nabc\r\n5\r\nde", CUT, "abc");
        expect_ending(CHUNKED "3\r\nabcd\r\n0\r\n\r\n", CUT, "");
        expect_ending(CHUNKED "-1\r\na\r\n0\r\n\r\n", CUT, "");
        expect_ending(CHUNKED "0x1\r\na\r\n0\r\n\r\n", CUT, "");
        expect_ending(CHUNKED "fffffffff\r\na\r\n", CUT, "");
        expect_ending(CHUNKED "\r\n0\r\n\r\n", CUT, "");
        expect_ending(CHUNKED "", CUT, "");
}

static void what_has_no_end(void) {
        auto_buf text = { 0 }, answer = { 0 }, chunk = { 0 };
        buf_append_text(&text, HEAD);
        while (text.size <= HTTP_HEAD_MAX)
                buf_append_text(&text, "a\r\n");
        buf_append_text(&text, "\r\n");
        struct http_reader reader = read_in_pieces(text.data, text.size, 1000, &answer);
        EXPECT(reader.is_wrong && reader.status == 0 && answer.size < HTTP_HEAD_MAX + 1000);
        buf_clear(&text);
        buf_clear(&answer);
        buf_append_text(&text, CHUNKED "5;");
        while (text.size <= HTTP_HEAD_MAX)
                buf_append_text(&text, "abc");
        reader = read_in_pieces(text.data, text.size, 1000, &answer);
        EXPECT(reader.is_wrong && http_reader_is_cut(&reader) && answer.size < 10000);
}

static void headers(void) {
        static const char text[] = HEAD "A: \t b c \t\r\nLong: 0123456789\r\nEmpty:\r\n: x\r\n\r\nBody: x\r\n";
        auto_buf answer = { 0 };
        char value[8];
        struct http_reader reader = read_in_pieces(text, strlen(text), 7, &answer);
        EXPECT(http_reader_header(&reader, &answer, "a", value, sizeof value));
        EXPECT_TEXT(value, "b c");
        EXPECT(http_reader_header(&reader, &answer, "EMPTY", value, sizeof value));
        EXPECT_TEXT(value, "");
        EXPECT(!http_reader_header(&reader, &answer, "Long", value, sizeof value));
        EXPECT(!http_reader_header(&reader, &answer, "Body", value, sizeof value));
        EXPECT(!http_reader_header(&(struct http_reader){ 0 }, &answer, "A", value, sizeof value));
}

static bool is_modest(const char *text, size_t values, size_t levels) {
        return json_is_modest(text, strlen(text), values, levels);
}

static void json_that_is_counted(void) {
        EXPECT(is_modest("[1, 2, {\"a\": 3}]", 6, 2) && !is_modest("[1, 2, {\"a\": 3}]", 5, 2));
        EXPECT(is_modest("[[[]]]", 10, 3) && !is_modest("[[[]]]", 10, 2));
        EXPECT(is_modest("[\"[,:{\\\",[\"]", 2, 1));
        EXPECT(is_modest("]", 1, 1) && is_modest("\"", 1, 1) && is_modest("\"\\", 1, 1) && is_modest("", 1, 1));
}

int main(void) {
        RUN(lengths);
        RUN(chunks);
        RUN(what_has_no_end);
        RUN(headers);
        RUN(json_that_is_counted);
        return test_done();
}
