// SPDX-License-Identifier: MIT
// What a node's templates become.
#include <string.h>

#include "base/fs.h"
#include "profile/effective.h"
#include "profile/internal.h"
#include "shared/template.h"

enum { SHOWN_MAX_BYTES = 64 << 20 };

struct value *cluster_node_scope(struct arena *arena, const struct cluster *cluster, const struct role *role,
                                 const struct node *node) {
        struct value *scope = cluster_scope(arena, cluster, role);
        struct value *own = NULL;
        if (node)
                own = node_scope(arena, cluster, node);
        else
                own = stranger_scope(arena, cluster, role);
        struct value *secrets = value_map(arena);
        for (size_t i = 0; i < cluster->secrets.count; i++)
                value_set(arena, secrets, cluster->secrets.items[i], value_scalar(arena, "(secret)"));
        value_set(arena, value_get(own, "node"), "others", others_value(arena, cluster, node));
        value_set(arena, scope, "node", value_get(own, "node"));
        value_set(arena, scope, "secrets", secrets);
        return scope;
}

// As it is done: for the build, and what is left of it on the node.
static bool render_twice(struct arena *arena, const struct cluster *cluster, const struct role *role,
                         const struct node *node, const char *name, const struct buf *text, struct buf *to,
                         struct err *err) {
        auto_buf left = { .max = SHOWN_MAX_BYTES };
        const struct value *scope = cluster_node_scope(arena, cluster, role, node);
        struct value *on_node = value_map(arena);
        value_set(arena, on_node, "node", value_get(scope, "node"));
        value_set(arena, on_node, "secrets", value_get(scope, "secrets"));
        return template_render(name, buf_text(text), text->size, cluster_scope(arena, cluster, role),
                               TEMPLATE_NODE_NAMES, &left, NULL, err) &&
               template_render(name, buf_text(&left), left.size, on_node, NULL, to, NULL, err);
}

bool cluster_render_file(const struct cluster *cluster, const struct role *role, const struct node *node,
                         const struct file *file, struct buf *to, struct err *err) {
        struct arena arena = { 0 };
        auto_buf text = { .max = SHOWN_MAX_BYTES };
        if (file->is_directory)
                return true;
        if (file->source && !fs_read_resolved(file->source, &text, err))
                return false;
        if (!file->source)
                buf_append_text(&text, text_or(file->content, text_or(file->link, "")));
        bool ok = true;
        if (file->is_template)
                ok = render_twice(&arena, cluster, role, node, template_name(&arena, file), &text, to, err);
        else
                buf_append(to, buf_text(&text), text.size);
        arena_release(&arena);
        return ok;
}
