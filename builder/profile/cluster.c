// SPDX-License-Identifier: MIT
// Reading a cluster file and all that it names.
#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "base/mistake.h"
#include "profile/checks/checks.h"
#include "profile/internal.h"
#include "profile/reader/names.h"
#include "profile/reader/paths.h"
#include "profile/reader/yaml.h"

// ---- the release ----

static bool is_file_name(const char *name) {
        size_t size = strlen(name);
        return strchr(name, '/') || (size > 5 && strcmp(name + size - 5, ".yaml") == 0);
}

// --release is seen from the working directory, the file's own from the file.
static const char *release_path(struct loader *loader, const char *cluster_path, const struct cluster_file *file,
                                const char *override) {
        const char *name = text_or(override, file->release);
        if (!is_file_name(name)) {
                const char *base = arena_printf(loader->arena, "%s.yaml", name);
                return profile_folder_path(loader, &file->folders.releases, base);
        }
        if (override)
                return name;
        return path_beside(loader->arena, cluster_path, name);
}

// What is missing, or no text, was reported with the other keys of the file.
static void refuse_empty_release(struct loader *loader, const struct cluster_file *file, const char *override,
                                 const struct place *from) {
        const struct value *written = schema_given(file->tree, "release");
        if (!override && (!written || written->type != VALUE_SCALAR))
                return;
        struct strings known = profile_folder_names(loader, &file->folders.releases, ".yaml");
        report(loader->diagnostics, ERR_SCHEMA, from, "the release's name is empty");
        report_known(loader->diagnostics, "", &known);
}

static bool read_release(struct loader *loader, const struct cluster_file *file, const char *override,
                         struct cluster *cluster) {
        static const struct place option = { "--release", 0, 0 };
        const char *name = text_or(override, file->release);
        const struct place *from = &option;
        if (!override)
                from = schema_place(file->tree, "release");
        if (!name || !name[0]) {
                refuse_empty_release(loader, file, override, from);
                return false;
        }
        const char *path = release_path(loader, cluster->path, file, override);
        const char *real = NULL;
        enum found found = loader_find_file(loader, path, from, &real);
        if (found == FOUND)
                return release_read(loader, path, from, &cluster->release);
        if (found == FOUND_REFUSED)
                return false;
        struct strings known = profile_folder_names(loader, &file->folders.releases, ".yaml");
        report(loader->diagnostics, ERR_REFERENCE, from, "unknown release `%s`: there is no %s", name, path);
        report_known(loader->diagnostics, name, &known);
        return false;
}

// ---- roles ----

struct wanted_role {
        const char *name;
        const struct place *place; // of what asks for it
};

static struct wanted_role *list_roles(const struct cluster_file *file, size_t *ret_count) {
        struct wanted_role *wanted = NULL;
        size_t count = 0;
        const struct value *nodes = value_get(file->tree, "nodes"), *vips = value_get(file->tree, "vips");
        const struct value *names = value_get(file->tree, "roles");
        for (size_t i = 0; i < file->node_count; i++)
                *array_append(&wanted, &count) =
                    (struct wanted_role){ file->nodes[i].role, schema_place(nodes->items[i], "role") };
        for (size_t i = 0; i < file->roles.count; i++) {
                const struct value *item = names; // a single name that is no list
                if (i < names->count)
                        item = names->items[i];
                *array_append(&wanted, &count) = (struct wanted_role){ file->roles.items[i], &item->place };
        }
        for (size_t i = 0; i < file->vip_count; i++)
                *array_append(&wanted, &count) =
                    (struct wanted_role){ file->vips[i].role, schema_place(vips->items[i], "role") };
        *ret_count = count;
        return wanted;
}

// The number of roles if there is no such role.
static size_t role_index(const struct cluster *cluster, const char *name) {
        size_t index = 0;
        while (index < cluster->role_count && strcmp(cluster->roles[index].name, name) != 0)
                index++;
        return index;
}

