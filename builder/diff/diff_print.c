// SPDX-License-Identifier: MIT
// A comparison for people: as text, or as Markdown for a pull request. Both are one list of lines with a depth; only
// their marks differ.
#include <assert.h>
#include <string.h>

#include "diff/build_diff.h"
#include "diff/internal.h"

enum { SHOWN_FILES = 40, SHOWN_DIFF_BYTES = 60000, MEGABYTE = 1000000, KILOBYTE = 1000 };

struct printing {
        enum diff_form form;
        const char *node; // NULL: everything
        struct buf *to;
};

// ---- marks ----

// Names and values come from builds that somebody else may have made: no more than a line each, and no marks of
// Markdown, which would also take <node.machine.cpus> for HTML.
static void append_own_line(const struct printing *printing, const char *text) {
        const char *special = "", *mentions = "";
        if (printing->form == DIFF_MARKDOWN) {
                special = "\\`*_[<&~";
                mentions = "@#"; // people and tickets: a backslash does not keep a forge from telling them
        }
        for (; *text; text++) {
                char byte = *text;
                if (strchr(special, byte))
                        buf_append_char(printing->to, '\\');
                if (byte == '\n' || byte == '\r')
                        byte = '?';
                buf_append_char(printing->to, byte);
                if (*mentions && strchr(mentions, byte))
                        buf_append_text(printing->to, "<!-- -->");
        }
}

static void append_formatted(const struct printing *printing, const char *format, va_list arguments) {
        auto_buf text = { 0 };
        buf_vprintf(&text, format, arguments);
        // "+", "-" and ">" would begin a list or a quotation in the item.
        if (printing->form == DIFF_MARKDOWN && strspn(buf_text(&text), "+->") > 0)
                buf_append_char(printing->to, '\\');
        append_own_line(printing, buf_text(&text));
}

__attribute__((format(printf, 2, 3))) static void print_heading(const struct printing *printing, const char *format,
                                                                ...) {
        va_list arguments;
        if (printing->form == DIFF_MARKDOWN)
                buf_append_text(printing->to, "\n### ");
        else if (printing->to->size > 0)
                buf_append_char(printing->to, '\n');
        va_start(arguments, format);
        append_formatted(printing, format, arguments);
        va_end(arguments);
        buf_append_char(printing->to, '\n');
        if (printing->form == DIFF_MARKDOWN)
                buf_append_char(printing->to, '\n');
}

__attribute__((format(printf, 2, 3))) static void print_line(const struct printing *printing, const char *format, ...) {
        va_list arguments;
        const char *mark = "  ";
        if (printing->form == DIFF_MARKDOWN)
                mark = "- ";
        buf_append_text(printing->to, mark);
        va_start(arguments, format);
        append_formatted(printing, format, arguments);
        va_end(arguments);
        buf_append_char(printing->to, '\n');
}

static void print_indented(struct buf *to, const char *text, const char *indent) {
        while (*text) {
                const char *end = strchrnul(text, '\n');
                buf_append_text(to, indent);
                buf_append(to, text, (size_t)(end - text));
                buf_append_char(to, '\n');
                text = end;
                if (*text)
                        text++;
        }
}

// A fence ends with as many backticks as it began with, or more: one more than the text has in a row.
static size_t fence_size(const char *text) {
        size_t longest = 2;
        for (const char *at = text; (at = strchr(at, '`'));) {
                size_t size = strspn(at, "`");
                longest = size_max(longest, size);
                at += size;
        }
        return longest + 1;
}

static void print_fence(const struct printing *printing, size_t size, const char *end) {
        buf_append_text(printing->to, "  ");
        for (size_t i = 0; i < size; i++)
                buf_append_char(printing->to, '`');
        buf_append_text(printing->to, end);
}

static void print_diff(const struct printing *printing, const char *diff) {
        if (!*diff)
                return;
        if (printing->form == DIFF_TEXT) {
                print_indented(printing->to, diff, "      ");
                return;
        }
        size_t size = fence_size(diff);
        buf_append_char(printing->to, '\n');
        print_fence(printing, size, "diff\n");
        print_indented(printing->to, diff, "  ");
        print_fence(printing, size, "\n\n");
}

static void print_size(struct buf *to, json_int_t bytes) {
        if (bytes >= MEGABYTE)
                buf_printf(to, "%.1f MB", (double)bytes / MEGABYTE);
        else
                buf_printf(to, "%.1f kB", (double)bytes / KILOBYTE);
}

// ---- lists of changes ----

// "+" and "-" as diff(1) has them.
static const char *sign_of(const char *change) {
        static const struct {
                const char *change, *sign;
        } signs[] = { { "new", "+" }, { "gone", "-" }, { "enabled", "+" }, { "disabled", "-" },
                      { "up", ">" },  { "down", "<" }, { "masked", "-" },  { "unmasked", "+" } };
        for (size_t i = 0; i < lengthof(signs); i++)
                if (strcmp(signs[i].change, change) == 0)
                        return signs[i].sign;
        return "~";
}

