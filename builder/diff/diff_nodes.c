// SPDX-License-Identifier: MIT
// What a change of the builds is to each machine.
#include <string.h>

#include "diff/internal.h"
#include "diff/node_files.h"

// ---- templates ----

static const json_t *find_template(const struct config_layer *layer, const char *path) {
        size_t i;
        json_t *template;
        json_array_foreach(json_object_get(layer->node_json, "templates"), i,
                           template) if (strcmp(member_text(template, "path"), path) == 0) return template;
        return NULL;
}

static bool template_is_private(const struct config_layer *layer, const char *path) {
        const json_t *template = find_template(layer, path);
        return template && mode_is_private((long)member_number(template, "mode"));
}

static void render_on(const struct config_layer *layer, const char *path, const json_t *entry, struct buf *ret) {
        const json_t *template = find_template(layer, path);
        if (template && entry)
                node_render(layer, template, entry, ret);
}

// Two states of a node: its entries in node.json.
struct node_pair {
        const struct role_pair *roles;
        const json_t *from, *to;
};

static void add_rendered(const struct node_pair *node, const char *path, json_t *files) {
        auto_buf before = { 0 }, after = { 0 };
        render_on(&node->roles->from_layer, path, node->from, &before);
        render_on(&node->roles->to_layer, path, node->to, &after);
        if (strcmp(buf_text(&before), buf_text(&after)) == 0)
                return;
        json_t *file = json_pack("{ss}", "path", path);
        bool is_private =
            template_is_private(&node->roles->from_layer, path) || template_is_private(&node->roles->to_layer, path);
        if (!is_private)
                set_text_diff(file, &(struct text){ buf_text(&before), before.size },
                              &(struct text){ buf_text(&after), after.size });
        json_array_append_new(files, file);
}

static json_t *rendered_files(const struct node_pair *node) {
        json_t *files = json_array(), *template;
        size_t i;
        json_array_foreach(json_object_get(node->roles->to_layer.node_json, "templates"), i, template)
            add_rendered(node, member_text(template, "path"), files);
        json_array_foreach(json_object_get(node->roles->from_layer.node_json, "templates"), i,
                           template) if (!find_template(&node->roles->to_layer, member_text(template, "path")))
            add_rendered(node, member_text(template, "path"), files);
        return files;
}

// ---- reasons ----

__attribute__((format(printf, 2, 3))) static void add_reason(json_t *why, const char *format, ...) {
        auto_buf text = { 0 };
        va_list arguments;
        va_start(arguments, format);
        buf_vprintf(&text, format, arguments);
        va_end(arguments);
        json_array_append_new(why, json_string(buf_text(&text)));
}

static bool changes_artefact(const json_t *role_diff, const char *name) {
        size_t i;
        json_t *size;
        json_array_foreach(json_object_get(role_diff, "sizes"), i,
                           size) if (strcmp(member_text(size, "artefact"), name) == 0) return true;
        return false;
}

// Names of members in which two objects differ, "a, b"; nothing if they are equal.
static void append_differing(const json_t *from, const json_t *to, struct buf *ret) {
        const json_t *objects[] = { from, to };
        for (size_t i = 0; i < lengthof(objects); i++) {
                const char *key;
                json_t *member;
                json_object_foreach((json_t *)objects[i], key, member) {
                        const json_t *other = json_object_get(objects[1 - i], key);
                        bool is_told = i == 1 && other; // by the first round
                        if (is_told || (other && json_equal(member, (json_t *)other)))
                                continue;
                        if (ret->size > 0)
                                buf_append_text(ret, ", ");
                        buf_append_text(ret, key);
                }
        }
}

static void add_entry_reasons(const struct node_pair *node, json_t *why) {
        auto_buf keys = { 0 };
        append_differing(node->from, node->to, &keys);
        if (keys.size > 0)
                add_reason(why, "its entry in the inventory: %s", buf_text(&keys));
}

// What node.json holds beside the nodes, without the build's name, which every build changes.
static json_t *common_part(const struct config_layer *layer) {
        json_t *part = json_copy(layer->node_json);
        json_object_del(part, "nodes");
        json_object_del(part, "build");
        return part;
}

static bool entry_differs(const struct role_pair *roles, const char *name, const json_t *entry) {
        const json_t *before = json_object_get(roles->from_layer.nodes, name);
        return !before || !json_equal((json_t *)entry, (json_t *)before);
}

// How many nodes of the inventory, of any role, are new, gone or described in another way.
static size_t count_differing_entries(const struct role_pair *roles) {
        const char *name;
        json_t *entry;
        size_t count = 0;
        json_object_foreach(roles->to_layer.nodes, name, entry) count += entry_differs(roles, name, entry);
        json_object_foreach(roles->from_layer.nodes, name, entry) count +=
            json_object_get(roles->to_layer.nodes, name) == NULL;
        return count;
}

