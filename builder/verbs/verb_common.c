// SPDX-License-Identifier: MIT
#include "verbs/verb_common.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/colour.h"
#include "base/fs.h"
#include "base/locations.h"
#include "base/mistake.h"
#include "base/progress.h"
#include "release/build_list.h"
#include "verbs/findings.h"

struct profile_options options_profile(const struct options *options) {
        return (struct profile_options){ .release = options->release,
                                         .set = options->set,
                                         .allow_outside = options->allow_outside,
                                         .roles = options->roles };
}

// Warnings are told by who shows them; what is wrong is in the error, too, as one text.
static void tell_finding(const struct profile_finding *finding, void *context) {
        (void)context;
        if (finding->kind != ERR_NONE)
                progress_event("finding", finding_json(finding));
}

bool options_load_cluster(const struct options *options, struct cluster **ret, struct err *err) {
        struct profile_options profile = options_profile(options);
        if (options->json)
                profile.finding = tell_finding;
        return cluster_load(options->arguments[0], &profile, ret, err);
}

void show_warnings(const struct cluster *cluster) {
        for (size_t i = 0; i < cluster->warnings.count; i++)
                warning("%s", cluster->warnings.items[i]);
}

const char *const *options_repositories(struct arena *arena, const struct options *options) {
        const char **list = arena_alloc(arena, (options->repositories.count + 1) * sizeof *list);
        for (size_t i = 0; i < options->repositories.count; i++)
                list[i] = options->repositories.items[i];
        return list;
}

const char *const *options_outside(struct arena *arena, const struct options *options) {
        const char **list = arena_alloc(arena, (options->allow_outside.count + 1) * sizeof *list);
        for (size_t i = 0; i < options->allow_outside.count; i++)
                list[i] = locations_absolute(arena, options->allow_outside.items[i]);
        return list;
}

const char *options_cache_dir(struct arena *arena, const struct options *options) {
        if (options->cache)
                return locations_absolute(arena, options->cache);
        return locations_default_cache(arena);
}

const char *options_out_dir(const struct options *options) { return text_or(options->out, "out"); }

const char *options_lock_path(struct arena *arena, const struct options *options, const struct cluster *cluster) {
        if (options->lock)
                return options->lock;
        return lock_file_path(arena, cluster);
}

bool options_read_lock(const struct options *options, const struct cluster *cluster, struct lock_file **ret,
                       struct err *err) {
        struct arena arena = { 0 };
        const char *path = options_lock_path(&arena, options, cluster);
        bool ok = lock_file_read(path, ret, err);
        if (ok && !*ret && options->lock)
                ok = fail(err, ERR_REFERENCE, ENOENT, "lock file %s", path);
        if (ok && *ret)
                notice("packages as locked by %s", path);
        arena_release(&arena);
        return ok;
}

bool options_read_duration(const char *text, int64_t *ret_s, struct err *err) {
        char *end;
        errno = 0;
        long number = strtol(text, &end, 10);
        static const struct {
                const char *unit;
                long seconds;
        } units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 } };
        for (size_t i = 0; i < lengthof(units); i++) {
                bool is_number = end != text && errno == 0 && number >= 0 && number <= 100000;
                if (is_number && strcmp(end, units[i].unit) == 0) {
                        *ret_s = number * units[i].seconds;
                        return true;
                }
        }
        return fail(err, ERR_USAGE, 0, "--wait takes a time such as 90s, 10m or 1h, not `%s`", text);
}

bool print_answer(const json_t *value, bool as_json, size_t flags, void (*print)(const json_t *value, struct buf *to),
                  struct err *err) {
        auto_buf text = { 0 }, printable = { 0 }, coloured = { 0 };
        if (as_json) {
                auto_free char *json = json_dumps(value, flags);
                puts(text_or(json, "{}"));
        } else {
                print(value, &text);
                mistake_printable(&printable, buf_text(&text), text.size);
                if (colour_is_wanted(STDOUT_FILENO))
                        colour_append_states(&coloured, buf_text(&printable));
                else
                        buf_append_text(&coloured, buf_text(&printable));
                fputs(buf_text(&coloured), stdout);
        }
        return output_finish(err);
}

// A pipe or socket whose other end is closed.
static bool is_reader_gone(int fd) {
        struct pollfd looked = { .fd = fd, .events = POLLOUT };
        return poll(&looked, 1, 0) > 0 && (looked.revents & (POLLERR | POLLHUP)) != 0;
}

bool output_finish(struct err *err) {
        int number = errno; // a long text has failed before
        bool is_flushed = fflush(stdout) == 0;
        if (is_flushed && !ferror(stdout))
                return true;
        if (!is_flushed)
                number = errno;
        bool is_cut_off = !is_flushed && number == EPIPE;
        if (is_cut_off || is_reader_gone(STDOUT_FILENO))
                return fail_with_answer(err, OUTPUT_UNREAD_STATUS);
        return fail(err, ERR_SYSTEM, number ? number : EIO, "write standard output");
}

unsigned processor_count(void) {
        cpu_set_t allowed;
        if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
                return (unsigned)CPU_COUNT(&allowed);
        long count = sysconf(_SC_NPROCESSORS_ONLN);
        return count > 0 ? (unsigned)count : 1;
}

static bool find_current_build(const char *out, const char *cluster, char **ret, struct err *err) {
        auto_free char *path = xasprintf("%s/%s/current", out, cluster);
        if (!fs_exists(AT_FDCWD, path)) {
                fail(err, ERR_REFERENCE, 0, "%s is not there: nothing of cluster %s was built", path, cluster);
                return hint(err, "kiln build makes it; --out DIR or --build BUILD names another one");
        }
        *ret = realpath(path, NULL); // what it names may change meanwhile
        return *ret || fail(err, ERR_SYSTEM, errno, "find %s", path);
}

bool options_find_build(const struct options *options, const char *name, const char *cluster, char **ret,
                        struct err *err) {
        const char *out = options_out_dir(options);
        struct build_list list = { 0 };
        const struct listed_build *build = NULL;
        if (!name)
                return find_current_build(out, cluster, ret, err);
        if (strchr(name, '/') && fs_exists(AT_FDCWD, name)) {
                *ret = xstrdup(name);
                return true;
        }
        if (!build_list_read(out, cluster, &list, err))
                return false;
        bool ok = build_list_find(&list, name, &build, err);
        if (ok)
                *ret = listed_build_path(out, build);
        build_list_release(&list);
        return ok;
}