static void print_package(const struct printing *printing, const json_t *package) {
        const char *change = member_text(package, "change"), *from = member_text(package, "from");
        const char *to = member_text(package, "to"), *sign = sign_of(change);
        const char *name = member_text(package, "name"), *arch = member_text(package, "arch");
        if (strcmp(change, "new") == 0)
                print_line(printing, "%s %s.%s %s", sign, name, arch, to);
        else if (strcmp(change, "gone") == 0)
                print_line(printing, "%s %s.%s %s", sign, name, arch, from);
        else if (strcmp(change, "rebuilt") == 0)
                print_line(printing, "%s %s.%s %s: other bytes under the same version", sign, name, arch, to);
        else if (strcmp(change, "moved") == 0)
                print_line(printing, "%s %s.%s: from repository %s to %s", sign, name, arch, from, to);
        else
                print_line(printing, "%s %s.%s %s -> %s", sign, name, arch, from, to);
}

__attribute__((format(printf, 2, 3))) static void append_difference(struct buf *to, const char *format, ...) {
        va_list arguments;
        buf_append_text(to, to->size > 0 ? ", " : ": ");
        va_start(arguments, format);
        buf_vprintf(to, format, arguments);
        va_end(arguments);
}

// Each that differs, as "mode 0755 -> 4755"; whether the content does, too, is all the same: a file that became setuid
// is no ordinary edit.
static void append_attributes(const json_t *from, const json_t *to, struct buf *ret) {
        static const char *const texts[] = { "type", "mode", "target", "device", "capabilities" };
        for (size_t i = 0; i < lengthof(texts); i++) {
                const char *before = member_text(from, texts[i]), *after = member_text(to, texts[i]);
                if (strcmp(before, after) != 0)
                        append_difference(ret, "%s %s -> %s", texts[i], *before ? before : "none",
                                          *after ? after : "none");
        }
        json_int_t uid = member_number(from, "uid"), gid = member_number(from, "gid");
        json_int_t new_uid = member_number(to, "uid"), new_gid = member_number(to, "gid");
        if (uid != new_uid || gid != new_gid)
                append_difference(ret, "owner %lld:%lld -> %lld:%lld", uid, gid, new_uid, new_gid);
}

static void print_file(const struct printing *printing, const json_t *file) {
        const char *change = member_text(file, "change"), *path = member_text(file, "path");
        const json_t *from = json_object_get(file, "from"), *to = json_object_get(file, "to");
        auto_buf attributes = { 0 };
        if (json_is_object(from) && json_is_object(to))
                append_attributes(from, to, &attributes);
        bool is_told = json_object_get(file, "diff") || strcmp(change, "content") != 0;
        if (!is_told && (diffed_file_is_private(from) || diffed_file_is_private(to)))
                append_difference(&attributes, "content differs (private)");
        print_line(printing, "%s %s%s", sign_of(change), path, buf_text(&attributes));
        print_diff(printing, member_text(file, "diff"));
}

static void print_named(const struct printing *printing, const json_t *item) {
        const char *name = member_text(item, "name"), *kind = member_text(item, "kind");
        const char *change = member_text(item, "change");
        if (!*name) {
                name = member_text(item, "unit");
                kind = "unit";
        }
        print_line(printing, "%s %s %s: %s", sign_of(change), kind, name, change);
}

static void print_artefact_size(const struct printing *printing, const json_t *size) {
        auto_buf from = { 0 }, to = { 0 };
        print_size(&from, member_number(size, "from"));
        print_size(&to, member_number(size, "to"));
        print_line(printing, "~ %s: %s -> %s", member_text(size, "artefact"), buf_text(&from), buf_text(&to));
}

// Files of packages are told by their packages: the first ones show what it is about.
static const struct list {
        const char *key, *title;
        void (*print)(const struct printing *printing, const json_t *item);
        size_t most; // 0: all
} lists[] = {
        { "packages", "packages", print_package, 0 },     { "units", "units", print_named, 0 },
        { "users", "users and groups", print_named, 0 },  { "files", "files", print_file, SHOWN_FILES },
        { "sizes", "artefacts", print_artefact_size, 0 },
};

static const struct list outside = { "artefacts", "outside of the roles", print_artefact_size, 0 };

// `role`: NULL for what is of none.
static void print_list(const struct printing *printing, const char *role, const json_t *diff, const struct list *list) {
        const json_t *items = json_object_get(diff, list->key);
        size_t i, count = json_array_size(items);
        json_t *item;
        if (count == 0)
                return;
        if (role)
                print_heading(printing, "role %s: %s (%zu)", role, list->title, count);
        else
                print_heading(printing, "%s (%zu)", list->title, count);
        json_array_foreach(items, i, item) {
                if (list->most > 0 && i >= list->most)
                        break;
                list->print(printing, item);
        }
        if (list->most > 0 && count > list->most)
                print_line(printing, "... and %zu more (--json has all)", count - list->most);
}

static void print_member(const struct printing *printing, const char *role, const json_t *diff, const char *key) {
        const json_t *change = json_object_get(diff, key);
        if (!json_is_object(change))
                return;
        print_heading(printing, "role %s: %s", role, key);
        print_line(printing, "- %s", member_text(change, "from"));
        print_line(printing, "+ %s", member_text(change, "to"));
}

