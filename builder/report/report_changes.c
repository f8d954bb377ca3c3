// SPDX-License-Identifier: MIT
// What is new since the build before, as build_diff() found it: shorter, with kiln diff for all of it.
#include <string.h>

#include "base/mem.h"
#include "report/internal.h"

enum { ROWS_MAX = 200, ROWS_OPEN = 20 };

static const struct change_word {
        const char *change, *shown;
} change_words[] = {
        { "new", "+ new" },           { "gone", "− gone" },         { "up", "↑ newer" },
        { "down", "↓ older" },        { "rebuilt", "↻ rebuilt" },   { "moved", "→ moved" },
        { "changed", "↻ changed" },   { "content", "↻ content" },   { "attributes", "↻ attributes" },
        { "enabled", "✓ enabled" },   { "disabled", "✗ disabled" }, { "masked", "✗ masked" },
        { "unmasked", "✓ unmasked" },
};

static const char *shown_change(const char *change) {
        for (size_t i = 0; i < lengthof(change_words); i++)
                if (strcmp(change_words[i].change, change) == 0)
                        return change_words[i].shown;
        return change;
}

static void tell_rest(size_t count, struct buf *to) {
        if (count > ROWS_MAX)
                buf_printf(to, "<p>And %zu more: <code>kiln diff</code> tells all.</p>\n", count - ROWS_MAX);
}

// ---- the parts of a role ----

static void list_package_changes(const json_t *packages, struct buf *to) {
        size_t i;
        json_t *package;
        auto_free char *count = html_count(json_array_size(packages), "package");
        if (json_array_size(packages) == 0)
                return;
        buf_append_text(to, "<details");
        if (json_array_size(packages) <= ROWS_OPEN)
                buf_append_text(to, " open");
        html_format(to,
                    "><summary>%s</summary><div class=\"scroll\"><table><thead><tr><th scope=\"col\">package"
                    "<th scope=\"col\">change<th scope=\"col\">before<th scope=\"col\">now</tr></thead><tbody>\n",
                    count);
        json_array_foreach((json_t *)packages, i, package) {
                if (i == ROWS_MAX)
                        break;
                html_format(to, "<tr><th scope=\"row\">%s<td>%s<td>%s<td>%s</tr>\n", member_text(package, "name"),
                            shown_change(member_text(package, "change")), member_text(package, "from"),
                            member_text(package, "to"));
        }
        buf_append_text(to, "</tbody></table></div></details>\n");
        tell_rest(json_array_size(packages), to);
}

// Things with a name and a change: files, units, users.
static void list_named_changes(const json_t *items, const char *key, const char *noun, struct buf *to) {
        size_t i;
        json_t *item;
        auto_free char *count = html_count(json_array_size(items), noun);
        if (json_array_size(items) == 0)
                return;
        html_format(to, "<details><summary>%s</summary><ul>\n", count);
        json_array_foreach((json_t *)items, i, item) {
                if (i == ROWS_MAX)
                        break;
                html_format(to, "<li>%s: <code>%s</code>\n", shown_change(member_text(item, "change")),
                            member_text(item, key));
        }
        buf_append_text(to, "</ul></details>\n");
        tell_rest(json_array_size(items), to);
}

static void tell_kernel(const json_t *role, struct buf *to) {
        const json_t *kernel = json_object_get(role, "kernel");
        if (json_is_object(kernel))
                html_format(to, "<p>Kernel: %s → %s</p>\n", member_text(kernel, "from"), member_text(kernel, "to"));
        if (json_is_object(json_object_get(role, "arguments")))
                buf_append_text(to, "<p>The kernel's arguments are other ones.</p>\n");
}

