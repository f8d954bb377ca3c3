// SPDX-License-Identifier: MIT
// kiln show: effective values with their places, variables of templates, rendered files.
#include "profile/effective.h"
#include "verbs/show_files.h"
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

static bool show_it(struct show *show, struct err *err) {
        const struct options *options = show->options;
        const struct shown_machine machine = { show->cluster, show->role, show->node, options->json };
        bool is_path = show->what && show->what[0] == '/';
        if (is_path)
                return show_path(&machine, show->what, err);
        if (options->variables)
                return print_values(show, cluster_node_scope(&show->arena, show->cluster, show->role, show->node), err);
        if (show->role && !show->what)
                return show_templates(&machine, err);
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
