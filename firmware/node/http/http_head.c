// SPDX-License-Identifier: MIT
// The response's head.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "firmware/node/http/http.h"

struct line {
        const char *text;
        size_t size;
};

// Takes one line off the head, without CR LF (a lone LF is taken too: RFC 9112, section 2.2). False at its end.
static bool next_line(const char **at, const char *end, struct line *ret) {
        const char *feed = memchr(*at, '\n', (size_t)(end - *at));
        if (!feed)
                return false;
        *ret = (struct line){ *at, (size_t)(feed - *at) };
        if (ret->size && ret->text[ret->size - 1] == '\r')
                ret->size--;
        *at = feed + 1;
        return true;
}

// Digits alone, no sign, no overflow.
static bool read_number(const char *text, size_t size, uint64_t *ret) {
        uint64_t number = 0;
        for (size_t i = 0; i < size; i++) {
                if (!isdigit((unsigned char)text[i]) || number > (UINT64_MAX - 9) / 10)
                        return false;
                number = number * 10 + (uint64_t)(text[i] - '0');
        }
        *ret = number;
        return size > 0;
}

// "HTTP/1.1 206 Partial Content"
static bool read_status(const struct line *line, struct http_response *ret, struct err *err) {
        uint64_t status;
        if (line->size < 12 || memcmp(line->text, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)line->text[7]) ||
            line->text[8] != ' ' || !read_number(line->text + 9, 3, &status) || status < 100 ||
            (line->size > 12 && line->text[12] != ' '))
                return fail(err, ERR_CORRUPT, 0, "the server does not speak HTTP");
        ret->status = (int)status;
        return true;
}

static bool take_length(struct http_response *response, const char *value, size_t size, struct err *err) {
        uint64_t length;
        if (!read_number(value, size, &length) || (response->has_length && response->length != length))
                return fail(err, ERR_CORRUPT, 0, "Content-Length is no number, or given twice");
        response->has_length = true;
        response->length = length;
        return true;
}

// "bytes 100-199/200", the total perhaps "*".
static bool take_range(struct http_response *response, const char *value, size_t size, struct err *err) {
        const char *dash = memchr(value, '-', size), *slash = memchr(value, '/', size), *end = value + size;
        uint64_t last;
        if (response->status != 206)
                return true; // of 416 it says the total only
        if (size < 6 || strncasecmp(value, "bytes ", 6) != 0 || !dash || !slash || slash < dash ||
            !read_number(value + 6, dash < value + 6 ? 0 : (size_t)(dash - value - 6), &response->first_byte) ||
            !read_number(dash + 1, (size_t)(slash - dash - 1), &last) || last < response->first_byte)
                return fail(err, ERR_CORRUPT, 0, "Content-Range is malformed");
        bool unknown = end - slash == 2 && slash[1] == '*';
        if (!unknown &&
            (!read_number(slash + 1, (size_t)(end - slash - 1), &response->total) || response->total <= last))
                return fail(err, ERR_CORRUPT, 0, "Content-Range is malformed");
        response->has_range = true;
        return true;
}

static bool take_coding(struct http_response *response, const char *value, size_t size, struct err *err) {
        if (size != 7 || strncasecmp(value, "chunked", 7) != 0)
                return fail(err, ERR_CORRUPT, 0, "Transfer-Encoding %.*s is not understood",
                            (int)(size < 40 ? size : 40), value);
        response->chunked = true;
        return true;
}

static bool take_encoding(struct http_response *response, const char *value, size_t size, struct err *err) {
        (void)response;
        return (size == 8 && strncasecmp(value, "identity", 8) == 0) ||
               fail(err, ERR_CORRUPT, 0, "Content-Encoding %.*s was not asked for", (int)(size < 40 ? size : 40),
                    value);
}

static bool take_location(struct http_response *response, const char *value, size_t size, struct err *err) {
        if (size >= sizeof response->location || memchr(value, '\0', size))
                return fail(err, ERR_CORRUPT, 0, "Location is longer than %d bytes", URL_MAX - 1);
        memcpy(response->location, value, size);
        response->location[size] = '\0';
        return true;
}

static bool take_header(struct http_response *response, const struct line *line, struct err *err) {
        static const struct {
                const char *name;
                bool (*take)(struct http_response *response, const char *value, size_t size, struct err *err);
        } headers[] = { { "Content-Length", take_length },
                        { "Content-Range", take_range },
                        { "Transfer-Encoding", take_coding },
                        { "Content-Encoding", take_encoding },
                        { "Location", take_location } };
        const char *colon = memchr(line->text, ':', line->size), *end = line->text + line->size;
        if (!colon)
                return fail(err, ERR_CORRUPT, 0, "a line of the response's head has no colon");
        const char *value = colon + 1;
        while (value < end && (*value == ' ' || *value == '\t'))
                value++;
        while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
                end--;
        for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
                if ((size_t)(colon - line->text) == strlen(headers[i].name) &&
                    strncasecmp(line->text, headers[i].name, strlen(headers[i].name)) == 0)
                        return headers[i].take(response, value, (size_t)(end - value), err);
        return true;
}

bool http_parse_head(const char *head, size_t size, struct http_response *ret, size_t *ret_size, struct err *err) {
        const char *at = head, *end = head + size;
        struct http_response response = { 0 };
        struct line line;
        if (!next_line(&at, end, &line) || !read_status(&line, &response, err))
                return err->kind ? false : fail(err, ERR_CORRUPT, 0, "the response's head does not end");
        for (;;) {
                if (!next_line(&at, end, &line))
                        return fail(err, ERR_CORRUPT, 0, "the response's head does not end");
                if (line.size == 0)
                        break;
                if (!take_header(&response, &line, err))
                        return false;
        }
        *ret = response;
        *ret_size = (size_t)(at - head);
        return true;
}

const char *http_status_text(int status) {
        static const struct {
                int status;
                const char *text;
        } texts[] = { { 301, "moved" },
                      { 302, "moved" },
                      { 400, "bad request" },
                      { 401, "it wants a password, which nodes do not have" },
                      { 403, "forbidden" },
                      { 404, "not found" },
                      { 405, "it takes no such request" },
                      { 413, "too large" },
                      { 416, "the file is shorter there than what was fetched already" },
                      { 500, "server error" },
                      { 502, "bad gateway" },
                      { 503, "unavailable" },
                      { 504, "gateway timeout" } };
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
                if (texts[i].status == status)
                        return texts[i].text;
        return "unexpected";
}
