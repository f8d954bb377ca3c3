// SPDX-License-Identifier: MIT
// kiln diff.
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "diff/build_diff.h"
#include "release/build_list.h"
#include "verbs/verb.h"
#include "verbs/verb_common.h"
#include "verbs/verb_diff.h"

// A path, or a build of the output directory by its id; heap.
static bool path_of_argument(const struct build_list *list, const char *out, const char *name, char **ret,
                             struct err *err) {
        const struct listed_build *build;
        if (strchr(name, '/')) {
                *ret = xstrdup(name);
                return true;
        }
        if (!build_list_find(list, name, &build, err))
                return false;
        *ret = listed_build_path(out, build);
        return true;
}

static bool find_and_diff(const struct options *options, const struct build_list *list, json_t **ret, struct err *err) {
        const char *out = options_out_dir(options);
        auto_free char *from = NULL, *to = NULL;
        return path_of_argument(list, out, options->arguments[0], &from, err) &&
               path_of_argument(list, out, options->arguments[1], &to, err) && build_diff(from, to, ret, err);
}

static bool check_node(const json_t *diff, const char *node, struct err *err) {
        if (!node || json_object_get(json_object_get(diff, "nodes"), node))
                return true;
        return fail(err, ERR_REFERENCE, 0, "neither build has a node %s", node);
}

static void print_whole_json(const json_t *diff) {
        auto_free char *text = json_dumps(diff, JSON_INDENT(2));
        puts(text_or(text, "{}"));
}

// With --node the other nodes and roles are left out.
static void keep_node(json_t *diff, const char *name) {
        json_t *nodes = json_object_get(diff, "nodes"), *roles = json_object_get(diff, "roles");
        json_t *node = json_incref(json_object_get(nodes, name));
        const char *role = member_text(node, "role");
        json_t *role_diff = json_incref(json_object_get(roles, role));
        json_object_clear(nodes);
        json_object_clear(roles);
        json_object_set_new(roles, role, role_diff);
        json_object_set_new(nodes, name, node);
}

static bool print_build_diff(const struct options *options, json_t *diff, struct err *err) {
        auto_buf text = { 0 }, printable = { 0 };
        enum diff_form form = DIFF_TEXT;
        if (!check_node(diff, options->node, err))
                return false;
        if (options->markdown)
                form = DIFF_MARKDOWN;
        if (options->json && options->node)
                keep_node(diff, options->node);
        if (options->json) {
                print_whole_json(diff);
        } else {
                build_diff_print(diff, form, options->node, &text);
                mistake_printable(&printable, buf_text(&text), text.size); // builds may come from elsewhere
                fputs(buf_text(&printable), stdout);
        }
        return output_finish(err);
}

static bool diff_builds(const struct options *options, const struct build_list *list, bool *ret_same, struct err *err) {
        json_t *diff = NULL;
        bool ok = find_and_diff(options, list, &diff, err) && print_build_diff(options, diff, err);
        if (ok)
                *ret_same = json_is_true(json_object_get(diff, "same"));
        json_decref(diff);
        return ok;
}

static bool diff_with_running(const struct options *options, const struct build_list *list, bool *ret_same,
                              struct err *err) {
        auto_free char *path = NULL;
        return path_of_argument(list, options_out_dir(options), options->arguments[0], &path, err) &&
               diff_running(options, list, path, ret_same, err);
}

bool verb_diff(const struct options *options, struct err *err) {
        struct build_list list = { 0 };
        bool same = false, is_running = options->running != NULL;
        if (is_running == (options->argument_count == 2))
                return fail(err, ERR_USAGE, 0, "two builds are compared, or one with what --running says");
        bool ok = build_list_read(options_out_dir(options), NULL, &list, err);
        if (ok && is_running)
                ok = diff_with_running(options, &list, &same, err);
        else if (ok)
                ok = diff_builds(options, &list, &same, err);
        build_list_release(&list);
        if (!ok)
                return false;
        return same || fail_with_answer(err, 1);
}
