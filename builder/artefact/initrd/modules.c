// SPDX-License-Identifier: MIT
#include "artefact/initrd/modules.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "artefact/initrd/modinfo.h"
#include "base/fs.h"
#include "base/progress.h"

// "8021q-x.ko.xz" and "8021q_x" are the same module.
static const char *module_name(struct arena *arena, const char *file) {
        size_t length = strlen(file);
        const char *end = strstr(file, ".ko");
        if (end)
                length = (size_t)(end - file);
        char *name = arena_strndup(arena, file, length);
        for (char *next = name; *next; next++)
                if (*next == '-')
                        *next = '_';
        return name;
}

static const char *file_name_of(const char *path) {
        const char *slash = strrchr(path, '/');
        if (slash)
                return slash + 1;
        return path;
}

static bool is_module(const char *name) {
        static const char *const suffixes[] = { ".ko", ".ko.xz", ".ko.gz", ".ko.zst" };
        size_t length = strlen(name);
        for (size_t i = 0; i < lengthof(suffixes); i++) {
                size_t suffix = strlen(suffixes[i]);
                if (length > suffix && strcmp(name + length - suffix, suffixes[i]) == 0)
                        return true;
        }
        return false;
}

static bool index_module(const struct fs_entry *entry, void *context, struct err *err) {
        struct modules *modules = context;
        (void)err;
        if (S_ISDIR(entry->stat->st_mode) || !is_module(entry->name))
                return true; // "build" and "source" are links to elsewhere, and not followed
        struct module *module = array_append(&modules->items, &modules->count);
        const char *end = strstr(file_name_of(entry->path), ".ko");
        module->name = module_name(&modules->arena, entry->name);
        module->source = arena_strdup(&modules->arena, entry->path);
        module->path = arena_strndup(&modules->arena, entry->path, (size_t)(end - entry->path) + strlen(".ko"));
        return true;
}

// depmod.d(5): of two modules of a name, that in updates/ is taken, then extra/, then the kernel's own.
static int precedence(const char *path) {
        static const char *const order[] = { "updates/", "extra/", "weak-updates/" };
        for (int i = 0; i < (int)lengthof(order); i++)
                if (strncmp(path, order[i], strlen(order[i])) == 0)
                        return i;
        return (int)lengthof(order);
}

static int compare_modules(const void *left, const void *right) {
        const struct module *a = left, *b = right;
        int order = strcmp(a->name, b->name);
        if (order == 0)
                order = precedence(a->source) - precedence(b->source);
        if (order == 0)
                order = strcmp(a->source, b->source);
        return order;
}

static int compare_name_to_module(const void *name, const void *module) {
        return strcmp(name, ((const struct module *)module)->name);
}

