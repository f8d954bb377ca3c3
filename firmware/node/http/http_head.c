// SPDX-License-Identifier: MIT
// The response's head.
#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "firmware/node/http/http.h"

// Some bytes of the head; not ended by a NUL.
struct slice {
        const char *text;
        size_t size;
};

// Takes one line off the head, without CR LF (a lone LF is taken too: RFC 9112, section 2.2). False at its end.
static bool next_head_line(const char **at, const char *end, struct slice *ret) {
        const char *feed = memchr(*at, '\n', (size_t)(end - *at));
        if (!feed)
                return false;
        *ret = (struct slice){ *at, (size_t)(feed - *at) };
        if (ret->size && ret->text[ret->size - 1] == '\r')
                ret->size--;
        *at = feed + 1;
        return true;
}

// Cuts at the first `separator`: what stands before it goes to `ret_before`, and `*rest` is what follows. False without
// one.
static bool cut_at(struct slice *rest, char separator, struct slice *ret_before) {
        const char *at = memchr(rest->text, separator, rest->size);
        if (!at)
                return false;
        *ret_before = (struct slice){ rest->text, (size_t)(at - rest->text) };
        rest->size -= ret_before->size + 1;
        rest->text = at + 1;
        return true;
}

static bool slice_is(struct slice slice, const char *text) {
        return slice.size == strlen(text) && strncasecmp(slice.text, text, slice.size) == 0;
}

static bool is_http_blank(char byte) { return byte == ' ' || byte == '\t'; }

static struct slice trimmed(struct slice slice) {
        while (slice.size > 0 && is_http_blank(*slice.text)) {
                slice.text++;
                slice.size--;
        }
        while (slice.size > 0 && is_http_blank(slice.text[slice.size - 1]))
                slice.size--;
        return slice;
}

// Digits alone, no sign, no overflow.
static bool parse_digits(struct slice slice, uint64_t *ret) {
        uint64_t number = 0;
        for (size_t i = 0; i < slice.size; i++) {
                if (!isdigit((unsigned char)slice.text[i]) || number > (UINT64_MAX - 9) / 10)
                        return false;
                number = number * 10 + (uint64_t)(slice.text[i] - '0');
        }
        *ret = number;
        return slice.size > 0;
}

// "HTTP/1.1 206 Partial Content"
static bool parse_status_line(struct slice line, int *ret) {
        enum { DIGITS = 3 };
        static const char version[] = "HTTP/1.";
        struct slice protocol;
        uint64_t status;
        if (!cut_at(&line, ' ', &protocol) || protocol.size != strlen(version) + 1)
                return false;
        if (memcmp(protocol.text, version, strlen(version)) != 0 ||
            !isdigit((unsigned char)protocol.text[protocol.size - 1]))
                return false;
        if (line.size < DIGITS || (line.size > DIGITS && line.text[DIGITS] != ' '))
                return false;
        if (!parse_digits((struct slice){ line.text, DIGITS }, &status) || status < 100)
                return false;
        *ret = (int)status;
        return true;
}

// How much of a value a message shows.
static int shown_size(struct slice value) { return (int)size_min(value.size, 40); }

static bool take_length(struct http_response *response, struct slice value, struct err *err) {
        uint64_t length;
        if (!parse_digits(value, &length) || (response->has_length && response->length != length))
                return fail(err, ERR_CORRUPT, 0, "Content-Length is no number, or given twice");
        response->has_length = true;
        response->length = length;
        return true;
}

// "bytes 100-199/200", the total perhaps "*".
static bool parse_range(struct slice value, uint64_t *ret_first, uint64_t *ret_total) {
        struct slice unit, first, last;
        uint64_t last_byte;
        if (!cut_at(&value, ' ', &unit) || !cut_at(&value, '-', &first) || !cut_at(&value, '/', &last))
                return false;
        if (!slice_is(unit, "bytes") || !parse_digits(first, ret_first) || !parse_digits(last, &last_byte))
                return false;
        if (last_byte < *ret_first)
                return false;
        return slice_is(value, "*") || (parse_digits(value, ret_total) && *ret_total > last_byte);
}

