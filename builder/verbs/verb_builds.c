// SPDX-License-Identifier: MIT
// kiln builds and kiln publish.
#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "base/progress.h"
#include "build/publish.h"
#include "release/build_list.h"
#include "release/build_prune.h"
#include "release/build_publish.h"
#include "report/build_report.h"
#include "verbs/running_state.h"
#include "verbs/verb.h"
#include "verbs/verb_answer.h"
#include "verbs/verb_common.h"

enum { KEEP_DEFAULT = 3, MEGABYTE = 1000000 };

// ---- printing ----

static const char *state_of(const struct listed_build *build) {
        if (build->is_current)
                return "current";
        if (build->is_marked)
                return "marked";
        if (build->is_partial)
                return "partial";
        return "";
}

static void format_time(int64_t seconds, char *ret, size_t size) {
        time_t when = seconds;
        struct tm local;
        localtime_r(&when, &local);
        strftime(ret, size, "%Y-%m-%d %H:%M", &local);
}

// Why it is not known what this machine runs; NULL: it is, or the machine is none of the cluster's.
static const char *why_untold(const json_t *machine) {
        const char *why = member_text(machine, "why");
        if (*why)
                return why;
        bool tells = *member_text(machine, "build") || !json_is_true(json_object_get(machine, "known"));
        if (tells)
                return NULL;
        return "kiln serve has not seen it load a build";
}

// What a node runs that does not tell it would be removed with the others.
static bool check_all_told(const struct options *options, const json_t *state, struct err *err) {
        json_t *machine;
        size_t i;
        if (!options->prune)
                return true;
        json_array_foreach(json_object_get(state, "machines"), i, machine) {
                const char *why = why_untold(machine);
                if (!why)
                        continue;
                fail(err, ERR_NETWORK, 0, "%s does not tell what it runs (%s): nothing is removed",
                     member_text(machine, "name"), why);
                return hint(err, "ask who knows: the kiln serve that booted them (--running http://HOST:PORT) or the "
                                 "nodes themselves (--running CLUSTER.yaml); or --mark what it runs, and --prune "
                                 "without --running");
        }
        return true;
}

// What --running says, to the builds of that rack's cluster.
static bool count_running(const struct options *options, struct build_list *list, struct err *err) {
        json_t *state = NULL, *machine;
        size_t i;
        if (!options->running)
                return true;
        if (!running_state_read(options, &state, err))
                return false;
        const char *cluster = member_text(state, "cluster");
        json_array_foreach(json_object_get(state, "machines"), i, machine) {
                const char *id = member_text(machine, "build");
                for (size_t j = 0; j < list->count; j++)
                        list->items[j].running +=
                            strcmp(list->items[j].id, id) == 0 && strcmp(list->items[j].cluster, cluster) == 0;
        }
        bool is_state = *cluster && json_is_array(json_object_get(state, "machines"));
        bool all_told = check_all_told(options, state, err);
        json_decref(state);
        if (!all_told)
                return false;
        return is_state || fail(err, ERR_CORRUPT, 0, "--running %s: it tells of no machines", options->running);
}

// A name of a manifest that may come from elsewhere, as one line; what is no character, or a control, is "?".
static void append_column(struct buf *line, const char *name, int width) {
        size_t start = line->size;
        mistake_printable(line, name, strlen(name));
        for (size_t i = start; i < line->size; i++)
                if (line->data[i] == '\n' || line->data[i] == '\t')
                        line->data[i] = '?';
        buf_printf(line, "%*s", (int)(start + (size_t)width - size_min(line->size, start + (size_t)width)), "");
}

static void print_build_line(const struct listed_build *build) {
        char made[32];
        auto_buf line = { 0 };
        format_time(build->made_s, made, sizeof made);
        append_column(&line, build->cluster, 10);
        buf_printf(&line, " %s  %s  %7.1f %7.1f  %-7s  ", build->id, made, (double)build->size_bytes / MEGABYTE,
                   (double)build->alone_bytes / MEGABYTE, state_of(build));
        append_column(&line, build->release, 12);
        buf_append_char(&line, ' ');
        append_column(&line, buf_text(&build->roles), 0);
        puts(buf_text(&line));
        if (build->running > 0)
                printf("%10s runs on %zu machines\n", "", build->running);
}

static void print_build_json(const char *out, const struct listed_build *build, bool is_running_known) {
        auto_free char *path = listed_build_path(out, build);
        json_t *json =
            json_pack("{si ss ss ss ss ss sI sI sI sI sb sb sb}", "format", ANSWER_FORMAT, "cluster", build->cluster,
                      "id", build->id, "path", path, "release", build->release, "roles", buf_text(&build->roles),
                      "made", (json_int_t)build->made_s, "serial", (json_int_t)build->serial, "size",
                      (json_int_t)build->size_bytes, "alone", (json_int_t)build->alone_bytes, "current",
                      build->is_current, "marked", build->is_marked, "partial", build->is_partial);
        if (is_running_known)
                (void)!json_object_set_new(json, "running", json_integer((json_int_t)build->running));
        auto_free char *text = json_dumps(json, JSON_COMPACT);
        json_decref(json);
        puts(text_or(text, "{}"));
}

static void print_builds(const struct options *options, const char *out, const struct build_list *list) {
        if (!options->json && list->count > 0)
                printf("%-10s %-16s  %-16s  %7s %7s  %-7s  %-12s %s\n", "CLUSTER", "BUILD", "MADE", "MB", "ALONE", "",
                       "RELEASE", "ROLES");
        for (size_t i = 0; i < list->count; i++)
                if (options->json)
                        print_build_json(out, &list->items[i], options->running != NULL);
                else
                        print_build_line(&list->items[i]);
}