static int compare_module_names(const void *left, const void *right) {
        return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void sort_and_unify(struct modules *modules) {
        if (modules->count == 0)
                return;
        qsort(modules->items, modules->count, sizeof *modules->items, compare_modules);
        size_t unique = 1;
        for (size_t i = 1; i < modules->count; i++)
                if (strcmp(modules->items[i].name, modules->items[unique - 1].name) != 0)
                        modules->items[unique++] = modules->items[i];
        modules->count = unique;
}

static bool read_builtin(struct modules *modules, struct err *err) {
        auto_buf text = { 0 };
        if (!fs_exists(modules->directory, "modules.builtin"))
                return true;
        if (!fs_read(modules->directory, "modules.builtin", &text, err))
                return false;
        char *rest = text.data;
        for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
                if (*line)
                        *array_append(&modules->builtin, &modules->builtin_count) =
                            module_name(&modules->arena, file_name_of(line));
        if (modules->builtin_count)
                qsort(modules->builtin, modules->builtin_count, sizeof *modules->builtin, compare_module_names);
        return true;
}

bool modules_index(int root, const char *kernel_version, struct modules *ret, struct err *err) {
        assert(kernel_version && *kernel_version);
        *ret = (struct modules){ .root = root, .directory = -1 };
        auto_free char *path = xasprintf("lib/modules/%s", kernel_version);
        if (!fs_open_in_root(root, path, O_RDONLY | O_DIRECTORY, 0, &ret->directory, err)) {
                if (err->number == ENOENT)
                        err->kind = ERR_REFERENCE;
                return wrap(err, "the kernel's modules");
        }
        if (!fs_walk(ret->directory, index_module, ret, err))
                return wrap(err, "%s", path);
        sort_and_unify(ret);
        return read_builtin(ret, err);
}

static struct module *find_module(const struct modules *modules, const char *name) {
        if (modules->count == 0)
                return NULL;
        return bsearch(name, modules->items, modules->count, sizeof *modules->items, compare_name_to_module);
}

static bool is_builtin(const struct modules *modules, const char *name) {
        return modules->builtin_count &&
               bsearch(&name, modules->builtin, modules->builtin_count, sizeof *modules->builtin, compare_module_names);
}

// ---- what a module says of itself ----

struct reader {
        struct modules *modules;
        struct module *module;
};

static void append_copy(struct arena *arena, struct strings *list, const char *text) {
        *array_append(&list->items, &list->count) = arena_strdup(arena, text);
}

static void note_depends(struct reader *reader, const char *value) {
        auto_free char *copy = xstrdup(value);
        char *state = NULL;
        for (char *name = strtok_r(copy, ",", &state); name; name = strtok_r(NULL, ",", &state))
                append_copy(&reader->modules->arena, &reader->module->depends,
                            module_name(&reader->modules->arena, name));
}

// "pre: a b post: c"
static void note_softdep(struct reader *reader, const char *value) {
        auto_free char *copy = xstrdup(value);
        char *state = NULL;
        struct strings *list = NULL;
        for (char *word = strtok_r(copy, " \t", &state); word; word = strtok_r(NULL, " \t", &state)) {
                if (strcmp(word, "pre:") == 0)
                        list = &reader->module->soft_before;
                else if (strcmp(word, "post:") == 0)
                        list = &reader->module->soft_after;
                else if (list)
                        append_copy(&reader->modules->arena, list, module_name(&reader->modules->arena, word));
        }
}

static void note_firmware(struct reader *reader, const char *value) {
        if (fs_path_is_safe(value))
                append_copy(&reader->modules->arena, &reader->module->firmware, value);
}

static void note_alias(struct reader *reader, const char *value) {
        append_copy(&reader->modules->arena, &reader->module->aliases, value);
}

static void take_string(const char *key, size_t key_size, const char *value, void *context) {
        static const struct {
                const char *key;
                void (*take)(struct reader *reader, const char *value);
        } keys[] = {
                { "depends", note_depends },
                { "softdep", note_softdep },
                { "firmware", note_firmware },
                { "alias", note_alias },
        };
        for (size_t i = 0; i < lengthof(keys); i++)
                if (strlen(keys[i].key) == key_size && memcmp(keys[i].key, key, key_size) == 0)
                        keys[i].take(context, value);
}

static bool read_module(struct modules *modules, struct module *module, struct err *err) {
        auto_close int fd = -1;
        struct reader reader = { modules, module };
        if (fs_open_in_root(modules->directory, module->source, O_RDONLY, 0, &fd, err) &&
            modinfo_read(fd, &module->content, err) && modinfo_each(&module->content, take_string, &reader, err))
                return true;
        return wrap(err, "%s", module->source);
}

// ---- the wanted modules and all that they need ----

static void want_module(struct module ***stack, size_t *depth, struct module *module) {
        if (module && !module->wanted) {
                module->wanted = true;
                *array_append(stack, depth) = module;
        }
}

static bool want_what_it_needs(struct modules *modules, struct module *module, struct module ***stack, size_t *depth,
                               struct err *err) {
        if (!read_module(modules, module, err))
                return false;
        for (size_t i = 0; i < module->depends.count; i++) {
                const char *name = module->depends.items[i];
                struct module *needed = find_module(modules, name);
                if (!needed && !is_builtin(modules, name))
                        return fail(err, ERR_REFERENCE, 0, "%s needs the module %s, which the kernel does not have",
                                    module->source, name);
                want_module(stack, depth, needed);
        }
        for (size_t i = 0; i < module->soft_before.count; i++)
                want_module(stack, depth, find_module(modules, module->soft_before.items[i]));
        for (size_t i = 0; i < module->soft_after.count; i++)
                want_module(stack, depth, find_module(modules, module->soft_after.items[i]));
        return true;
}

bool modules_want(struct modules *modules, const struct strings *names, struct err *err) {
        struct module **stack = NULL;
        size_t depth = 0;
        for (size_t i = 0; i < names->count; i++) {
                const char *name = module_name(&modules->arena, names->items[i]);
                struct module *module = find_module(modules, name);
                if (!module && !is_builtin(modules, name))
                        notice("the kernel has no module %s: the initrd goes without", names->items[i]);
                want_module(&stack, &depth, module);
        }
        bool ok = true;
        while (ok && depth > 0) {
                struct module *module = stack[--depth];
                ok = want_what_it_needs(modules, module, &stack, &depth, err);
        }
        free(stack);
        return ok;
}

// ---- depmod's files ----

static void list_dependencies(const struct modules *modules, const struct module *module, bool *seen, struct buf *ret) {
        for (size_t i = 0; i < module->depends.count; i++) {
                const struct module *needed = find_module(modules, module->depends.items[i]);
                if (!needed || seen[needed - modules->items])
                        continue;
                seen[needed - modules->items] = true;
                buf_printf(ret, " %s", needed->path);
                list_dependencies(modules, needed, seen, ret);
        }
}

void modules_dep(const struct modules *modules, struct buf *ret) {
        for (size_t i = 0; i < modules->count; i++) {
                if (!modules->items[i].wanted)
                        continue;
                auto_free bool *seen = xcalloc(modules->count, sizeof *seen);
                seen[i] = true;
                buf_printf(ret, "%s:", modules->items[i].path);
                list_dependencies(modules, &modules->items[i], seen, ret);
                buf_append_char(ret, '\n');
        }
}

void modules_alias(const struct modules *modules, struct buf *ret) {
        for (size_t i = 0; i < modules->count; i++) {
                const struct module *module = &modules->items[i];
                if (!module->wanted)
                        continue;
                for (size_t j = 0; j < module->aliases.count; j++)
                        buf_printf(ret, "alias %s %s\n", module->aliases.items[j], module->name);
        }
}

static void append_names(const char *when, const struct strings *names, struct buf *ret) {
        if (names->count)
                buf_printf(ret, " %s:", when);
        for (size_t i = 0; i < names->count; i++)
                buf_printf(ret, " %s", names->items[i]);
}

void modules_softdep(const struct modules *modules, struct buf *ret) {
        for (size_t i = 0; i < modules->count; i++) {
                const struct module *module = &modules->items[i];
                if (!module->wanted || module->soft_before.count + module->soft_after.count == 0)
                        continue;
                buf_printf(ret, "softdep %s", module->name);
                append_names("pre", &module->soft_before, ret);
                append_names("post", &module->soft_after, ret);
                buf_append_char(ret, '\n');
        }
}

void modules_release(struct modules *modules) {
        for (size_t i = 0; i < modules->count; i++) {
                struct module *module = &modules->items[i];
                buf_release(&module->content);
                free(module->depends.items);
                free(module->soft_before.items);
                free(module->soft_after.items);
                free(module->firmware.items);
                free(module->aliases.items);
        }
        free(modules->items);
        free(modules->builtin);
        close_cleanup(&modules->directory);
        arena_release(&modules->arena);
        *modules = (struct modules){ .root = -1, .directory = -1 };
}
