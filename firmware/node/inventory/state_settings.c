// SPDX-License-Identifier: MIT
#include "firmware/node/inventory/state_settings.h"

#include <string.h>

enum { LABEL_MAX = 16, WAIT_MAX_MS = 3600000, PATHS_MAX = 256 };

static bool unpack_failed(const char *key, const json_error_t *error, struct err *err) {
        return fail(err, ERR_SCHEMA, 0, "\"%s\": %s", key, error->text);
}

// Absolute, and with no part that climbs.
static bool is_plain_path(const char *path) {
        if (path[0] != '/' || !path[1])
                return false;
        for (const char *part = path; part; part = strchr(part + 1, '/')) {
                size_t size = strcspn(part + 1, "/");
                if (size == 0 || (size <= 2 && strncmp(part + 1, "..", size) == 0))
                        return false;
        }
        return true;
}

static bool read_state_path(const json_t *json, struct arena *arena, struct state_path *ret, struct err *err) {
        const char *path, *id_file = "";
        json_int_t mode = 0755, uid = 0, gid = 0;
        json_error_t error;
        if (json_unpack_ex((json_t *)json, &error, 0, "{ss s?I s?I s?I s?s}", "path", &path, "mode", &mode, "uid", &uid,
                           "gid", &gid, "id_file", &id_file) < 0)
                return unpack_failed("state", &error, err);
        if (!is_plain_path(path) || strchr(id_file, '/') || strcmp(id_file, "..") == 0)
                return fail(err, ERR_SCHEMA, 0, "\"state\": `%s` must be an absolute path, `%s` a name in it", path,
                            id_file);
        if (mode < 0 || mode > 07777 || uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
                return fail(err, ERR_SCHEMA, 0, "\"state\": mode or owner of %s", path);
        *ret = (struct state_path){ arena_strdup(arena, path), arena_strdup(arena, id_file), (unsigned)mode,
                                    (unsigned)uid, (unsigned)gid };
        return true;
}

static bool read_state_paths(const json_t *root, struct arena *arena, struct state_settings *ret, struct err *err) {
        const json_t *list = json_object_get(root, "state");
        size_t count = json_array_size(list);
        if ((list && !json_is_array(list)) || count > PATHS_MAX)
                return fail(err, ERR_SCHEMA, 0, "\"state\" must be a list of at most %d", PATHS_MAX);
        ret->paths = arena_alloc(arena, count * sizeof *ret->paths);
        for (ret->path_count = 0; ret->path_count < count; ret->path_count++)
                if (!read_state_path(json_array_get(list, ret->path_count), arena, &ret->paths[ret->path_count], err))
                        return false;
        return true;
}

static bool read_claim(const json_t *json, struct arena *arena, struct state_claim *ret, struct err *err) {
        const char *model = "*", *path = "*";
        json_int_t min = 0, max = 0;
        json_error_t error;
        if (json_unpack_ex((json_t *)json, &error, 0, "{s?I s?I s?s s?s}", "min_bytes", &min, "max_bytes", &max,
                           "model", &model, "path", &path) < 0)
                return unpack_failed("state_disk.claim", &error, err);
        if (min < 0 || max < 0)
                return fail(err, ERR_SCHEMA, 0, "\"state_disk.claim\": sizes must not be negative");
        *ret = (struct state_claim){ true, (uint64_t)min, (uint64_t)max, arena_strdup(arena, model),
                                     arena_strdup(arena, path) };
        return true;
}

static bool read_state_disk(const json_t *json, struct arena *arena, struct state_settings *ret, struct err *err) {
        const char *label, *filesystem = "ext4";
        int required = 0, overlay = 0, root_cache = 0;
        json_int_t timeout_ms = 0;
        json_error_t error;
        if (json_unpack_ex((json_t *)json, &error, 0, "{ss s?b s?b s?b s?I s?s}", "label", &label, "required",
                           &required, "overlay", &overlay, "root_cache", &root_cache, "timeout_ms", &timeout_ms,
                           "filesystem", &filesystem) < 0)
                return unpack_failed("state_disk", &error, err);
        if (!*label || strlen(label) > LABEL_MAX || timeout_ms < 0 || timeout_ms > WAIT_MAX_MS)
                return fail(err, ERR_SCHEMA, 0, "\"state_disk\": label or timeout_ms");
        if (strcmp(filesystem, "ext4") != 0 && strcmp(filesystem, "xfs") != 0)
                return fail(err, ERR_SCHEMA, 0, "\"state_disk\": filesystem `%s`", filesystem);
        ret->wanted = true;
        ret->required = required;
        ret->overlay = overlay;
        ret->root_cache = root_cache;
        ret->timeout_ms = (int)timeout_ms;
        ret->label = arena_strdup(arena, label);
        ret->filesystem = arena_strdup(arena, filesystem);
        const json_t *claim = json_object_get(json, "claim");
        return !claim || read_claim(claim, arena, &ret->claim, err);
}

static bool read_reserve(const json_t *root, struct state_settings *ret, struct err *err) {
        json_int_t memory_mb = 0, cpus = 0;
        json_error_t error;
        if (json_unpack_ex((json_t *)root, &error, 0, "{s?{s?I s?I}}", "reserve", "memory_mb", &memory_mb, "cpus",
                           &cpus) < 0)
                return unpack_failed("reserve", &error, err);
        if (memory_mb < 0 || memory_mb > INT32_MAX || cpus < 0 || cpus > INT32_MAX)
                return fail(err, ERR_SCHEMA, 0, "\"reserve\" must not be negative");
        ret->reserve_memory_mb = (unsigned)memory_mb;
        ret->reserve_cpus = (unsigned)cpus;
        return true;
}

bool state_settings_read(const json_t *root, struct arena *arena, struct state_settings *ret, struct err *err) {
        *ret = (struct state_settings){ .label = "", .filesystem = "" };
        const json_t *disk = json_object_get(root, "state_disk");
        return read_state_paths(root, arena, ret, err) && (!disk || read_state_disk(disk, arena, ret, err)) &&
               read_reserve(root, ret, err);
}
