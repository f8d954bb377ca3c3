// SPDX-License-Identifier: MIT
// Where a build was made from, beside the build.
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "verify/verify.h"

enum { ORIGIN_MAX_BYTES = 1 << 20 };

static json_t *origin_array(const char *const *texts) {
        json_t *list = json_array();
        for (const char *const *next = texts; next && *next; next++)
                json_array_append_new(list, json_string(*next));
        return list;
}

char *build_origin_format(const struct build_origin *origin) {
        json_t *repositories = origin_array(origin->repositories), *outside = origin_array(origin->allow_outside);
        json_t *object = json_pack("{so ss? ss? ss? so ss?}", "allow_outside", outside, "cache", origin->cache,
                                   "cluster", origin->cluster, "release", origin->release, "repositories", repositories,
                                   "uki_stub", origin->uki_stub);
        auto_free char *text = json_dumps(object, JSON_INDENT(2) | JSON_SORT_KEYS);
        json_decref(object);
        if (!text) // a path that is not UTF-8 is not kept
                return xstrdup("{}\n");
        return xasprintf("%s\n", text);
}

// <out>/<cluster>/.origin-<build id>
static char *origin_path(const char *build) {
        const char *slash = strrchr(build, '/');
        if (!slash)
                return xasprintf(".origin-%s", build);
        return xasprintf("%.*s/.origin-%s", (int)(slash - build), build, slash + 1);
}

static const char *origin_member(struct arena *arena, const json_t *object, const char *key) {
        const char *text = json_string_value(json_object_get(object, key));
        if (!text)
                return NULL;
        return arena_strdup(arena, text);
}

static const char *const *origin_list(struct arena *arena, const json_t *list) {
        const char **texts = arena_alloc(arena, (json_array_size(list) + 1) * sizeof *texts);
        size_t count = 0;
        for (size_t i = 0; i < json_array_size(list); i++) {
                const char *text = json_string_value(json_array_get(list, i));
                if (text)
                        texts[count++] = arena_strdup(arena, text);
        }
        return texts;
}

// It says whose keys are believed, and from which profiles a build is made again: not at the word of another user.
static bool is_own_note(int fd) {
        struct stat stat;
        if (fstat(fd, &stat) < 0)
                return false;
        bool is_own = stat.st_uid == geteuid() || stat.st_uid == 0;
        return is_own && S_ISREG(stat.st_mode) && (stat.st_mode & 022) == 0;
}

bool build_origin_read(const char *build, struct arena *arena, struct build_origin *ret, struct err *err) {
        auto_free char *path = origin_path(build);
        auto_buf text = { .max = ORIGIN_MAX_BYTES };
        json_error_t error;
        auto_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0) // absent, or of a user who keeps it secret
                return true;
        if (!is_own_note(fd)) {
                warning("%s is not believed: another user owns it, or others may write to it", path);
                return true;
        }
        if (!buf_read_fd(&text, fd, err))
                return wrap(err, "%s", path);
        json_t *object = json_loads(buf_text(&text), 0, &error);
        if (!object)
                return fail(err, ERR_CORRUPT, 0, "%s:%d: %s", path, error.line, error.text);
        *ret = (struct build_origin){
                .cluster = origin_member(arena, object, "cluster"),
                .cache = origin_member(arena, object, "cache"),
                .release = origin_member(arena, object, "release"),
                .repositories = origin_list(arena, json_object_get(object, "repositories")),
                .allow_outside = origin_list(arena, json_object_get(object, "allow_outside")),
                .uki_stub = origin_member(arena, object, "uki_stub"),
        };
        json_decref(object);
        return true;
}