// What says that it is no ensemble has no vote in one that it inherits.
static void leave_ensembles(struct cluster *cluster) {
        assert(cluster->roles);
        for (size_t i = 0; i < cluster->role_count; i++)
                for (size_t j = 0; j < cluster->role_count; j++)
                        if (cluster->roles[j].ensemble && !cluster->roles[i].ensemble)
                                strings_remove(&cluster->roles[i].ancestors, cluster->roles[j].name);
}

static void read_roles_of_cluster(struct loader *loader, const struct cluster_file *file, struct cluster *cluster) {
        size_t count;
        auto_free struct wanted_role *wanted = list_roles(file, &count);
        struct role_library library = { .folders = &file->folders,
                                        .fragments = &file->inherits,
                                        .fragment_list = value_get(file->tree, "inherits") };
        cluster->roles = arena_alloc(loader->arena, (count + 1) * sizeof *cluster->roles);
        for (size_t i = 0; i < count; i++) {
                if (!wanted[i].name || !wanted[i].name[0] || cluster_find_role(cluster, wanted[i].name))
                        continue;
                check_role_name(loader, wanted[i].name, wanted[i].place);
                struct role_file *role = role_file_get(loader, &library, wanted[i].name, wanted[i].place);
                if (role)
                        role_join(loader, &library, &cluster->release, role, &cluster->roles[cluster->role_count++]);
        }
        free(library.files);
        leave_ensembles(cluster);
}

static void select_roles(struct loader *loader, const struct strings *names, struct cluster *cluster) {
        struct strings known = { 0 };
        for (size_t i = 0; i < cluster->role_count; i++) {
                cluster->roles[i].selected = names->count == 0 || strings_have(names, cluster->roles[i].name);
                strings_add_once(loader->arena, &known, cluster->roles[i].name);
        }
        for (size_t i = 0; i < names->count; i++) {
                if (strings_have(&known, names->items[i]))
                        continue;
                report(loader->diagnostics, ERR_REFERENCE, &(struct place){ "--role", 0, 0 },
                       "the cluster has no role `%s`", names->items[i]);
                report_known(loader->diagnostics, names->items[i], &known);
        }
}

// ---- joining ----

static size_t network_index(const struct cluster *cluster, struct in_addr address) {
        for (size_t i = 0; i < cluster->network_count; i++)
                if (network_holds(&cluster->networks[i], address))
                        return i;
        return 0; // none: the checks report it
}

static void join_variables(struct loader *loader, const struct cluster_file *file, struct cluster *cluster) {
        const struct value *empty = value_map(loader->arena);
        for (size_t i = 0; i < cluster->role_count; i++) {
                struct role *role = &cluster->roles[i];
                role->variables = variables_merge(loader->arena, role->variables, file->node_variables);
                if (!role->variables)
                        role->variables = empty;
        }
        for (size_t i = 0; i < cluster->node_count; i++) {
                struct node *node = &cluster->nodes[i];
                const struct value *general = file->node_variables;
                if (node->role < cluster->role_count) // an unknown one is reported
                        general = cluster->roles[node->role].variables;
                node->variables = variables_merge(loader->arena, general, node->variables);
                if (!node->variables)
                        node->variables = empty;
        }
}

// By its address, else by its name. None: the number of networks.
static size_t network_of_link(const struct cluster *cluster, const struct node_link *link) {
        size_t index = 0;
        const char *name = text_or(link->network_name, "");
        if (link->ip.s_addr)
                return network_index(cluster, link->ip);
        while (index < cluster->network_count && strcmp(cluster->networks[index].name, name) != 0)
                index++;
        return index;
}

static void join_links(const struct cluster *cluster, struct node *node) {
        for (size_t i = 0; i < node->link_count; i++) {
                struct node_link *link = &node->links[i];
                if (!link->has_mac && link->bond.members.count > 0)
                        link->has_mac = mac_read(link->bond.members.items[0], link->mac);
                link->network = network_of_link(cluster, link);
        }
}