// ---- kiln builds ----

static bool mark_named_build(const char *out, const struct build_list *list, const char *name, bool is_marked,
                             struct err *err) {
        const struct listed_build *build = NULL;
        if (!name)
                return true;
        return build_list_find(list, name, &build, err) && build_mark(out, build, is_marked, err);
}

static bool prune_builds(const struct options *options, const char *out, const struct build_list *list,
                         struct err *err) {
        struct build_prune_result removed = { 0 };
        if (!options->prune)
                return true;
        if (!builds_prune(out, list, number_or(options->keep, KEEP_DEFAULT), options->dry_run, &removed, err))
                return false;
        const char *what = "removed";
        if (removed.is_dry)
                what = "would be removed";
        notice("%zu builds %s, %.1f MB", removed.count, what, (double)removed.bytes / MEGABYTE);
        return true;
}

static bool change_builds(const struct options *options, const char *out, const char *cluster, struct err *err) {
        struct build_list list = { 0 };
        bool ok = build_list_read(out, cluster, &list, err) && count_running(options, &list, err) &&
                  mark_named_build(out, &list, options->mark, true, err) &&
                  mark_named_build(out, &list, options->unmark, false, err) && prune_builds(options, out, &list, err);
        build_list_release(&list);
        return ok;
}

static bool report_named_build(const char *out, const struct build_list *list, const char *name, struct err *err) {
        const struct listed_build *build = NULL;
        auto_free char *path = NULL;
        if (!build_list_find(list, name, &build, err) || !publication_check_owners(out, build->cluster, err) ||
            !report_keep(out, list, build, NULL, &path, err))
                return false;
        puts(path);
        return true;
}

bool verb_builds(const struct options *options, struct err *err) {
        const char *out = options_out_dir(options), *cluster = NULL;
        struct build_list list = { 0 };
        if (options->keep.given && !options->prune)
                return fail(err, ERR_USAGE, 0, "--keep says how much --prune keeps: --prune is missing");
        if (options->dry_run && !options->prune)
                return fail(err, ERR_USAGE, 0, "--dry-run is about --prune, which is missing");
        if (options->argument_count > 0)
                cluster = options->arguments[0];
        bool changes = options->prune || options->mark || options->unmark;
        if (changes && !change_builds(options, out, cluster, err))
                return false;
        bool ok = build_list_read(out, cluster, &list, err) && count_running(options, &list, err);
        if (ok && options->report)
                ok = report_named_build(out, &list, options->report, err);
        else if (ok)
                print_builds(options, out, &list);
        build_list_release(&list);
        return ok;
}

// ---- kiln publish ----

static bool go_up(char *path) {
        char *slash = strrchr(path, '/');
        if (!slash || slash == path)
                return false;
        *slash = '\0';
        return true;
}

// Where a path is given, the output directory is above it: OUT/CLUSTER/BUILD, OUT/CLUSTER/partial/BUILD.
static char *out_of_path(const char *path, const char *otherwise) {
        auto_free char *above = realpath(path, NULL);
        if (!strchr(path, '/') || !above || !go_up(above))
                return xstrdup(otherwise);
        const char *place = strrchr(above, '/');
        if (strcmp(place + 1, PARTIAL_DIR) == 0 && !go_up(above))
                return xstrdup(otherwise);
        if (!go_up(above))
                return xstrdup(otherwise);
        return xstrdup(above);
}

static const struct listed_build *find_current(const struct build_list *list, const struct listed_build *build) {
        for (size_t i = 0; i < list->count; i++)
                if (list->items[i].is_current && strcmp(list->items[i].cluster, build->cluster) == 0)
                        return &list->items[i];
        return NULL;
}

// Nodes with a state disk remember the highest serial that they booted.
static void warn_of_serial(const struct listed_build *build, const struct listed_build *current) {
        if (current && build->serial < current->serial)
                warning("serial %ju is below %ju of %s, which was current: nodes whose state disk has seen it refuse "
                        "this build, unless kiln.allow_older is on their command line",
                        (uintmax_t)build->serial, (uintmax_t)current->serial, current->id);
}

static bool publish_named(const struct options *options, const char *out, const struct build_list *list,
                          struct err *err) {
        const struct listed_build *build = NULL;
        const char *name = options->arguments[0];
        auto_free char *resolved = realpath(name, NULL);
        if (resolved && strchr(name, '/'))
                name = resolved;
        if (!build_list_find(list, name, &build, err) ||
            !build_publish(out, build, processor_count(), options->dry_run, err))
                return false;
        assert(build);
        const struct listed_build *current = find_current(list, build);
        warn_of_serial(build, current);
        if (current == build)
                notice("it was current already:");
        else if (options->dry_run)
                notice("it is whole; machines would get:");
        else
                notice("machines that boot from now on get:");
        auto_free char *path = listed_build_path(out, build);
        if (options->json)
                return answer_give(
                    json_pack("{ss ss sb}", "path", path, "build", build->id, "was_current", current == build), err);
        puts(path);
        return true;
}

bool verb_publish(const struct options *options, struct err *err) {
        auto_free char *out = out_of_path(options->arguments[0], options_out_dir(options));
        struct build_list list = { 0 };
        if (!build_list_read(out, NULL, &list, err))
                return false;
        bool ok = publish_named(options, out, &list, err);
        build_list_release(&list);
        return ok;
}
