// SPDX-License-Identifier: MIT
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "firmware/node/http/http.h"

// What may stand in a host's name or address.
static bool host_is_valid(const char *host, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (!isalnum((unsigned char)host[i]) && !strchr("-._", host[i]))
                        return false;
        return size > 0 && host[0] != '.' && host[0] != '-';
}

static bool read_url_port(const char *text, size_t size, uint16_t *ret) {
        unsigned port = 0;
        for (size_t i = 0; i < size; i++) {
                if (!isdigit((unsigned char)text[i]) || port > UINT16_MAX)
                        return false;
                port = port * 10 + (unsigned)(text[i] - '0');
        }
        if (size == 0 || port == 0 || port > UINT16_MAX)
                return false;
        *ret = (uint16_t)port;
        return true;
}

// "[fd00::1]" without its brackets; `*ret_size` has them.
static bool read_host6(const char *text, size_t size, struct url *url, size_t *ret_size) {
        struct address address;
        const char *end = memchr(text, ']', size);
        size_t inside = 0;
        if (end)
                inside = (size_t)(end - text) - 1;
        if (inside == 0 || inside >= sizeof url->host)
                return false;
        memcpy(url->host, text + 1, inside);
        url->host[inside] = '\0';
        *ret_size = inside + 2;
        return address6_parse(url->host, &address);
}

static bool read_host(const char *text, size_t size, struct url *url, size_t *ret_size) {
        const char *colon = memchr(text, ':', size);
        *ret_size = size;
        if (colon)
                *ret_size = (size_t)(colon - text);
        if (*ret_size >= sizeof url->host || !host_is_valid(text, *ret_size))
                return false;
        memcpy(url->host, text, *ret_size);
        url->host[*ret_size] = '\0';
        return true;
}

// HOST[:PORT], whose end is given.
static bool read_authority(const char *text, size_t size, struct url *url, const char *whole, struct err *err) {
        size_t host = 0;
        if (memchr(text, '@', size))
                return fail(err, ERR_USAGE, 0, "%s: a name and password in a URL are not understood", whole);
        if (text[0] == '[' && !read_host6(text, size, url, &host))
                return fail(err, ERR_USAGE, 0, "%s: between the brackets there is no IPv6 address, without a zone",
                            whole);
        if (text[0] != '[' && !read_host(text, size, url, &host))
                return fail(err, ERR_USAGE, 0, "%s: there is no host in it", whole);
        url->port = 80;
        if (host == size)
                return true;
        if (text[host] != ':' || !read_url_port(text + host + 1, size - host - 1, &url->port))
                return fail(err, ERR_USAGE, 0, "%s: the port is not a number from 1 to 65535", whole);
        return true;
}

static bool read_url_path(const char *text, struct url *url, const char *whole, struct err *err) {
        size_t size = strcspn(text, "#");
        if (size + 2 > sizeof url->path)
                return fail(err, ERR_USAGE, 0, "a URL longer than %zu bytes", sizeof url->path - 2);
        for (size_t i = 0; i < size; i++)
                if (text[i] <= ' ' || text[i] > '~')
                        return fail(err, ERR_USAGE, 0, "%s: blanks and characters beyond ASCII need %%-codes", whole);
        if (text[0] == '/')
                snprintf(url->path, sizeof url->path, "%.*s", (int)size, text);
        else
                snprintf(url->path, sizeof url->path, "/%.*s", (int)size, text);
        return true;
}

bool url_parse(const char *text, struct url *ret, struct err *err) {
        static const char scheme[] = "http://";
        struct url url;
        if (strncasecmp(text, "https://", 8) == 0)
                return fail(err, ERR_USAGE, 0, "%s: nodes speak no TLS before their system runs: give an http:// URL",
                            text);
        if (strncasecmp(text, scheme, sizeof scheme - 1) != 0)
                return fail(err, ERR_USAGE, 0, "%s: not an http:// URL", text);
        const char *authority = text + sizeof scheme - 1;
        size_t size = strcspn(authority, "/?#");
        if (!read_authority(authority, size, &url, text, err) || !read_url_path(authority + size, &url, text, err))
                return false;
        *ret = url;
        return true;
}

void url_format_authority(const struct url *url, struct buf *ret) {
        if (strchr(url->host, ':'))
                buf_printf(ret, "[%s]", url->host);
        else
                buf_append_text(ret, url->host);
        if (url->port != 80)
                buf_printf(ret, ":%u", url->port);
}

void url_format(const struct url *url, struct buf *ret) {
        buf_append_text(ret, "http://");
        url_format_authority(url, ret);
        buf_append_text(ret, url->path);
}

// RFC 3986, section 5.2.4, in place; the query stays as it is.
static void remove_dot_segments(char *path) {
        const char *at = path, *end = path + strcspn(path, "?");
        char *to = path;
        while (at < end) { // at the "/" before a segment
                size_t size = 1 + strcspn(at + 1, "/?");
                bool is_dot = size == 2 && at[1] == '.', is_up = size == 3 && memcmp(at, "/..", 3) == 0;
                bool is_last = at + size == end;
                if (!is_dot && !is_up) {
                        memmove(to, at, size);
                        to += size;
                }
                while (is_up && to > path && *--to != '/')
                        ;
                if ((is_dot || is_up) && is_last)
                        *to++ = '/';
                at += size;
        }
        memmove(to, end, strlen(end) + 1);
}

static bool resolve_location(const struct url *from, const char *location, struct url *ret, struct err *err) {
        auto_buf whole = { .max = 4 * URL_MAX };
        struct url base = *from;
        size_t scheme = strcspn(location, ":/?#");
        if (location[scheme] == ':')
                return url_parse(location, ret, err);
        if (strncmp(location, "//", 2) == 0) {
                buf_printf(&whole, "http:%s", location);
                return url_parse(buf_text(&whole), ret, err);
        }
        base.path[0] = '\0';
        url_format(&base, &whole);
        size_t query = strcspn(from->path, "?");
        const char *slash = memrchr(from->path, '/', query); // there is one: a path begins with it
        if (location[0] == '?')
                buf_append(&whole, from->path, query);
        else if (location[0] != '/')
                buf_append(&whole, from->path, (size_t)(slash - from->path) + 1);
        buf_append_text(&whole, location);
        return url_parse(buf_text(&whole), ret, err);
}

bool url_follow(const struct url *from, const char *location, struct url *ret, struct err *err) {
        assert(from->path[0] == '/');
        if (!resolve_location(from, location, ret, err))
                return false;
        remove_dot_segments(ret->path);
        return true;
}
