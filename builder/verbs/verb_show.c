// SPDX-License-Identifier: MIT
// kiln show: effective values with their places, variables of templates, rendered files.
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mistake.h"
#include "profile/effective.h"
#include "verbs/show_values.h"
#include "verbs/verb.h"
#include "verbs/verb_common.h"

struct show {
        const struct options *options;
        struct arena arena;
        struct cluster *cluster;
        const struct role *role; // NULL: neither --node nor --role
        const struct node *node;
        const char *what; // the second argument, or NULL
        struct defaults defaults;
};

static bool show_choose_machine(struct show *show, struct err *err) {
        const struct options *options = show->options;
        if (options->node && options->roles.count > 0)
                return fail(err, ERR_USAGE, 0, "--node and --role: one machine is shown at a time");
        if (options->node) {
                if (!cluster_need_node(show->cluster, options->node, &show->node, err))
                        return false;
                show->role = &show->cluster->roles[show->node->role];
        }
        if (options->roles.count > 0) // options_load_cluster() has looked whether there is such a role
                show->role = cluster_find_role(show->cluster, options->roles.items[0]);
        if (options->variables && !show->role)
                return fail(err, ERR_USAGE, 0, "--variables: of which machine? --node NODE or --role ROLE says it");
        return true;
}

// ---- values ----

static bool print_values(struct show *show, const struct value *root, struct err *err) {
        const struct value *value = root;
        if (show->what && !values_find(root, show->what, &value, err))
                return false;
        if (show->options->json)
                values_print_json(value, text_or(show->what, ""));
        else
                values_print(value);
        return true;
}

// ---- files ----

static const struct file *role_file_at(const struct role *role, const char *path) {
        for (size_t i = 0; i < role->file_count; i++)
                if (strcmp(role->files[i].path, path) == 0)
                        return &role->files[i];
        return NULL;
}

static bool refuse_unknown_file(const struct role *role, const char *path, struct err *err) {
        struct nearest nearest = { .wanted = path };
        for (size_t i = 0; i < role->file_count; i++)
                nearest_offer(&nearest, role->files[i].path);
        fail(err, ERR_REFERENCE, 0, "role `%s` writes no file %s", role->name, path);
        if (nearest.best)
                return hint(err, "did you mean %s?", nearest.best);
        return hint(err, "it may be a package's; `kiln show CLUSTER.yaml roles.%s.files` lists those of the role",
                    role->name);
}

static bool show_print_file(struct show *show, const struct file *file, struct err *err) {
        auto_buf text = { 0 };
        if (!cluster_render_file(show->cluster, show->role, show->node, file, &text, err))
                return false;
        (void)fwrite(buf_text(&text), 1, text.size, stdout);
        return true;
}

static bool print_named_file(struct show *show, struct err *err) {
        if (!show->role)
                return fail(err, ERR_USAGE, 0, "%s: of which machine? --node NODE or --role ROLE says it", show->what);
        const struct file *file = role_file_at(show->role, show->what);
        return file ? show_print_file(show, file, err) : refuse_unknown_file(show->role, show->what, err);
}

static void print_file_json(const struct file *file, const struct buf *text) {
        json_t *object = json_pack("{ss ss* ss%}", "path", file->path, "from", file->place.file, "content",
                                   buf_text(text), text->size);
        auto_free char *line = json_dumps(object, JSON_COMPACT);
        printf("%s\n", text_or(line, "{}"));
        json_decref(object);
}

// What a template makes, for every template, with a line before each that says where it is from.
static bool print_templates(struct show *show, struct err *err) {
        for (size_t i = 0; i < show->role->file_count; i++) {
                const struct file *file = &show->role->files[i];
                auto_buf text = { 0 };
                if (!file->is_template)
                        continue;
                if (!cluster_render_file(show->cluster, show->role, show->node, file, &text, err))
                        return false;
                if (show->options->json) {
                        print_file_json(file, &text);
                        continue;
                }
                printf("==> %s <== %s\n", file->path, text_or(file->place.file, ""));
                (void)fwrite(buf_text(&text), 1, text.size, stdout);
                if (text.size > 0 && text.data[text.size - 1] != '\n')
                        putchar('\n');
        }
        return true;
}

static bool show_it(struct show *show, struct err *err) {
        bool is_file = show->what && show->what[0] == '/';
        if (is_file)
                return print_named_file(show, err);
        if (show->options->variables)
                return print_values(show, cluster_node_scope(&show->arena, show->cluster, show->role, show->node), err);
        if (show->role && !show->what)
                return print_templates(show, err);
        struct value *all = cluster_effective(&show->arena, show->cluster);
        if (show->defaults.tree)
                value_set(&show->arena, all, "defaults", (struct value *)show->defaults.tree);
        return print_values(show, all, err);
}

bool verb_show(const struct options *options, struct err *err) {
        struct show show = { .options = options };
        if (options->argument_count > 1)
                show.what = options->arguments[1];
        bool ok = defaults_read(options->arguments[0], &show.arena, NULL, &show.defaults, err) &&
                  options_load_cluster(options, &show.cluster, err);
        if (ok)
                ok = show_choose_machine(&show, err) && show_it(&show, err);
        cluster_free(show.cluster);
        arena_release(&show.arena);
        return ok;
}