static void join_nodes_to_roles(struct loader *loader, const struct cluster_file *file, struct cluster *cluster) {
        cluster->node_count = file->node_count;
        cluster->nodes = arena_alloc(loader->arena, (file->node_count + 1) * sizeof *cluster->nodes);
        for (size_t i = 0; i < file->node_count; i++) {
                struct node *node = &cluster->nodes[i];
                *node = file->nodes[i].node;
                if (!node->has_mac && node->bond.members.count > 0) // what it boots from may be any of them
                        node->has_mac = mac_read(node->bond.members.items[0], node->mac);
                node->network = network_index(cluster, node->ip);
                join_links(cluster, node);
                node->role = role_index(cluster, text_or(file->nodes[i].role, ""));
        }
        join_variables(loader, file, cluster);
        for (size_t i = 0; i < cluster->role_count; i++) {
                struct role *role = &cluster->roles[i];
                role->nodes = arena_alloc(loader->arena, (file->node_count + 1) * sizeof *role->nodes);
                for (size_t j = 0; j < cluster->node_count; j++)
                        if (cluster->nodes[j].role == i) {
                                cluster->nodes[j].index = role->node_count;
                                role->nodes[role->node_count++] = j;
                        }
        }
}

static void join_trusted_keys(struct loader *loader, const struct cluster_file *file, struct cluster *cluster) {
        const struct strings *lines = &file->trusted_keys;
        cluster->trusted_keys = arena_alloc(loader->arena, (lines->count + 1) * sizeof *cluster->trusted_keys);
        for (size_t i = 0; i < lines->count; i++) {
                auto_err reported = { 0 }; // by check_trust()
                if (ssh_key_parse(lines->items[i], &cluster->trusted_keys[cluster->trusted_key_count], &reported))
                        cluster->trusted_key_count++;
        }
        cluster->minimum_serial = (uint64_t)file->minimum_serial;
        cluster->secure_boot = (enum secure_boot_chain)file->secure_boot;
        cluster->iso = (enum iso_delivery)file->iso;
}

static void join_cluster(struct loader *loader, const struct cluster_file *file, const struct profile_options *options,
                         struct cluster *cluster) {
        cluster->place = file->place;
        cluster->tree = file->tree;
        cluster->name = file->name;
        cluster->report_url = file->report_url;
        cluster->status_port = file->status_port;
        cluster->http_base = file->http_base;
        cluster->mirrors = file->mirrors;
        cluster->dhcp = file->dhcp;
        join_trusted_keys(loader, file, cluster);
        cluster->admin_networks = file->admin_networks;
        cluster->secrets = file->secrets;
        cluster->boot_menu_password = file->boot_menu_password;
        cluster->variables = file->variables;
        if (!cluster->variables)
                cluster->variables = value_map(loader->arena);
        cluster->networks = file->networks;
        cluster->network_count = file->network_count;
        for (size_t i = 0; i < cluster->network_count; i++) {
                struct in6_addr subnet;
                if (cluster->networks[i].subnet6)
                        (void)ipv6_subnet_read(cluster->networks[i].subnet6, &subnet, &cluster->networks[i].prefix6);
        }
        cluster->vips = file->vips;
        cluster->vip_count = file->vip_count;
        for (size_t i = 0; i < cluster->vip_count; i++)
                cluster->vips[i].network = network_index(cluster, cluster->vips[i].ip);
        read_roles_of_cluster(loader, file, cluster);
        check_state_disk(loader, file->tree, &file->state_disk);
        for (size_t i = 0; i < cluster->role_count; i++)
                if (!cluster->roles[i].state_disk.wanted)
                        state_disk_join(file->tree, &file->state_disk, &cluster->roles[i].state_disk);
        select_roles(loader, &options->roles, cluster);
        join_nodes_to_roles(loader, file, cluster);
}