static void list_sizes(const json_t *sizes, struct buf *to) {
        size_t i;
        json_t *size;
        if (json_array_size(sizes) == 0)
                return;
        buf_append_text(
            to, "<details><summary>Sizes of what is loaded</summary><div class=\"scroll\"><table><thead><tr>"
                "<th scope=\"col\">artefact<th scope=\"col\" class=\"n\">before<th scope=\"col\" class=\"n\">now"
                "</tr></thead><tbody>\n");
        json_array_foreach((json_t *)sizes, i, size) {
                auto_free char *from = html_size(report_size(size, "from"));
                auto_free char *now = html_size(report_size(size, "to"));
                html_format(to, "<tr><th scope=\"row\">%s<td class=\"n\">%s<td class=\"n\">%s</tr>\n",
                            member_text(size, "artefact"), from, now);
        }
        buf_append_text(to, "</tbody></table></div></details>\n");
}

static void tell_role(const char *name, const json_t *role, struct buf *to) {
        const char *change = member_text(role, "change");
        if (strcmp(change, "same") == 0)
                return;
        html_format(to, "<h3>%s: %s</h3>\n", name, shown_change(change));
        if (strcmp(change, "changed") != 0)
                return;
        list_package_changes(json_object_get(role, "packages"), to);
        tell_kernel(role, to);
        list_named_changes(json_object_get(role, "files"), "path", "file", to);
        list_named_changes(json_object_get(role, "units"), "unit", "unit", to);
        list_named_changes(json_object_get(role, "users"), "name", "user or group", to);
        list_sizes(json_object_get(role, "sizes"), to);
}

// ---- nodes ----

static const struct node_word {
        const char *change, *shown;
} node_words[] = {
        { "nothing", "nothing changes" },
        { "configuration", "another configuration" },
        { "kernel", "another kernel" },
        { "root", "another root" },
        { "role", "another role" },
        { "new", "new" },
        { "gone", "gone" },
        { "unknown", "nobody knows" },
};

// Nodes are counted by what changes of them: the names of the first, and how many there are.
static void tell_nodes(const json_t *nodes, struct buf *to) {
        enum { NAMED = 12 };
        buf_append_text(to, "<h3>Nodes</h3>\n<ul>\n");
        for (size_t i = 0; i < lengthof(node_words); i++) {
                const char *name;
                json_t *node;
                size_t count = 0;
                auto_buf names = { 0 };
                json_object_foreach((json_t *)nodes, name, node) {
                        if (strcmp(member_text(node, "change"), node_words[i].change) != 0)
                                continue;
                        if (count < NAMED)
                                html_format(&names, " %s", name);
                        count++;
                }
                if (count == 0)
                        continue;
                auto_free char *told = html_count(count, "node");
                html_format(to, "<li>%s on %s:", node_words[i].shown, told);
                buf_append(to, names.data, names.size);
                if (count > NAMED)
                        buf_append_text(to, " …");
                buf_append_char(to, '\n');
        }
        buf_append_text(to, "</ul>\n");
}

static void tell_options(const json_t *options, struct buf *to) {
        size_t i;
        json_t *option;
        json_array_foreach((json_t *)options, i, option) {
                auto_free char *from = json_dumps(json_object_get(option, "from"), JSON_ENCODE_ANY | JSON_COMPACT);
                auto_free char *now = json_dumps(json_object_get(option, "to"), JSON_ENCODE_ANY | JSON_COMPACT);
                html_format(to, "<p>Option %s: <code>%s</code> → <code>%s</code></p>\n", member_text(option, "name"),
                            text_or(from, "null"), text_or(now, "null"));
        }
}

void report_changes(const struct report_data *data, struct buf *to) {
        const char *name;
        json_t *role;
        report_heading(to, "changes", "What is new");
        if (!data->diff) {
                const char *why = text_or(data->why_no_diff, "there is no older build of this cluster");
                html_format(to, "<p>Nothing to compare with: %s.</p>\n", why);
                return;
        }
        html_format(to, "<p>Since build <code>%s</code>.", member_text(json_object_get(data->diff, "from"), "build"));
        if (json_is_true(json_object_get(data->diff, "same")))
                buf_append_text(to, " Nothing has changed.");
        buf_append_text(to, "</p>\n");
        tell_options(json_object_get(data->diff, "options"), to);
        json_object_foreach(json_object_get(data->diff, "roles"), name, role) tell_role(name, role, to);
        tell_nodes(json_object_get(data->diff, "nodes"), to);
}
