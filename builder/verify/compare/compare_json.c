// SPDX-License-Identifier: MIT
// JSON: the path of the first key whose value differs. An element of an array that has a "path" or "nevra" is called by
// it, since numbers of elements say nothing to a reader of a manifest.
#include <jansson.h>
#include <string.h>

#include "base/mem.h"
#include "verify/compare/internal.h"

enum { DEPTH_MAX = 64, VALUE_MAX = 80 };

static bool load(int fd, const char *which, json_t **ret, struct err *err) {
        json_error_t error;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, 0, "seek");
        json_t *root = json_loadfd(fd, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
        if (!root)
                return fail(err, ERR_CORRUPT, 0, "the %s file is not JSON: line %d: %s", which, error.line, error.text);
        *ret = root;
        return true;
}

static void append_value(struct buf *to, const json_t *value) {
        auto_free char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS) : NULL;
        if (!text)
                buf_append_text(to, "nothing");
        else
                buf_printf(to, "%.*s%s", VALUE_MAX, text, strlen(text) > VALUE_MAX ? "..." : "");
}

static void note(struct buf *to, const struct buf *path, const json_t *expected, const json_t *found) {
        buf_printf(to, "%s: ", path->size ? buf_text(path) : "document");
        append_value(to, found);
        buf_append_text(to, ", expected ");
        append_value(to, expected);
}

static void find(const json_t *expected, const json_t *found, struct buf *path, int depth, struct buf *to);

static void step(const json_t *expected, const json_t *found, struct buf *path, int depth, struct buf *to) {
        if (to->size == 0 && (!expected || !found || !json_equal(expected, found)))
                find(expected, found, path, depth + 1, to);
}

static void find_in_object(json_t *expected, json_t *found, struct buf *path, int depth, struct buf *to) {
        size_t length = path->size;
        const char *key;
        json_t *value;
        json_object_foreach(expected, key, value) {
                buf_printf(path, ".%s", key);
                step(value, json_object_get(found, key), path, depth, to);
                path->size = length;
        }
        json_object_foreach(found, key, value) {
                buf_printf(path, ".%s", key);
                if (!json_object_get(expected, key))
                        step(NULL, value, path, depth, to);
                path->size = length;
        }
}

static void append_index(struct buf *path, size_t index, const json_t *element) {
        const char *name = json_string_value(json_object_get(element, "path"));
        if (!name)
                name = json_string_value(json_object_get(element, "nevra"));
        if (name)
                buf_printf(path, "[%s]", name);
        else
                buf_printf(path, "[%zu]", index);
}

static void find_in_array(const json_t *expected, const json_t *found, struct buf *path, int depth, struct buf *to) {
        size_t length = path->size;
        size_t most =
            json_array_size(expected) > json_array_size(found) ? json_array_size(expected) : json_array_size(found);
        for (size_t i = 0; i < most && to->size == 0; i++) {
                const json_t *left = json_array_get(expected, i), *right = json_array_get(found, i);
                append_index(path, i, left ? left : right);
                step(left, right, path, depth, to);
                path->size = length;
        }
}

static void find(const json_t *expected, const json_t *found, struct buf *path, int depth, struct buf *to) {
        if (depth < DEPTH_MAX && json_is_object(expected) && json_is_object(found))
                find_in_object((json_t *)expected, (json_t *)found, path, depth, to); // the macro wants no const
        else if (depth < DEPTH_MAX && json_is_array(expected) && json_is_array(found))
                find_in_array(expected, found, path, depth, to);
        else
                note(to, path, expected, found);
}

bool compare_json(const struct compared *files, struct buf *difference, struct err *err) {
        json_t *expected = NULL, *found = NULL;
        auto_buf path = { 0 };
        bool ok = load(files->expected, "expected", &expected, err) && load(files->found, "published", &found, err);
        if (ok)
                step(expected, found, &path, 0, difference);
        json_decref(expected);
        json_decref(found);
        return ok;
}