static size_t count_keys(const struct value *tree, const struct schema *schema) {
        size_t count = 0;
        for (size_t i = 0; i < schema->field_count; i++)
                count += value_get(tree, schema->fields[i].key) != NULL;
        return count;
}

// One thing is wrong then, and not each key.
static bool refuse_other_profile(struct loader *loader, const struct value *tree) {
        static const char *const kinds[] = { "role", "release" };
        bool is_cluster = tree->type != VALUE_MAP || value_get(tree, "cluster") || value_get(tree, "nodes");
        size_t role = count_keys(tree, &role_schema), release = count_keys(tree, &release_schema), kind = 0;
        if (release > role)
                kind = 1;
        bool is_other = size_max(role, release) >= 2 && size_max(role, release) > count_keys(tree, &cluster_schema);
        if (is_cluster || !is_other)
                return false;
        report(loader->diagnostics, ERR_SCHEMA, &tree->place, "this is a %s file, not a cluster file", kinds[kind]);
        report_hint(loader->diagnostics, "a cluster file names it: `%s:`; `kiln init DIR` writes a first one",
                    kinds[kind]);
        return true;
}

static bool read_cluster_file(struct loader *loader, const char *path, const struct profile_options *options,
                              struct cluster_file *file) {
        struct value *tree = NULL;
        if (options->text)
                tree = yaml_parse(path, options->text, strlen(options->text), loader->arena, loader->diagnostics);
        else
                tree = loader_read(loader, path, NULL);
        for (size_t i = 0; tree && i < options->set.count; i++)
                override_apply(loader, tree, options->set.items[i]);
        if (!tree || refuse_other_profile(loader, tree))
                return false;
        file->tree = tree;
        if (options->release && tree->type == VALUE_MAP && !value_get(tree, "release"))
                value_set(loader->arena, tree, "release", value_scalar(loader->arena, options->release));
        if (tree->type == VALUE_MAP)
                check_secret_values(loader, tree);
        schema_read(&loader->reader, &cluster_schema, tree, file);
        if (tree->type != VALUE_MAP)
                return false;
        return profile_folders_read(loader, path, file);
}

static void keep_inputs(struct loader *loader, struct cluster *cluster) {
        struct strings *inputs = &loader->inputs;
        strings_sort(inputs);
        cluster->inputs.items = arena_alloc(loader->arena, (inputs->count + 1) * sizeof(char *));
        for (size_t i = 0; i < inputs->count; i++)
                if (i == 0 || strcmp(inputs->items[i], inputs->items[i - 1]) != 0)
                        cluster->inputs.items[cluster->inputs.count++] = inputs->items[i];
}

// A variable may be missing only because the file that gives it could not be read. What is wrong with names, addresses
// and numbers of nodes hides no variable.
static bool may_try_templates(const struct diagnostics *diagnostics, const struct cluster *cluster) {
        if (cluster->vip_count > 0 && cluster->network_count == 0)
                return false; // networks.NAME and vips.NAME.prefix would be nobody's
        for (size_t i = 0; i < diagnostics->mistake_count; i++) {
                enum err_kind kind = diagnostics->mistakes[i].kind;
                if (kind != ERR_DUPLICATE && kind != ERR_CLUSTER)
                        return false;
        }
        return true;
}

static struct profile_finding finding_of_mistake(const struct mistake *mistake) {
        return (struct profile_finding){ mistake->kind, mistake->place, mistake->message, mistake->hint };
}

struct profile_finding profile_finding_of(struct arena *arena, const struct err *err) {
        const struct mistake whole = { .kind = err->kind, .message = err->text, .hint = err->hint };
        const struct mistake apart = mistake_take_apart(arena, &whole);
        return finding_of_mistake(&apart);
}

static void pass_finding(const struct mistake *mistake, void *context) {
        const struct profile_options *options = context;
        struct profile_finding finding = finding_of_mistake(mistake);
        options->finding(&finding, options->context);
}

