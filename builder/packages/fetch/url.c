// SPDX-License-Identifier: MIT
#include "packages/fetch/url.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"

static bool is_file_url(const char *url) { return strncmp(url, "file://", 7) == 0; }

// Whether a text begins with an escape, as "%41".
static bool is_escape(const char *text) {
        return text[0] == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2]);
}

static bool has_scheme(const char *text) { return strstr(text, "://") != NULL; }

// Escapes what a file name may hold and a URL may not. "%41" is left alone: some repositories publish their locations
// quoted.
static char *quote_location(const char *location) {
        struct buf quoted = { 0 };
        for (; *location; location++) {
                unsigned char byte = (unsigned char)*location;
                bool printable = byte > ' ' && byte < 0x7f;
                bool allowed = is_escape(location) || !strchr("%#\"<>\\^`{|}", byte);
                if (printable && allowed)
                        buf_append_char(&quoted, (char)byte);
                else
                        buf_printf(&quoted, "%%%02X", byte);
        }
        return buf_take(&quoted);
}

// A query of the base URL (a token, say) stays at the end.
char *url_join(const char *base, const char *location) {
        if (has_scheme(location))
                return xstrdup(location);
        size_t end = strcspn(base, "?#");
        const char *query = "";
        if (base[end] == '?')
                query = base + end;
        int length = (int)end;
        while (length > 0 && base[length - 1] == '/')
                length--;
        while (*location == '/')
                location++;
        if (is_file_url(base))
                return xasprintf("%.*s/%s", length, base, location);
        auto_free char *quoted = quote_location(location);
        return xasprintf("%.*s/%s%s", length, base, quoted, query);
}

char *url_for_request(const char *url) {
        struct buf quoted = { 0 };
        const char *host = strstr(url, "://");
        const char *path = url;
        if (host)
                path = host + 3 + strcspn(host + 3, "/?#");
        const char *end = path + strcspn(path, "?#");
        for (const char *at = url; *at; at++) {
                bool is_in_path = at >= path && at < end;
                if (*at == '+' && is_in_path)
                        buf_append_text(&quoted, "%2B");
                else
                        buf_append_char(&quoted, *at);
        }
        return buf_take(&quoted);
}

char *url_shown(const char *url) {
        const char *scheme = strstr(url, "://");
        if (!scheme || is_file_url(url))
                return xstrdup(url);
        const char *host = scheme + 3;
        const char *end = host + strcspn(host, "?");
        const char *query = "";
        if (*end)
                query = "?...";
        int scheme_length = (int)(host - url);
        const char *at = memrchr(host, '@', strcspn(host, "/?#"));
        if (at)
                host = at + 1;
        return xasprintf("%.*s%.*s%s", scheme_length, url, (int)(end - host), host, query);
}

static int hex_digit_value(char digit) {
        if (isdigit((unsigned char)digit))
                return digit - '0';
        return tolower((unsigned char)digit) - 'a' + 10;
}

static void decode_escapes(char *text) {
        char *to = text;
        while (*text) {
                if (is_escape(text)) {
                        *to++ = (char)(hex_digit_value(text[1]) << 4 | hex_digit_value(text[2]));
                        text += 3;
                } else {
                        *to++ = *text++;
                }
        }
        *to = '\0';
}

char *url_local_path(const char *url) {
        if (!is_file_url(url))
                return NULL;
        const char *from = url + strlen("file://");
        if (strncmp(from, "localhost/", 10) == 0)
                from += strlen("localhost");
        char *path = xstrdup(from);
        decode_escapes(path);
        return path;
}

char *url_local_file(const char *base, const char *location) {
        if (has_scheme(location))
                return url_local_path(location);
        auto_free char *dir = url_local_path(base);
        if (!dir)
                return NULL;
        auto_free char *path = xasprintf("%s/%s", dir, location);
        if (access(path, F_OK) == 0 || !strchr(location, '%'))
                return take_ptr(path);
        auto_free char *plain = xstrdup(location); // it is published quoted
        decode_escapes(plain);
        return xasprintf("%s/%s", dir, plain);
}

char *url_from_user(const char *text) {
        if (has_scheme(text))
                return xstrdup(text);
        // Links in the path are not resolved: the cache knows a repository by its URL, which must stay the same also
        // when the links are gone.
        if (*text == '/')
                return fs_file_url(text);
        auto_free char *here = getcwd(NULL, 0);
        while (strncmp(text, "./", 2) == 0)
                text += 2;
        if (!here)
                return fs_file_url(text);
        auto_free char *path = xasprintf("%s/%s", here, text);
        return fs_file_url(path);
}

bool url_location_is_safe(const char *location) {
        if (has_scheme(location))
                return strncmp(location, "http://", 7) == 0 || strncmp(location, "https://", 8) == 0;
        return *location != '/' && fs_path_is_safe(location);
}

const char *url_replacement(const char *const *replacements, const char *repository) {
        size_t length = strlen(repository);
        const char *found = NULL;
        for (const char *const *item = replacements; item && *item; item++)
                if (strncmp(*item, repository, length) == 0 && (*item)[length] == '=')
                        found = *item + length + 1; // the last one wins
        return found;
}
