// SPDX-License-Identifier: MIT
#include "packages/fetch/url.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "packages/packages.h"

static bool has_scheme(const char *text) { return strstr(text, "://") != NULL; }

// What a file name may hold and a URL may not. "%41" is left alone: some repositories publish their locations quoted.
static char *quote(const char *location) {
        struct buf quoted = { 0 };
        for (; *location; location++) {
                unsigned char byte = (unsigned char)*location;
                bool escape =
                    byte == '%' && isxdigit((unsigned char)location[1]) && isxdigit((unsigned char)location[2]);
                if (byte > ' ' && byte < 0x7f && (escape || !strchr("%#\"<>\\^`{|}", byte)))
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
        size_t length = strcspn(base, "?#");
        const char *query = base[length] == '?' ? base + length : "";
        while (length > 0 && base[length - 1] == '/')
                length--;
        while (*location == '/')
                location++;
        bool local = strncmp(base, "file://", 7) == 0;
        auto_free char *quoted = local ? xstrdup(location) : quote(location);
        return xasprintf("%.*s/%s%s", (int)length, base, quoted ? quoted : "", local ? "" : query);
}

char *url_shown(const char *url) {
        const char *scheme = strstr(url, "://");
        if (!scheme || strncmp(url, "file://", 7) == 0)
                return xstrdup(url);
        const char *host = scheme + 3;
        size_t length = strcspn(host, "/?#");
        const char *at = memrchr(host, '@', length);
        size_t end = strcspn(host, "?");
        const char *from = at ? at + 1 : host;
        return xasprintf("%.*s%.*s%s", (int)(host - url), url, (int)(host + end - from), from, host[end] ? "?..." : "");
}

static int hex_value(char digit) {
        return isdigit((unsigned char)digit) ? digit - '0' : tolower((unsigned char)digit) - 'a' + 10;
}

char *url_local_path(const char *url) {
        if (strncmp(url, "file://", 7) != 0)
                return NULL;
        const char *from = url + 7;
        if (strncmp(from, "localhost/", 10) == 0)
                from += 9;
        char *path = xstrdup(from);
        char *to = path;
        for (; *from; from++) {
                bool escaped = from[0] == '%' && isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2]);
                *to++ = escaped ? (char)(hex_value(from[1]) << 4 | hex_value(from[2])) : *from;
                from += escaped ? 2 : 0;
        }
        *to = '\0';
        return path;
}

char *url_local_file(const char *base, const char *location) {
        auto_free char *url = has_scheme(location) ? xstrdup(location) : NULL;
        if (url)
                return url_local_path(url);
        auto_free char *dir = url_local_path(base);
        if (!dir)
                return NULL;
        auto_free char *path = xasprintf("%s/%s", dir, location);
        if (access(path, F_OK) == 0 || !strchr(location, '%'))
                return take_ptr(path);
        auto_free char *quoted = xasprintf("file://%s", location); // a location that is published quoted
        auto_free char *plain = url_local_path(quoted);
        return xasprintf("%s/%s", dir, plain);
}

char *url_from_user(const char *text) {
        if (has_scheme(text))
                return xstrdup(text);
        // By its name, not by where links lead: the cache knows a repository by its URL, also when it is gone.
        auto_free char *here = *text == '/' ? NULL : getcwd(NULL, 0);
        while (strncmp(text, "./", 2) == 0)
                text += 2;
        auto_free char *path = xasprintf("%s%s%s", here ? here : "", here ? "/" : "", text);
        return fs_file_url(path);
}

bool url_location_is_safe(const char *location) {
        if (has_scheme(location))
                return strncmp(location, "http://", 7) == 0 || strncmp(location, "https://", 8) == 0;
        return *location != '/' && fs_path_is_safe(location);
}

const char *url_replacement(const struct packages_options *options, const char *repository) {
        size_t length = strlen(repository);
        const char *found = NULL;
        for (const char *const *item = options->replace; item && *item; item++)
                if (strncmp(*item, repository, length) == 0 && (*item)[length] == '=')
                        found = *item + length + 1; // the last one wins
        return found;
}