static void read_cluster(struct loader *loader, const struct profile_options *options, struct cluster *cluster) {
        struct cluster_file file = { 0 };
        if (!read_cluster_file(loader, cluster->path, options, &file))
                return;
        check_inventory_names(loader, &file);
        check_networks(loader, &file);
        check_links(loader, &file);
        check_ipv6(loader, &file);
        check_hardware(loader, &file);
        check_bmc(loader, &file);
        check_trust(loader, &file);
        check_secret_names(loader, &file);
        check_secret_places(loader, file.tree, false);
        struct value *empty = value_map(loader->arena);
        cluster->release.package_names = empty;
        cluster->release.service_names = empty;
        cluster->release.variables = empty;
        bool has_release = read_release(loader, &file, options->release, cluster);
        join_cluster(loader, &file, options, cluster);
        check_cluster(loader, &file, cluster);
        check_installer(loader, cluster);
        check_known_passwords(loader, cluster);
        if (!has_release || !may_try_templates(loader->diagnostics, cluster))
                return;
        scope_prepare(cluster);
        templates_try(loader, cluster);
}

bool cluster_load(const char *path, const struct profile_options *options, struct cluster **ret, struct err *err) {
        static const struct profile_options none;
        struct cluster *cluster = xcalloc(1, sizeof *cluster);
        auto_diagnostics diagnostics = { .arena = &cluster->arena };
        struct profile_tree tree;
        struct loader loader = { &cluster->arena, &diagnostics, { &cluster->arena, &diagnostics }, &tree, { 0 } };
        if (!options)
                options = &none;
        if (!profile_tree_open(loader.arena, path, &options->allow_outside, &tree, err)) {
                cluster_free(cluster);
                return false;
        }
        if (options->release && is_file_name(options->release))
                profile_tree_allow_file(&tree, loader.arena, options->release);
        cluster->path = arena_strdup(loader.arena, path);
        read_cluster(&loader, options, cluster);
        keep_inputs(&loader, cluster);
        free(loader.inputs.items);
        for (size_t i = 0; i < options->set.count; i++)
                strings_add_once(loader.arena, &cluster->set, arena_strdup(loader.arena, options->set.items[i]));
        cluster->warnings = diagnostics_warnings(&diagnostics);
        if (options->finding)
                diagnostics_each(&diagnostics, pass_finding, (void *)options);
        if (!diagnostics_finish(&diagnostics, err)) {
                cluster_free(cluster);
                return false;
        }
        *ret = cluster;
        return true;
}

void cluster_free(struct cluster *cluster) {
        if (!cluster)
                return;
        arena_release(&cluster->arena);
        free(cluster);
}

const struct role *cluster_find_role(const struct cluster *cluster, const char *name) {
        size_t index = role_index(cluster, name);
        if (index == cluster->role_count)
                return NULL;
        return &cluster->roles[index];
}

const struct node *cluster_find_node(const struct cluster *cluster, const char *name) {
        for (size_t i = 0; i < cluster->node_count; i++)
                if (strcmp(cluster->nodes[i].name, name) == 0)
                        return &cluster->nodes[i];
        return NULL;
}

bool cluster_need_node(const struct cluster *cluster, const char *name, const struct node **ret, struct err *err) {
        enum { SHOWN = 12 };
        struct nearest nearest = { .wanted = name };
        auto_buf names = { 0 };
        *ret = cluster_find_node(cluster, name);
        if (*ret)
                return true;
        for (size_t i = 0; i < cluster->node_count; i++) {
                nearest_offer(&nearest, cluster->nodes[i].name);
                if (i < SHOWN)
                        buf_printf(&names, "%s%s", i > 0 ? ", " : "", cluster->nodes[i].name);
        }
        if (cluster->node_count > SHOWN)
                buf_append_text(&names, ", ...");
        fail(err, ERR_REFERENCE, 0, "%s: no node is called `%s`", cluster->path, name);
        if (nearest.best)
                return hint(err, "did you mean `%s`?", nearest.best);
        return hint(err, "its nodes are: %s", buf_text(&names));
}
