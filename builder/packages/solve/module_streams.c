// SPDX-License-Identifier: MIT
#include "packages/solve/module_streams.h"

#include <assert.h>
#include <modulemd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/progress.h"
#include "packages/metadata/metadata_file.h"
#include "packages/metadata/source.h"
#include "profile/profile.h"

// libsolv's headers need pool.h first
#include <solv/solv_xfopen.h>

enum { MODULES_MAX_BYTES = 64 << 20 };

struct module {
        const char *name;
        const char *stream;              // that is active; NULL: none
        const char *wanted_by;           // what made it active, for messages
        ModulemdModuleStreamV2 *version; // its newest that fits the other streams; NULL: none does
};

struct modules {
        ModulemdModuleIndex *index;
        struct arena arena;
        struct module *items;
        size_t count;
        struct strings active, inactive; // artifacts ("NAME-EPOCH:VERSION-RELEASE.ARCH") of streams, sorted
        struct strings names;            // of active packages, sorted
        Map left_out;
};

void modules_free(struct modules *modules) {
        if (!modules)
                return;
        g_clear_object(&modules->index);
        map_free(&modules->left_out);
        free(modules->items);
        free(modules->active.items);
        free(modules->inactive.items);
        free(modules->names.items);
        arena_release(&modules->arena);
        free(modules);
}

// ---- loading ----

