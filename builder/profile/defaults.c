// SPDX-License-Identifier: MIT
#include "profile/defaults.h"

#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "profile/internal.h"
#include "profile/reader/paths.h"
#include "profile/tables.h"

// ---- the table ----

// What the engine of tables writes; what is used is taken from the tree, by the option's name.
struct defaults_file {
        const char *out, *cache, *sign, *remote, *remote_keys, *remote_sign, *remote_token_file;
        int cache_limit;
        const struct value *repo;
        struct place place;
};

// A new key is a row here, named as the option of the command line is, with `_` for `-`.
#define PATH .is_path = true, .pattern = "^.", .pattern_means = "a path"
static const struct schema_field defaults_rows[] = {
        { "out", "folder that builds are published in", &type_text, MEMBER(defaults_file, out), PATH },
        { "cache", "folder of packages, layers and packed roots", &type_text, MEMBER(defaults_file, cache), PATH },
        { "cache_limit", "GB of the cache, over which what the least recent builds used is forgotten; 0: never",
          &type_optional_count, MEMBER(defaults_file, cache_limit), .min = 0, .max = 1000000 },
        { "sign", "ed25519 SSH key that signs builds: private, or public with ssh-agent holding the other half",
          &type_text, MEMBER(defaults_file, sign), PATH },
        { "remote", "a cache that is shared with other machines: https://HOST/PREFIX or s3://BUCKET/PREFIX", &type_text,
          MEMBER(defaults_file, remote), .pattern = "^.", .pattern_means = "a URL" },
        { "remote_keys", "file of the public keys, a line each, whose entries are taken from `remote`", &type_text,
          MEMBER(defaults_file, remote_keys), PATH },
        { "remote_sign", "key that signs what is uploaded to `remote`; without it, it is only read", &type_text,
          MEMBER(defaults_file, remote_sign), PATH },
        { "remote_token_file", "file whose first line is the token that `remote` wants of those who fill it",
          &type_text, MEMBER(defaults_file, remote_token_file), PATH },
        { "repo", "other places of repositories, such as local mirrors: NAME: URL or folder", &type_scalars,
          MEMBER(defaults_file, repo), .pattern = FILE_NAME_PATTERN, .pattern_means = "a repository's name",
          .is_path = true },
};
const struct schema defaults_schema =
    SCHEMA(defaults_file, defaults_rows, "kiln.yaml",
           "kiln.yaml, beside a cluster file: options that commands take as given when the command line has none.");

// ---- reading ----

const char *defaults_option_name(struct arena *arena, const char *key) {
        char *name = arena_strdup(arena, key);
        for (char *at = name; *at; at++)
                if (*at == '_')
                        *at = '-';
        return name;
}

void defaults_each_key(void (*each)(const char *key, void *context), void *context) {
        for (size_t i = 0; i < lengthof(defaults_rows); i++)
                each(defaults_rows[i].key, context);
}

static const struct schema_field *defaults_row(const char *key) {
        for (size_t i = 0; i < lengthof(defaults_rows); i++)
                if (strcmp(defaults_rows[i].key, key) == 0)
                        return &defaults_rows[i];
        return NULL;
}

// As the command line would have it in any directory.
static const char *default_text(struct arena *arena, const struct schema_field *row, const char *path,
                                const char *written) {
        if (!row->is_path || strstr(written, "://"))
                return written;
        return path_absolute(arena, path, written);
}

static void add_default(struct defaults *defaults, struct arena *arena, const char *option, const char *value,
                        const struct place *place) {
        defaults->values = arena_grow(arena, defaults->values, defaults->count, sizeof *defaults->values);
        defaults->values[defaults->count++] = (struct default_value){ option, value, *place, false };
}

// A map is an option that repeats, NAME=VALUE.
static void take_default(struct defaults *defaults, struct arena *arena, const char *key, const struct value *value) {
        const struct schema_field *row = defaults_row(key);
        const char *option = defaults_option_name(arena, key);
        if (value->type == VALUE_SCALAR)
                add_default(defaults, arena, option, default_text(arena, row, defaults->path, value->text),
                            &value->place);
        for (size_t i = 0; value->type == VALUE_MAP && i < value->count; i++) {
                const char *text = default_text(arena, row, defaults->path, value->items[i]->text);
                add_default(defaults, arena, option, arena_printf(arena, "%s=%s", value->keys[i], text),
                            &value->items[i]->place);
        }
}

static void read_defaults(struct loader *loader, struct defaults *defaults) {
        struct defaults_file file = { 0 };
        struct value *tree = loader_read(loader, defaults->path, NULL);
        free(loader->inputs.items);
        if (!tree || !schema_read(&loader->reader, &defaults_schema, tree, &file))
                return;
        defaults->tree = tree;
        for (size_t i = 0; i < tree->count; i++)
                take_default(defaults, loader->arena, tree->keys[i], tree->items[i]);
}

// Nothing keeps anybody from calling a cluster file kiln.yaml.
static bool is_cluster_file_itself(const struct defaults *defaults, const char *cluster_path) {
        return cluster_path && strcmp(defaults->path, cluster_path) == 0;
}

static void pass_default_finding(const struct mistake *mistake, void *context) {
        const struct profile_options *options = context;
        struct profile_finding finding = { mistake->kind, mistake->place, mistake->message, mistake->hint };
        options->finding(&finding, options->context);
}

bool defaults_read(const char *cluster_path, struct arena *arena, const struct profile_options *options,
                   struct defaults *ret, struct err *err) {
        auto_diagnostics diagnostics = { .arena = arena };
        struct loader loader = { arena, &diagnostics, { arena, &diagnostics }, NULL, { 0 } };
        struct defaults defaults = { .path = path_beside(arena, text_or(cluster_path, ""), DEFAULTS_NAME) };
        if (is_cluster_file_itself(&defaults, cluster_path) || !fs_exists(AT_FDCWD, defaults.path)) {
                *ret = (struct defaults){ 0 };
                return true;
        }
        read_defaults(&loader, &defaults);
        if (options && options->finding)
                diagnostics_each(&diagnostics, pass_default_finding, (void *)options);
        if (!diagnostics_finish(&diagnostics, err))
                return false;
        *ret = defaults;
        return true;
}
