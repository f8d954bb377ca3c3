// SPDX-License-Identifier: MIT
// Every template is rendered before any work starts: for the build, and what is left of it for each node.
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "profile/internal.h"
#include "shared/node_config.h"
#include "shared/template.h"

enum { TEMPLATE_MAX_BYTES = 4 << 20 }; // at build time

// The message begins with the place in the template, and shows the line: no place is given here.
static void report_template(struct loader *loader, const struct err *err) {
        report(loader->diagnostics, err->kind, NULL, "%s", err->text);
        if (err->hint)
                report_hint(loader->diagnostics, "%s", err->hint);
}

// A role under check. The nodes' scopes are made for the first template that is left for them.
struct check {
        struct loader *loader;
        const struct cluster *cluster;
        const struct role *role;
        const struct value *scope;
        struct arena arena;
        const struct value **node_scopes;
};

static void make_node_scopes(struct check *check) {
        const struct role *role = check->role;
        if (check->node_scopes)
                return;
        check->node_scopes = arena_alloc(&check->arena, (role->node_count + 1) * sizeof *check->node_scopes);
        for (size_t i = 0; i < role->node_count; i++)
                check->node_scopes[i] =
                    node_scope(&check->arena, check->cluster, &check->cluster->nodes[role->nodes[i]]);
}

static bool try_left_over(struct check *check, const char *name, const struct buf *left, struct err *err) {
        auto_template *template = NULL;
        auto_buf output = { .max = NODE_TEMPLATE_MAX_BYTES };
        if (left->size > NODE_TEMPLATE_MAX_BYTES)
                return fail(err, ERR_TEMPLATE, 0, "%s: %zu bytes are left for the node, which reads at most %d", name,
                            left->size, NODE_TEMPLATE_MAX_BYTES);
        if (check->role->node_count == 0)
                return true;
        if (!template_open(name, buf_text(left), left->size, &template, err))
                return false;
        make_node_scopes(check);
        for (size_t i = 0; i < check->role->node_count; i++) {
                buf_clear(&output);
                if (!template_apply(template, check->node_scopes[i], NULL, &output, NULL, err))
                        return wrap(err, "on node %s", check->cluster->nodes[check->role->nodes[i]].name);
        }
        return true;
}

static bool try_template(struct check *check, const struct file *file, struct err *err) {
        struct arena *arena = check->loader->arena;
        auto_buf text = { .max = TEMPLATE_MAX_BYTES }, output = { .max = TEMPLATE_MAX_BYTES };
        // Overlays are known by the path that the user sees; a text in a role file by where it will be.
        const char *name = file->source;
        if (file->place.line == 0)
                name = file->place.file;
        if (!name)
                name = arena_printf(arena, "%s (%s)", file->path, place_text(arena, &file->place));
        if (file->source && !fs_read_resolved(file->source, &text, err))
                return false;
        if (!file->source)
                buf_append_text(&text, file->content);
        bool kept = false;
        if (!template_render(name, buf_text(&text), text.size, check->scope, "node", &output, &kept, err))
                return false;
        return !kept || try_left_over(check, name, &output, err);
}

// A link's target is filled in here and now, because kiln-node renders files only.
static bool render_link(struct check *check, struct file *file, struct err *err) {
        struct arena *arena = check->loader->arena;
        auto_buf target = { .max = 4096 };
        bool kept = false;
        const char *name = arena_printf(arena, "%s (%s)", file->path, place_text(arena, &file->place));
        if (!template_render(name, file->link, strlen(file->link), check->scope, "node", &target, &kept, err))
                return false;
        if (kept)
                return fail(err, ERR_TEMPLATE, 0, "%s: the target of a link cannot wait for the node", name);
        if (target.size == 0)
                return fail(err, ERR_TEMPLATE, 0, "%s: the target of a link is empty", name);
        file->link = arena_strdup(arena, buf_text(&target));
        file->is_template = false;
        return true;
}

static void try_role(struct check *check) {
        for (size_t i = 0; i < check->role->file_count; i++) {
                auto_err err = { 0 };
                struct file *file = &check->role->files[i];
                bool ok = true;
                if (file->is_template && file->link)
                        ok = render_link(check, file, &err);
                else if (file->is_template)
                        ok = try_template(check, file, &err);
                if (!ok)
                        report_template(check->loader, &err);
        }
}

void templates_try(struct loader *loader, struct cluster *cluster) {
        for (size_t i = 0; i < cluster->role_count; i++) {
                const struct role *role = &cluster->roles[i];
                struct check check = { loader, cluster, role, .scope = cluster_scope(&cluster->arena, cluster, role) };
                try_role(&check);
                arena_release(&check.arena);
        }
}