static bool take_range(struct http_response *response, struct slice value, struct err *err) {
        if (response->status != 206)
                return true; // of 416 it says the total only
        if (!parse_range(value, &response->first_byte, &response->total))
                return fail(err, ERR_CORRUPT, 0, "Content-Range is malformed");
        response->has_range = true;
        return true;
}

static bool take_coding(struct http_response *response, struct slice value, struct err *err) {
        if (!slice_is(value, "chunked"))
                return fail(err, ERR_CORRUPT, 0, "Transfer-Encoding %.*s is not understood", shown_size(value),
                            value.text);
        response->chunked = true;
        return true;
}

static bool take_encoding(struct http_response *response, struct slice value, struct err *err) {
        (void)response;
        return slice_is(value, "identity") ||
               fail(err, ERR_CORRUPT, 0, "Content-Encoding %.*s was not asked for", shown_size(value), value.text);
}

static bool take_location(struct http_response *response, struct slice value, struct err *err) {
        if (value.size >= sizeof response->location || memchr(value.text, '\0', value.size))
                return fail(err, ERR_CORRUPT, 0, "Location is longer than %d bytes", URL_MAX - 1);
        memcpy(response->location, value.text, value.size);
        response->location[value.size] = '\0';
        return true;
}

// A date needs a clock that is right, which a machine that boots need not have.
static bool take_retry_after(struct http_response *response, struct slice value, struct err *err) {
        enum { DAY_S = 86400 };
        uint64_t seconds;
        (void)err;
        if (parse_digits(value, &seconds))
                response->retry_after_s = (unsigned)(seconds < DAY_S ? seconds : DAY_S);
        return true;
}

static bool take_header(struct http_response *response, struct slice line, struct err *err) {
        static const struct {
                const char *name;
                bool (*take)(struct http_response *response, struct slice value, struct err *err);
        } headers[] = { { "Content-Length", take_length },    { "Content-Range", take_range },
                        { "Transfer-Encoding", take_coding }, { "Content-Encoding", take_encoding },
                        { "Location", take_location },        { "Retry-After", take_retry_after } };
        struct slice name;
        if (!cut_at(&line, ':', &name))
                return fail(err, ERR_CORRUPT, 0, "a line of the response's head has no colon");
        for (size_t i = 0; i < lengthof(headers); i++)
                if (slice_is(name, headers[i].name))
                        return headers[i].take(response, trimmed(line), err);
        return true;
}

static bool read_head_lines(const char **at, const char *end, struct http_response *response, struct err *err) {
        struct slice line;
        if (!next_head_line(at, end, &line))
                return fail(err, ERR_CORRUPT, 0, "the response's head does not end");
        if (!parse_status_line(line, &response->status))
                return fail(err, ERR_CORRUPT, 0, "the server does not speak HTTP");
        for (;;) {
                if (!next_head_line(at, end, &line))
                        return fail(err, ERR_CORRUPT, 0, "the response's head does not end");
                if (line.size == 0)
                        return true;
                if (!take_header(response, line, err))
                        return false;
        }
}

bool http_parse_head(const char *head, size_t size, struct http_response *ret, size_t *ret_size, struct err *err) {
        assert(head && ret && ret_size);
        const char *at = head;
        struct http_response response = { 0 };
        if (!read_head_lines(&at, head + size, &response, err))
                return false;
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
                      { 429, "too many requests" },
                      { 500, "server error" },
                      { 502, "bad gateway" },
                      { 503, "unavailable" },
                      { 504, "gateway timeout" } };
        for (size_t i = 0; i < lengthof(texts); i++)
                if (texts[i].status == status)
                        return texts[i].text;
        return "unexpected";
}
