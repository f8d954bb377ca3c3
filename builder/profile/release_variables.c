// SPDX-License-Identifier: MIT
// Variables in the URLs of repositories, as dnf.conf(5) has them.
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "profile/profile.h"

// dnf's rpm/__init__.py: the architectures that are not called like the family whose repositories they use.
static const char *base_arch(const char *arch) {
        static const struct {
                const char *arch, *base;
        } families[] = {
                { "i386", "i386" },     { "i486", "i386" },      { "i586", "i386" },      { "i686", "i386" },
                { "athlon", "i386" },   { "geode", "i386" },     { "amd64", "x86_64" },   { "ia32e", "x86_64" },
                { "armv7l", "armhfp" }, { "armv7hl", "armhfp" }, { "armv8hl", "armhfp" }, { "armv7hnl", "armhfp" },
        };
        for (size_t i = 0; i < lengthof(families); i++)
                if (strcmp(families[i].arch, arch) == 0)
                        return families[i].base;
        return arch;
}

// NULL: there is no such variable.
static const char *variable_value(const struct release *release, const char *name, size_t length) {
        const struct {
                const char *name, *value;
        } variables[] = {
                { "arch", release->arch },
                { "basearch", base_arch(release->arch) },
                { "releasever", release->releasever },
        };
        for (size_t i = 0; i < lengthof(variables); i++)
                if (strlen(variables[i].name) == length && strncmp(variables[i].name, name, length) == 0)
                        return variables[i].value;
        return NULL;
}

char *release_expand(const struct release *release, const char *text, char **ret_unknown) {
        assert(release->arch);
        struct buf expanded = { 0 };
        *ret_unknown = NULL;
        while (*text) {
                const char *name = text + 1;
                bool in_braces = *text == '$' && *name == '{';
                if (in_braces)
                        name++;
                size_t length = 0;
                while (isalnum((unsigned char)name[length]) || name[length] == '_')
                        length++;
                bool is_variable = *text == '$' && length > 0 && (!in_braces || name[length] == '}');
                if (!is_variable) {
                        buf_append_char(&expanded, *text++);
                        continue;
                }
                const char *value = variable_value(release, name, length);
                if (value)
                        buf_append_text(&expanded, value);
                else if (!*ret_unknown)
                        *ret_unknown = xstrndup(name, length);
                text = name + length + in_braces;
        }
        return buf_take(&expanded);
}