static void add_inventory_reasons(const struct role_pair *roles, json_t *why) {
        json_t *before = common_part(&roles->from_layer), *after = common_part(&roles->to_layer);
        auto_buf keys = { 0 };
        append_differing(before, after, &keys);
        if (keys.size > 0)
                add_reason(why, "what the inventory says to all: %s", buf_text(&keys));
        json_decref(before);
        json_decref(after);
}

static size_t count_packages(const json_t *role_diff) {
        return json_array_size(json_object_get(role_diff, "packages"));
}

static size_t count_files(const json_t *role_diff, const char *layer) {
        size_t i, count = 0;
        json_t *file;
        json_array_foreach(json_object_get(role_diff, "files"), i, file) count +=
            strcmp(member_text(file, "layer"), layer) == 0;
        return count;
}

// They may be rendered alike here and not on the machine, which knows its secrets and its processors.
static bool templates_differ(const struct role_pair *roles) {
        size_t i;
        json_t *template;
        json_array_foreach(json_object_get(roles->to_layer.node_json, "templates"), i, template) {
                const char *source = member_text(template, "source");
                const struct config_file *before = config_layer_find(&roles->from_layer, source);
                const struct config_file *after = config_layer_find(&roles->to_layer, source);
                bool is_same = before && after && before->content.size == after->content.size &&
                               memcmp(before->content.data, after->content.data, after->content.size) == 0;
                if (!is_same && (before || after))
                        return true;
        }
        return false;
}

// The root's digest and size are told by the root.
static bool names_root(const char *line) { return strncmp(line, "ROOT_", strlen("ROOT_")) == 0; }

// A line of root.conf without the build's name, which URLs of mirrors contain, too.
static void append_setting(const char *line, const char *build, struct buf *ret) {
        size_t length = strlen(build);
        for (const char *found; length > 0 && (found = strstr(line, build)); line = found + length)
                buf_append(ret, line, (size_t)(found - line));
        buf_printf(ret, "%s\n", line);
}

static void append_settings(const struct config_layer *layer, struct buf *ret) {
        auto_free char *text = xstrndup(text_or(layer->root_conf.data, ""), layer->root_conf.size);
        char *rest = text;
        for (char *line; (line = strsep(&rest, "\n"));)
                if (!names_root(line))
                        append_setting(line, member_text(layer->node_json, "build"), ret);
}

static bool root_conf_differs(const struct role_pair *roles) {
        auto_buf before = { 0 }, after = { 0 };
        append_settings(&roles->from_layer, &before);
        append_settings(&roles->to_layer, &after);
        return strcmp(buf_text(&before), buf_text(&after)) != 0;
}

static bool root_differs(const struct role_pair *roles) {
        const json_t *before = json_object_get(roles->from, "root"), *after = json_object_get(roles->to, "root");
        return strcmp(member_text(before, "sha256"), member_text(after, "sha256")) != 0;
}

// What holds for every node of the role alike.
static json_t *role_reasons(const struct role_pair *roles, const json_t *role_diff) {
        json_t *why = json_array();
        const json_t *kernel = json_object_get(role_diff, "kernel");
        size_t packages = count_packages(role_diff), files = count_files(role_diff, "configuration");
        if (json_is_object(kernel))
                add_reason(why, "kernel %s -> %s", member_text(kernel, "from"), member_text(kernel, "to"));
        else if (changes_artefact(role_diff, "vmlinuz"))
                add_reason(why, "the kernel's file");
        if (json_is_object(json_object_get(role_diff, "arguments")))
                add_reason(why, "arguments of the kernel");
        if (changes_artefact(role_diff, "rootfs.squashfs") || root_differs(roles))
                add_reason(why, "root: packages: %zu, files: %zu", packages, count_files(role_diff, "root"));
        if (changes_artefact(role_diff, "initrd.img"))
                add_reason(why, "initrd");
        if (files > 0)
                add_reason(why, "files of the configuration: %zu", files);
        if (templates_differ(roles))
                add_reason(why, "templates of files");
        if (root_conf_differs(roles))
                add_reason(why, "what the initrd is told of the root");
        add_inventory_reasons(roles, why);
        return why;
}

static void add_boot_reasons(const json_t *artefacts, const json_t *entry, json_t *why) {
        auto_buf files = { 0 };
        append_booted_by(artefacts, entry, &files);
        if (files.size > 0)
                add_reason(why, "what it boots by: %s", buf_text(&files));
}

// ---- one node ----

static const char *kind_of_change(const struct role_pair *roles, const json_t *role_diff, const json_t *why) {
        if (json_array_size(why) == 0)
                return "nothing";
        if (changes_artefact(role_diff, "rootfs.squashfs") || root_differs(roles))
                return "root";
        if (changes_artefact(role_diff, "vmlinuz") || changes_artefact(role_diff, "initrd.img"))
                return "kernel";
        return "configuration";
}

