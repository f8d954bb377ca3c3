#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "packages/internal.h"

static bool has_scheme(const char *text) { return strstr(text, "://") != NULL; }

char *url_join(const char *base, const char *location) {
        if (has_scheme(location))
                return xstrdup(location);
        size_t length = strlen(base);
        while (length > 0 && base[length - 1] == '/')
                length--;
        while (*location == '/')
                location++;
        return xasprintf("%.*s/%s", (int)length, base, location);
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
