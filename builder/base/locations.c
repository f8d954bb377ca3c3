// SPDX-License-Identifier: MIT
#include "base/locations.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"

static const struct {
        const char *firmware, *kiln_node, *examples; // relative to the program's directory
} layouts[] = {
        { "../firmware", "kiln-node", ".." },                              // source tree: build/kiln
        { "../../firmware", "kiln-node", "../.." },                        // source tree: build/sanitize/kiln
        { "../share/kiln", "../libexec/kiln/kiln-node", "../share/kiln" }, // installed
};

// Messages name files below it, so it is shown without "..".
static const char *plain_path(struct arena *arena, const char *path) {
        char real[PATH_MAX];
        if (!realpath(path, real))
                return path;
        return arena_strdup(arena, real);
}

bool locations_find(struct arena *arena, struct locations *ret, struct err *err) {
        char program[PATH_MAX];
        ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
        if (length < 0)
                return fail(err, ERR_SYSTEM, errno, "read /proc/self/exe");
        program[length] = '\0';
        *strrchr(program, '/') = '\0';
        for (size_t i = 0; i < lengthof(layouts); i++) {
                const char *firmware = arena_printf(arena, "%s/%s", program, layouts[i].firmware);
                const char *kiln_node = arena_printf(arena, "%s/%s", program, layouts[i].kiln_node);
                const char *init = arena_printf(arena, "%s/initramfs/init", firmware);
                if (!fs_exists(AT_FDCWD, init) || !fs_exists(AT_FDCWD, kiln_node))
                        continue;
                *ret = (struct locations){
                        .firmware = firmware,
                        .initramfs = arena_printf(arena, "%s/initramfs", firmware),
                        .bootloader = arena_printf(arena, "%s/bootloader", firmware),
                        .kiln_node = kiln_node,
                        .examples = plain_path(arena, arena_printf(arena, "%s/%s", program, layouts[i].examples)),
                };
                return true;
        }
        fail(err, ERR_SYSTEM, 0, "kiln's own files (firmware, kiln-node) are not beside %s", program);
        return hint(err, "run `make` in the source tree, or `make install`");
}

char *locations_absolute(struct arena *arena, const char *path) {
        if (*path == '/')
                return arena_strdup(arena, path);
        char here[PATH_MAX];
        if (!getcwd(here, sizeof here))
                return arena_strdup(arena, path);
        return arena_printf(arena, "%s/%s", here, path);
}

const char *locations_default_cache(struct arena *arena) {
        const char *cache = getenv("XDG_CACHE_HOME");
        if (cache && *cache == '/')
                return arena_printf(arena, "%s/kiln", cache);
        const char *home = getenv("HOME");
        if (home && *home == '/')
                return arena_printf(arena, "%s/.cache/kiln", home);
        const struct passwd *user = getpwuid(getuid());
        if (user)
                return arena_printf(arena, "%s/.cache/kiln", user->pw_dir);
        return "/root/.cache/kiln";
}
