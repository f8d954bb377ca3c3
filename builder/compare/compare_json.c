// SPDX-License-Identifier: MIT
// JSON: the path of the first key whose value differs. An element of an array that has a "path" or "nevra" is called by
// it, since numbers of elements say nothing to a reader of a manifest.
#include "compare/compare_json.h"

#include <jansson.h>
#include <string.h>

#include "base/mem.h"

enum { DEPTH_MAX = 64, VALUE_MAX = 80 };

static bool load_json(int fd, const char *which, json_t **ret, struct err *err) {
        json_error_t error;
        if (lseek(fd, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, 0, "seek");
        json_t *root = json_loadfd(fd, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
        if (!root)
                return fail(err, ERR_CORRUPT, 0, "the %s file is not JSON: line %d: %s", which, error.line, error.text);
        *ret = root;
        return true;
}

static void append_json_value(struct buf *to, const json_t *value) {
        if (!value) {
                buf_append_text(to, "nothing");
                return;
        }
        auto_free char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
        buf_printf(to, "%.*s", VALUE_MAX, text);
        if (strlen(text) > VALUE_MAX)
                buf_append_text(to, "...");
}

static void note_json_difference(struct buf *to, const struct buf *path, const json_t *expected, const json_t *found) {
        const char *what = buf_text(path);
        if (path->size == 0)
                what = "document";
        buf_printf(to, "%s: ", what);
        append_json_value(to, found);
        buf_append_text(to, ", expected ");
        append_json_value(to, expected);
}

static void find_json_difference(const json_t *expected, const json_t *found, struct buf *path, int depth,
                                 struct buf *to);

static void descend_if_different(const json_t *expected, const json_t *found, struct buf *path, int depth,
                                 struct buf *to) {
        if (to->size == 0 && (!expected || !found || !json_equal(expected, found)))
                find_json_difference(expected, found, path, depth + 1, to);
}

static void find_in_object(json_t *expected, json_t *found, struct buf *path, int depth, struct buf *to) {
        size_t length = path->size;
        const char *key;
        json_t *value;
        json_object_foreach(expected, key, value) {
                buf_printf(path, ".%s", key);
                descend_if_different(value, json_object_get(found, key), path, depth, to);
                path->size = length;
        }
        json_object_foreach(found, key, value) {
                buf_printf(path, ".%s", key);
                if (!json_object_get(expected, key))
                        descend_if_different(NULL, value, path, depth, to);
                path->size = length;
        }
}

static void append_element_name(struct buf *path, size_t index, const json_t *element) {
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
        for (size_t i = 0; to->size == 0; i++) {
                const json_t *left = json_array_get(expected, i), *right = json_array_get(found, i);
                if (!left && !right)
                        return;
                if (left)
                        append_element_name(path, i, left);
                else
                        append_element_name(path, i, right);
                descend_if_different(left, right, path, depth, to);
                path->size = length;
        }
}

static void find_json_difference(const json_t *expected, const json_t *found, struct buf *path, int depth,
                                 struct buf *to) {
        if (depth < DEPTH_MAX && json_is_object(expected) && json_is_object(found))
                find_in_object((json_t *)expected, (json_t *)found, path, depth, to); // the macro wants no const
        else if (depth < DEPTH_MAX && json_is_array(expected) && json_is_array(found))
                find_in_array(expected, found, path, depth, to);
        else
                note_json_difference(to, path, expected, found);
}

bool compare_json(const struct compared *files, struct buf *difference, struct err *err) {
        json_t *expected = NULL, *found = NULL;
        auto_buf path = { 0 };
        bool ok =
            load_json(files->expected, "expected", &expected, err) && load_json(files->found, "published", &found, err);
        if (ok)
                descend_if_different(expected, found, &path, 0, difference);
        json_decref(expected);
        json_decref(found);
        return ok;
}