// What a machine that had `from_role` of the older build loads at its first boot of the newer one; NULL: it had
// nothing.
static json_int_t bytes_to_load(const struct build_pair *builds, const char *from_role, const char *to_role) {
        static const char *const loaded[] = { "vmlinuz", "initrd.img", "config.cpio", "rootfs.squashfs" };
        json_int_t bytes = 0;
        for (size_t i = 0; i < lengthof(loaded); i++) {
                const json_t *to = diffed_build_artefact(&builds->to, to_role, loaded[i]), *from = NULL;
                if (from_role)
                        from = diffed_build_artefact(&builds->from, from_role, loaded[i]);
                if (to && strcmp(member_text(from, "sha256"), member_text(to, "sha256")) != 0)
                        bytes += member_number(to, "size");
        }
        return bytes;
}

static const char *role_of(const json_t *entry) { return member_text(entry, "role"); }

// What is the same for all nodes of a role.
struct role_facts {
        const struct build_pair *builds;
        const json_t *diff, *artefacts;
        json_t *why;
        size_t differing_entries;
};

// In the older build, where it is there at all.
static const char *former_role(const struct node_pair *node) {
        if (!node->from)
                return NULL;
        return role_of(node->from);
}

static json_t *diff_node(const struct node_pair *node, const struct role_facts *role) {
        const char *name = member_text(node->to, "name"), *change = "new";
        json_t *why = json_deep_copy(role->why), *files = rendered_files(node);
        bool is_of_role = node->from && strcmp(role_of(node->from), node->roles->name) == 0;
        if (node->from)
                add_entry_reasons(node, why);
        if (role->differing_entries > entry_differs(node->roles, name, node->to))
                add_reason(why, "other nodes of the inventory");
        if (json_array_size(files) > 0)
                add_reason(why, "files that are rendered on it: %zu", json_array_size(files));
        add_boot_reasons(role->artefacts, node->to, why);
        if (is_of_role)
                change = kind_of_change(node->roles, role->diff, why);
        else if (node->from)
                change = "role";
        json_int_t bytes = 0;
        if (is_of_role && strcmp(change, "nothing") != 0)
                bytes = bytes_to_load(role->builds, node->roles->name, node->roles->name);
        else if (!is_of_role)
                bytes = bytes_to_load(role->builds, former_role(node), node->roles->name);
        return json_pack("{ss ss sI so so}", "role", node->roles->name, "change", change, "bytes", bytes, "why", why,
                         "files", files);
}

static void become_of_role(const struct build_pair *builds, const char *from_role, json_t *node) {
        json_int_t bytes = bytes_to_load(builds, from_role, member_text(node, "role"));
        (void)!json_object_set_new(node, "change", json_string("role"));
        (void)!json_object_set_new(node, "bytes", json_integer(bytes));
}

void finish_nodes(const struct build_pair *builds, const json_t *former_roles, json_t *nodes) {
        const char *name;
        json_t *role;
        json_object_foreach((json_t *)former_roles, name, role) {
                json_t *node = json_object_get(nodes, name);
                if (!node)
                        (void)!json_object_set_new(nodes, name,
                                                   json_pack("{ss ss si s[] s[]}", "role", json_string_value(role),
                                                             "change", "gone", "bytes", 0, "why", "files"));
                else if (strcmp(member_text(node, "change"), "new") == 0)
                        become_of_role(builds, json_string_value(role), node);
        }
}

void diff_unknown_nodes(const struct build_pair *builds, const struct role_pair *roles, json_t *ret) {
        const struct diffed_build *without = &builds->to;
        const struct config_layer *layer = &roles->from_layer;
        const char *name;
        json_t *entry;
        if (roles->to_layer.exists) {
                without = &builds->from;
                layer = &roles->to_layer;
        }
        json_object_foreach(layer->nodes, name, entry) {
                if (strcmp(role_of(entry), roles->name) != 0)
                        continue;
                json_t *why = json_array();
                add_reason(why, "build %s has no configuration layer of role %s",
                           member_text(without->manifest, "build"), roles->name);
                (void)!json_object_set_new(ret, name,
                                           json_pack("{ss ss si so s[]}", "role", roles->name, "change", "unknown",
                                                     "bytes", 0, "why", why, "files"));
        }
}

void diff_nodes(const struct build_pair *builds, const struct role_pair *roles, const json_t *role_diff,
                const json_t *artefacts, json_t *ret) {
        const struct role_facts role = { builds, role_diff, artefacts, role_reasons(roles, role_diff),
                                         count_differing_entries(roles) };
        const char *name;
        json_t *entry;
        json_object_foreach(roles->to_layer.nodes, name, entry) {
                const struct node_pair node = { roles, json_object_get(roles->from_layer.nodes, name), entry };
                if (strcmp(role_of(entry), roles->name) == 0)
                        (void)!json_object_set_new(ret, name, diff_node(&node, &role));
        }
        json_decref(role.why);
}