static void print_role_changes(const struct printing *printing, const char *role, const json_t *diff) {
        const char *change = member_text(diff, "change");
        if (strcmp(change, "new") == 0 || strcmp(change, "gone") == 0)
                print_heading(printing, "role %s is %s", role, change);
        print_member(printing, role, diff, "kernel");
        print_member(printing, role, diff, "arguments");
        for (size_t i = 0; i < lengthof(lists); i++)
                print_list(printing, role, diff, &lists[i]);
}

// ---- nodes ----

static void append_why(const json_t *node, struct buf *ret) {
        size_t i;
        json_t *reason;
        json_array_foreach(json_object_get(node, "why"), i, reason) {
                buf_append_text(ret, i > 0 ? "; " : ": ");
                buf_append_text(ret, json_string_value(reason));
        }
}

static void print_node(const struct printing *printing, const char *name, const json_t *node) {
        auto_buf why = { 0 }, bytes = { 0 };
        const char *change = member_text(node, "change");
        append_why(node, &why);
        if (member_number(node, "bytes") > 0)
                print_size(&bytes, member_number(node, "bytes"));
        print_line(printing, "%s (%s): %s%s%s%s", name, member_text(node, "role"), change, bytes.size > 0 ? ", " : "",
                   buf_text(&bytes), buf_text(&why));
}

static void print_rendered(const struct printing *printing, const json_t *node) {
        size_t i;
        json_t *file;
        json_array_foreach(json_object_get(node, "files"), i, file) {
                const char *hidden = "";
                if (!json_object_get(file, "diff"))
                        hidden = ": content differs (private)";
                print_line(printing, "~ %s%s", member_text(file, "path"), hidden);
                print_diff(printing, member_text(file, "diff"));
        }
}

// Equal lines of many nodes are one line: "12 nodes of slave (slave101 ...)".
static void print_nodes(const struct printing *printing, const json_t *nodes) {
        const char *name;
        json_t *node, *alike = json_object();
        print_heading(printing, "nodes (%zu)", json_object_size(nodes));
        json_object_foreach((json_t *)nodes, name, node) {
                auto_buf key = { 0 };
                buf_printf(&key, "%s %s", member_text(node, "role"), member_text(node, "change"));
                append_why(node, &key);
                json_t *names = json_object_get(alike, buf_text(&key));
                if (names) {
                        json_array_append_new(names, json_string(name));
                        continue;
                }
                (void)!json_object_set_new(alike, buf_text(&key), json_pack("[s]", name));
        }
        const char *key;
        json_t *names;
        json_object_foreach(alike, key, names) {
                const char *first = json_string_value(json_array_get(names, 0));
                const json_t *example = json_object_get(nodes, first);
                print_node(printing, first, example);
                if (json_array_size(names) > 1)
                        print_line(printing, "  and so %zu more nodes", json_array_size(names) - 1);
                print_rendered(printing, example);
        }
        json_decref(alike);
}

// ---- all ----

static bool names_alone_differ(const json_t *diff) {
        const char *role;
        json_t *role_diff;
        json_object_foreach(json_object_get(diff, "roles"), role,
                            role_diff) if (strcmp(member_text(role_diff, "change"), "same") != 0) return false;
        return json_array_size(json_object_get(diff, "options")) == 0 &&
               json_array_size(json_object_get(diff, "artefacts")) == 0;
}

static void print_head(const struct printing *printing, const json_t *diff) {
        const json_t *from = json_object_get(diff, "from"), *to = json_object_get(diff, "to");
        size_t i;
        json_t *option;
        auto_free char *title =
            xasprintf("%s %s -> %s", member_text(to, "cluster"), member_text(from, "build"), member_text(to, "build"));
        if (printing->form == DIFF_MARKDOWN)
                buf_append_text(printing->to, "## ");
        append_own_line(printing, title);
        buf_append_char(printing->to, '\n');
        if (json_is_true(json_object_get(diff, "same")))
                print_line(printing, "the two are the same");
        else if (names_alone_differ(diff))
                print_line(printing, "what differs are names and times alone: no file but for the build's name");
        json_array_foreach(json_object_get(diff, "options"), i, option)
            print_line(printing, "%s: %s -> %s", member_text(option, "name"), member_text(option, "from"),
                       member_text(option, "to"));
}

void build_diff_print(const json_t *diff, enum diff_form form, const char *node, struct buf *ret) {
        assert(diff && ret);
        const struct printing printing = { form, node, ret };
        const json_t *nodes = json_object_get(diff, "nodes");
        const char *role;
        json_t *role_diff;
        print_head(&printing, diff);
        if (node) {
                print_node(&printing, node, json_object_get(nodes, node));
                print_rendered(&printing, json_object_get(nodes, node));
                return;
        }
        json_object_foreach(json_object_get(diff, "roles"), role, role_diff)
            print_role_changes(&printing, role, role_diff);
        print_list(&printing, NULL, diff, &outside);
        print_nodes(&printing, nodes);
}