static bool read_modules_text(const struct source *source, int fd, struct buf *ret, struct err *err) {
        char block[65536];
        auto_close int own = dup(fd);
        if (own < 0 || lseek(own, 0, SEEK_SET) < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", source->modules.location);
        auto_fclose FILE *file = solv_xfopen_fd(source->modules.location, own, "r");
        if (!file)
                return fail(err, ERR_CORRUPT, 0, "its compression is not known");
        (void)take_fd(own);
        for (size_t got; (got = fread(block, 1, sizeof block, file)) > 0;)
                buf_append(ret, block, got);
        if (ferror(file))
                return fail(err, ERR_CORRUPT, 0, "it does not decompress");
        return !ret->overflow ||
               fail(err, ERR_CORRUPT, 0, "it unpacks to more than its limit of %d bytes", MODULES_MAX_BYTES);
}

// A document that is of no known form is told and passed over, as dnf does.
static bool parse_modules_text(struct modules *modules, const char *name, const char *text, struct err *err) {
        g_autoptr(GPtrArray) failures = NULL;
        g_autoptr(GError) error = NULL;
        if (modulemd_module_index_update_from_string(modules->index, text, FALSE, &failures, &error))
                return true;
        if (error)
                return fail(err, ERR_CORRUPT, 0, "%s", error->message);
        for (guint i = 0; failures && i < failures->len; i++)
                warning("repository %s: modules: passing over a document: %s", name,
                        modulemd_subdocument_info_get_gerror(g_ptr_array_index(failures, i))->message);
        return true;
}

bool modules_read(struct source *source, struct buf *ret, struct err *err) {
        auto_close int fd = -1;
        if (!source->modules.location)
                return true;
        return metadata_file_open(source, "modules", &source->modules, &fd, err) &&
               (read_modules_text(source, fd, ret, err) ||
                wrap(err, "repository %s: modules (%s)", source->repository->name, source->modules.location));
}

static bool load_modules(struct modules *modules, struct source *source, struct err *err) {
        auto_buf text = { .max = MODULES_MAX_BYTES };
        if (!modules_read(source, &text, err))
                return false;
        if (text.size == 0 || parse_modules_text(modules, source->repository->name, buf_text(&text), err))
                return true;
        return wrap(err, "repository %s: modules (%s)", source->repository->name, source->modules.location);
}

static struct module *find_offered(const struct modules *modules, const char *name) {
        for (size_t i = 0; i < modules->count; i++)
                if (strcmp(modules->items[i].name, name) == 0)
                        return &modules->items[i];
        return NULL;
}

static ModulemdModule *module_of(const struct modules *modules, const char *name) {
        return modulemd_module_index_get_module(modules->index, name);
}

static void list_words(const char *const *words, struct buf *ret) {
        for (size_t i = 0; words && words[i]; i++) {
                if (ret->size > 0)
                        buf_append_text(ret, ", ");
                buf_append_text(ret, words[i]);
        }
}

static bool has_stream(const struct modules *modules, const char *name, const char *stream) {
        g_auto(GStrv) streams = modulemd_module_get_stream_names_as_strv(module_of(modules, name));
        return g_strv_contains((const gchar *const *)streams, stream);
}

static bool fail_for_stream(const struct modules *modules, enum err_kind kind, const char *name, const char *stream,
                            struct err *err) {
        auto_buf known = { 0 };
        g_auto(GStrv) streams = modulemd_module_get_stream_names_as_strv(module_of(modules, name));
        list_words((const char *const *)streams, &known);
        fail(err, kind, 0, "module `%s` has no stream `%s`", name, stream);
        return hint(err, "its streams are: %s", buf_text(&known));
}

static bool activate(struct modules *modules, const char *name, const char *stream, const char *wanted_by,
                     struct err *err) {
        struct module *module = find_offered(modules, name);
        if (!module) {
                fail(err, ERR_REFERENCE, 0, "%s needs the module `%s`, which no repository has", wanted_by, name);
                return false;
        }
        if (!has_stream(modules, name, stream))
                return fail_for_stream(modules, ERR_REFERENCE, name, stream, err) || wrap(err, "%s", wanted_by);
        if (module->wanted_by && strcmp(module->stream, stream) != 0)
                return fail(err, ERR_REFERENCE, 0, "%s needs %s:%s, and %s needs %s:%s: one stream can be had",
                            wanted_by, name, stream, module->wanted_by, name, module->stream);
        module->stream = arena_strdup(&modules->arena, stream);
        module->wanted_by = wanted_by;
        return true;
}

static bool enable_streams(struct modules *modules, const struct release *release, struct err *err) {
        for (size_t i = 0; i < release->modules.count; i++) {
                char *name = arena_strdup(&modules->arena, release->modules.items[i]);
                char *colon = strchr(name, ':');
                assert(colon); // the grammar says so
                *colon = '\0';
                const char *wanted_by = arena_printf(&modules->arena, "`modules` of the release");
                if (!activate(modules, name, colon + 1, wanted_by, err))
                        return false;
        }
        return true;
}

static void list_modules(struct modules *modules) {
        g_auto(GStrv) names = modulemd_module_index_get_module_names_as_strv(modules->index);
        for (size_t i = 0; names && names[i]; i++) {
                struct module module = { .name = arena_strdup(&modules->arena, names[i]) };
                ModulemdDefaults *defaults = modulemd_module_get_defaults(module_of(modules, names[i]));
                const char *stream = NULL;
                if (defaults && MODULEMD_IS_DEFAULTS_V1(defaults))
                        stream = modulemd_defaults_v1_get_default_stream(MODULEMD_DEFAULTS_V1(defaults), NULL);
                if (stream && has_stream(modules, names[i], stream))
                        module.stream = arena_strdup(&modules->arena, stream);
                *array_append(&modules->items, &modules->count) = module;
        }
}

// ---- what a stream needs ----

// "el8" of a release 8, 8.10 or 8-stream; "f42".
static bool platform_fits(const struct release *release, const char *const *streams) {
        if (!release->releasever || !streams || !streams[0])
                return true;
        auto_free char *major = xstrndup(release->releasever, strspn(release->releasever, "0123456789"));
        for (size_t i = 0; streams[i]; i++) {
                const char *number = streams[i] + strcspn(streams[i], "0123456789");
                size_t length = strspn(number, "0123456789");
                if (strlen(major) == length && strncmp(number, major, length) == 0 && *streams[i] != '-')
                        return true;
        }
        return !*major;
}

// "-NAME" leaves a stream out; no streams: any will do.
static bool stream_fits(const char *stream, const char *const *wanted) {
        bool has_positive = false;
        for (size_t i = 0; wanted && wanted[i]; i++) {
                if (wanted[i][0] == '-' && strcmp(wanted[i] + 1, stream) == 0)
                        return false;
                has_positive |= wanted[i][0] != '-';
                if (strcmp(wanted[i], stream) == 0)
                        return true;
        }
        return !has_positive;
}

// An absent module that only one stream of could serve will be made active.
static bool needs_are_met(const struct modules *modules, const struct release *release, ModulemdDependencies *needs) {
        g_auto(GStrv) names = modulemd_dependencies_get_runtime_modules_as_strv(needs);
        for (size_t i = 0; names && names[i]; i++) {
                g_auto(GStrv) streams = modulemd_dependencies_get_runtime_streams_as_strv(needs, names[i]);
                const char *const *wanted = (const char *const *)streams;
                if (strcmp(names[i], "platform") == 0) {
                        if (!platform_fits(release, wanted))
                                return false;
                        continue;
                }
                const struct module *module = find_offered(modules, names[i]);
                if (!module)
                        return false;
                bool can_choose = !module->wanted_by && wanted && wanted[0];
                if (module->stream && stream_fits(module->stream, wanted))
                        continue;
                if (!can_choose || wanted[0][0] == '-' || !has_stream(modules, names[i], wanted[0]))
                        return false;
        }
        return true;
}

// One of the alternatives that a stream names; NULL: none is met. `ret_ok`: whether the stream can be had.
static ModulemdDependencies *find_needs(const struct modules *modules, const struct release *release,
                                        ModulemdModuleStreamV2 *stream, bool *ret_ok) {
        GPtrArray *all = modulemd_module_stream_v2_get_dependencies(stream);
        *ret_ok = !all || all->len == 0;
        for (guint i = 0; all && i < all->len; i++) {
                if (!needs_are_met(modules, release, g_ptr_array_index(all, i)))
                        continue;
                *ret_ok = true;
                return g_ptr_array_index(all, i);
        }
        return NULL;
}

static bool arch_fits(const struct release *release, ModulemdModuleStream *stream) {
        const char *arch = modulemd_module_stream_get_arch(stream);
        return !arch || strcmp(arch, release->arch) == 0 || strcmp(arch, "noarch") == 0;
}

// Of the versions and contexts of the active stream: the newest that fits.
static void choose_version(const struct modules *modules, const struct release *release, struct module *module) {
        GPtrArray *all = modulemd_module_get_all_streams(module_of(modules, module->name));
        module->version = NULL;
        for (guint i = 0; i < all->len; i++) {
                ModulemdModuleStream *stream = g_ptr_array_index(all, i);
                bool ok = MODULEMD_IS_MODULE_STREAM_V2(stream) && arch_fits(release, stream) &&
                          strcmp(modulemd_module_stream_get_stream_name(stream), module->stream) == 0;
                if (!ok)
                        continue;
                (void)find_needs(modules, release, MODULEMD_MODULE_STREAM_V2(stream), &ok);
                bool is_newer =
                    !module->version || modulemd_module_stream_get_version(stream) >
                                            modulemd_module_stream_get_version(MODULEMD_MODULE_STREAM(module->version));
                if (ok && is_newer)
                        module->version = MODULEMD_MODULE_STREAM_V2(stream);
        }
}

// Makes active what an enabled stream needs. Default streams bring nothing along: what they need is a default, too.
static bool activate_needs(struct modules *modules, const struct release *release, struct module *module,
                           bool *ret_changed, struct err *err) {
        bool ok;
        ModulemdDependencies *needs = find_needs(modules, release, module->version, &ok);
        if (!needs || !module->wanted_by)
                return true;
        g_auto(GStrv) names = modulemd_dependencies_get_runtime_modules_as_strv(needs);
        const char *who = arena_printf(&modules->arena, "module %s:%s", module->name, module->stream);
        for (size_t i = 0; names && names[i]; i++) {
                g_auto(GStrv) streams = modulemd_dependencies_get_runtime_streams_as_strv(needs, names[i]);
                struct module *needed = find_offered(modules, names[i]);
                if (!needed || (needed->stream && stream_fits(needed->stream, (const char *const *)streams)))
                        continue;
                if (!activate(modules, names[i], streams[0], who, err))
                        return false;
                *ret_changed = true;
        }
        return true;
}

static bool fail_for_needs(const struct module *module, struct err *err) {
        fail(err, ERR_REFERENCE, 0, "%s enables %s:%s, and what that stream needs cannot be had", module->wanted_by,
             module->name, module->stream);
        return hint(err,
                    "`kiln` looks for other modules among the defaults and in `modules`: enable the stream that it "
                    "needs, and look at `releasever`");
}

static bool choose_versions(struct modules *modules, const struct release *release, struct err *err) {
        for (bool changed = true; changed;) {
                changed = false;
                for (size_t i = 0; i < modules->count; i++) {
                        struct module *module = &modules->items[i];
                        if (!module->stream)
                                continue;
                        choose_version(modules, release, module);
                        if (!module->version && module->wanted_by)
                                return fail_for_needs(module, err);
                        if (module->version && !activate_needs(modules, release, module, &changed, err))
                                return false;
                }
        }
        return true;
}

// ---- packages ----

static void add_artifact(struct modules *modules, const char *artifact, bool is_active) {
        const char *text = arena_strdup(&modules->arena, artifact);
        struct strings *list = &modules->inactive;
        if (is_active)
                list = &modules->active;
        *array_append(&list->items, &list->count) = text;
        const char *dot = strrchr(artifact, '.');
        if (!is_active || !dot || strcmp(dot, ".src") == 0)
                return;
        const char *release = memrchr(artifact, '-', (size_t)(dot - artifact));
        const char *version = NULL;
        if (release)
                version = memrchr(artifact, '-', (size_t)(release - artifact));
        if (version)
                *array_append(&modules->names.items, &modules->names.count) =
                    arena_strndup(&modules->arena, artifact, (size_t)(version - artifact));
}

static void add_artifacts(struct modules *modules, const struct module *module) {
        GPtrArray *all = modulemd_module_get_all_streams(module_of(modules, module->name));
        for (guint i = 0; i < all->len; i++) {
                ModulemdModuleStream *stream = g_ptr_array_index(all, i);
                if (!MODULEMD_IS_MODULE_STREAM_V2(stream))
                        continue;
                ModulemdModuleStreamV2 *version = MODULEMD_MODULE_STREAM_V2(stream);
                g_auto(GStrv) artifacts = modulemd_module_stream_v2_get_rpm_artifacts_as_strv(version);
                bool is_active = module->stream && version == module->version;
                for (size_t k = 0; artifacts && artifacts[k]; k++)
                        add_artifact(modules, artifacts[k], is_active);
        }
}

static int compare_words(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void sort_words(struct strings *list) {
        if (list->count > 0)
                qsort(list->items, list->count, sizeof *list->items, compare_words);
}

static bool words_have(const struct strings *list, const char *word) {
        return list->count > 0 && bsearch(&word, list->items, list->count, sizeof *list->items, compare_words);
}

// Whether a package has one of these names, or says that it stands for one, of whatever version: dnf hides both.
static bool provides_one_of(const struct strings *names, Pool *pool, Solvable *solvable) {
        const Id *next = solvable->repo->idarraydata + solvable->provides;
        if (words_have(names, pool_id2str(pool, solvable->name)))
                return true;
        while (solvable->provides && *next) {
                Id name = *next++;
                while (ISRELDEP(name))
                        name = GETRELDEP(pool, name)->name;
                if (words_have(names, pool_id2str(pool, name)))
                        return true;
        }
        return false;
}

static bool is_hidden(const struct modules *modules, Pool *pool, Solvable *solvable) {
        const char *evr = pool_id2str(pool, solvable->evr);
        const char *epoch = "0:";
        if (strchr(evr, ':'))
                epoch = "";
        const char *name = pool_id2str(pool, solvable->name);
        auto_free char *artifact = xasprintf("%s-%s%s.%s", name, epoch, evr, pool_id2str(pool, solvable->arch));
        if (words_have(&modules->active, artifact))
                return false;
        if (words_have(&modules->inactive, artifact))
                return true;
        return !pool_source(solvable)->repository->module_hotfixes && provides_one_of(&modules->names, pool, solvable);
}

static void leave_out_hidden(struct packages *packages) {
        Pool *pool = packages->pool;
        struct modules *modules = packages->modules;
        map_init(&modules->left_out, pool->nsolvables);
        for (Id id = 2; id < pool->nsolvables; id++) {
                Solvable *solvable = pool_id2solvable(pool, id);
                if (!pool_source(solvable) || !is_hidden(modules, pool, solvable))
                        continue;
                MAPSET(&modules->left_out, id);
                MAPCLR(&packages->considered, id);
        }
}

bool modules_apply(struct packages *packages, struct err *err) {
        assert(!packages->modules);
        const struct release *release = packages->release;
        struct modules *modules = packages->modules = xcalloc(1, sizeof *modules);
        modules->index = modulemd_module_index_new();
        for (size_t i = 0; i < packages->source_count; i++)
                if (!load_modules(modules, &packages->sources[i], err))
                        return false;
        list_modules(modules);
        if (!enable_streams(modules, release, err) || !choose_versions(modules, release, err))
                return false;
        for (size_t i = 0; i < modules->count; i++)
                add_artifacts(modules, &modules->items[i]);
        sort_words(&modules->active);
        sort_words(&modules->inactive);
        sort_words(&modules->names);
        leave_out_hidden(packages);
        return true;
}

char *modules_reason(const struct packages *packages, Id id) {
        if (!packages->modules || !MAPTST(&packages->modules->left_out, id))
                return NULL;
        return xstrdup("it belongs to a module's stream that is not active, or hides behind one that is: `modules` of "
                       "the release enables streams");
}

// ---- requests ----

struct module_request {
        char *name, *stream, *profile; // the latter two NULL where they are not said
};

static struct module_request split_module_request(const char *text) {
        struct module_request request = { .name = xstrdup(text) };
        char *slash = strchr(request.name, '/');
        if (slash) {
                *slash = '\0';
                request.profile = slash + 1;
        }
        char *colon = strchr(request.name, ':');
        if (colon) {
                *colon = '\0';
                request.stream = colon + 1;
        }
        return request;
}

bool modules_know(const struct modules *modules, const char *text) {
        struct module_request request = split_module_request(text);
        bool known = modules && find_offered(modules, request.name);
        free(request.name);
        return known;
}

static bool add_profile(const struct module *module, const char *name, comps_member *add, void *context,
                        struct err *err) {
        ModulemdProfile *profile = modulemd_module_stream_v2_get_profile(module->version, name);
        if (!profile) {
                auto_buf known = { 0 };
                g_auto(GStrv) profiles = modulemd_module_stream_v2_get_profile_names_as_strv(module->version);
                list_words((const char *const *)profiles, &known);
                fail(err, ERR_PACKAGE, 0, "module %s:%s has no profile `%s`", module->name, module->stream, name);
                return hint(err, "its profiles are: %s; @%s:%s/PROFILE asks for one", buf_text(&known), module->name,
                            module->stream);
        }
        g_auto(GStrv) names = modulemd_profile_get_rpms_as_strv(profile);
        for (size_t i = 0; names && names[i]; i++)
                add(context, names[i], NULL);
        return true;
}

static bool add_default_profiles(const struct modules *modules, const struct module *module, comps_member *add,
                                 void *context, struct err *err) {
        ModulemdDefaults *defaults = modulemd_module_get_defaults(module_of(modules, module->name));
        g_auto(GStrv) profiles = NULL;
        if (defaults && MODULEMD_IS_DEFAULTS_V1(defaults))
                profiles = modulemd_defaults_v1_get_default_profiles_for_stream_as_strv(MODULEMD_DEFAULTS_V1(defaults),
                                                                                        module->stream, NULL);
        if (!profiles || !profiles[0])
                return add_profile(module, "default", add, context, err);
        for (size_t i = 0; profiles[i]; i++)
                if (!add_profile(module, profiles[i], add, context, err))
                        return false;
        return true;
}

static bool fail_for_inactive(const struct module *module, const char *stream, struct err *err) {
        fail(err, ERR_PACKAGE, 0, "stream `%s` of module `%s` is not active", stream, module->name);
        return hint(err, "add `modules: [\"%s:%s\"]` to the release file", module->name, stream);
}

static bool answer_request(const struct modules *modules, const struct module_request *request, comps_member *add,
                           void *context, struct err *err) {
        const struct module *module = find_offered(modules, request->name);
        assert(module);
        if (request->stream && !has_stream(modules, module->name, request->stream))
                return fail_for_stream(modules, ERR_PACKAGE, module->name, request->stream, err);
        if (!module->stream && !request->stream) {
                auto_buf known = { 0 };
                g_auto(GStrv) streams = modulemd_module_get_stream_names_as_strv(module_of(modules, module->name));
                list_words((const char *const *)streams, &known);
                fail(err, ERR_PACKAGE, 0, "module `%s` has no default stream", module->name);
                return hint(err, "its streams are: %s; `modules` of the release enables one", buf_text(&known));
        }
        bool is_enabled = module->version && module->stream;
        bool is_active = is_enabled && (!request->stream || strcmp(request->stream, module->stream) == 0);
        if (!is_active && request->stream)
                return fail_for_inactive(module, request->stream, err);
        if (!is_active)
                return fail_for_inactive(module, module->stream, err);
        if (request->profile)
                return add_profile(module, request->profile, add, context, err);
        return add_default_profiles(modules, module, add, context, err);
}

bool modules_members(const struct modules *modules, const char *text, comps_member *add, void *context,
                     struct err *err) {
        struct module_request request = split_module_request(text);
        bool ok = answer_request(modules, &request, add, context, err);
        free(request.name);
        return ok;
}
