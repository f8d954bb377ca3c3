// SPDX-License-Identifier: MIT
#include "firmware/node/devices/module_load.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "base/buf.h"
#include "base/mem.h"

enum { TABLE_MAX = 16 << 20, COMMAND_LINE_MAX = 1 << 16, ROUNDS_MAX = 8 };

struct module {
        const char *path; // as modules.dep has it, below the directory or absolute
        char *needs;      // paths, separated by blanks
        bool done;
};

struct alias {
        const char *pattern, *module;
        size_t literal; // bytes of the pattern before its first special one
};

struct modules {
        char directory[sizeof(((struct utsname *)0)->release) + 16];
        struct buf dependencies, aliases; // the files' text, which the rest points into
        struct buf command_line;          // the kernel's, for parameters of modules
        enum module_kind kind;
        struct module *modules;
        size_t module_count;
        struct alias *items;
        size_t item_count;
};

static void tables_release(struct modules *modules) {
        buf_release(&modules->dependencies);
        buf_release(&modules->aliases);
        buf_release(&modules->command_line);
        free(modules->modules);
        free(modules->items);
}

static bool read_module_text(const char *directory, const char *name, struct buf *ret, struct err *err) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", directory, name);
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        ret->max = TABLE_MAX;
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        return buf_read_fd(ret, fd, err) || wrap(err, "%s", path);
}

static void parse_dependencies(struct modules *modules) {
        char *save = NULL, *text = modules->dependencies.data;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *colon = strchr(line, ':');
                if (!colon)
                        continue;
                *colon = '\0';
                struct module *module = array_append(&modules->modules, &modules->module_count);
                *module = (struct module){ line, colon + 1, false };
        }
}

static void parse_aliases(struct modules *modules) {
        char *save = NULL, *text = modules->aliases.data;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *inner = NULL, *word = strtok_r(line, " ", &inner);
                const char *pattern = strtok_r(NULL, " ", &inner), *module = strtok_r(NULL, " ", &inner);
                if (!word || strcmp(word, "alias") != 0 || !module)
                        continue;
                struct alias *alias = array_append(&modules->items, &modules->item_count);
                *alias = (struct alias){ pattern, module, strcspn(pattern, "*?[\\") };
        }
}

static bool read_module_tables(struct modules *modules, struct err *err) {
        struct utsname name;
        if (uname(&name) < 0)
                return fail(err, ERR_SYSTEM, errno, "uname");
        snprintf(modules->directory, sizeof modules->directory, "/lib/modules/%s", name.release);
        if (!read_module_text(modules->directory, "modules.dep", &modules->dependencies, err) ||
            !read_module_text(modules->directory, "modules.alias", &modules->aliases, err))
                return false;
        parse_dependencies(modules);
        parse_aliases(modules);
        // Without it modules load all the same.
        auto_close int fd = open("/proc/cmdline", O_RDONLY | O_CLOEXEC);
        auto_err ignored = { 0 };
        modules->command_line.max = COMMAND_LINE_MAX;
        if (fd >= 0)
                (void)!buf_read_fd(&modules->command_line, fd, &ignored);
        return true;
}

// "kernel/drivers/cdrom/sr-mod.ko" is "sr_mod".
static bool path_has_name(const char *path, const char *name) {
        const char *slash = strrchr(path, '/'), *at = path;
        if (slash)
                at = slash + 1;
        for (; *name && *at; name++, at++)
                if (*name != *at && !((*name == '_' || *name == '-') && (*at == '_' || *at == '-')))
                        return false;
        return !*name && strncmp(at, ".ko", 3) == 0;
}

// ---- inserting ----

struct default_parameter {
        const char *module, *parameters;
};

// What no one waits for: a second in which a USB disk might spin up; a device that is not ready is asked again.
static const struct default_parameter default_parameters[] = { { "usb_storage", "delay_use=0" } };

// "MODULE.PARAMETER=VALUE" of the kernel command line, as modprobe(8) does it; the last one wins.
static void add_parameters(const struct modules *modules, const char *path, struct buf *ret) {
        for (size_t i = 0; i < lengthof(default_parameters); i++)
                if (path_has_name(path, default_parameters[i].module))
                        buf_append_text(ret, default_parameters[i].parameters);
        auto_free char *words = xstrdup(buf_text(&modules->command_line));
        char *save = NULL;
        for (char *word = strtok_r(words, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
                char *dot = strchr(word, '.'), *equals = strchr(word, '=');
                if (!dot || (equals && equals < dot))
                        continue;
                *dot = '\0';
                if (!path_has_name(path, word))
                        continue;
                if (ret->size > 0)
                        buf_append_char(ret, ' ');
                buf_append_text(ret, dot + 1);
        }
}

// The parameter is every module's since Linux 4.2; EL7's 3.10 loads no module with one that it does not know.
static bool insert_asynchronously(int fd, const char *parameters) {
        auto_free char *more = xasprintf("async_probe %s", parameters);
        return syscall(SYS_finit_module, fd, more, 0) == 0;
}

static void insert(const struct modules *modules, const char *path) {
        char whole[PATH_MAX];
        const char *directory = modules->directory, *separator = "/";
        auto_buf parameters = { .max = COMMAND_LINE_MAX };
        if (*path == '/')
                directory = separator = "";
        snprintf(whole, sizeof whole, "%s%s%s", directory, separator, path);
        auto_close int fd = open(whole, O_RDONLY | O_CLOEXEC);
        add_parameters(modules, path, &parameters);
        if (fd < 0)
                return;
        if (modules->kind == MODULES_MEDIUM && insert_asynchronously(fd, buf_text(&parameters)))
                return;
        (void)!syscall(SYS_finit_module, fd, buf_text(&parameters), 0);
}

static void load_path(struct modules *modules, const char *path);

static void load_module(struct modules *modules, struct module *module) {
        if (module->done)
                return;
        module->done = true; // before its dependencies: a circle in a damaged table must end
        auto_free char *needs = xstrdup(module->needs);
        char *save = NULL;
        for (char *need = strtok_r(needs, " ", &save); need; need = strtok_r(NULL, " ", &save))
                load_path(modules, need);
        insert(modules, module->path);
}

static void load_path(struct modules *modules, const char *path) {
        for (size_t i = 0; i < modules->module_count; i++)
                if (strcmp(modules->modules[i].path, path) == 0)
                        load_module(modules, &modules->modules[i]);
}

static void load_name(struct modules *modules, const char *name) {
        for (size_t i = 0; i < modules->module_count; i++)
                if (path_has_name(modules->modules[i].path, name))
                        load_module(modules, &modules->modules[i]);
}

// ---- by device ----

// Whether the way to the root needs this driver: probing a RAID controller, or a network card that loads its firmware,
// takes seconds.
static bool is_of_kind(const struct module *module, enum module_kind kind) {
        static const struct {
                enum module_kind not_for;
                const char *part;
        } apart[] = { { MODULES_STORAGE, "/drivers/net/" },   { MODULES_NETWORK, "/drivers/scsi/" },
                      { MODULES_NETWORK, "/drivers/ata/" },   { MODULES_NETWORK, "/drivers/nvme/" },
                      { MODULES_NETWORK, "/drivers/block/" }, { MODULES_NETWORK, "/usb/storage/" } };
        if (kind == MODULES_MEDIUM)
                kind = MODULES_STORAGE;
        for (size_t i = 0; i < lengthof(apart); i++)
                if (apart[i].not_for == kind && strstr(module->path, apart[i].part))
                        return false;
        return true;
}

static void load_driver(struct modules *modules, const char *name) {
        for (size_t i = 0; i < modules->module_count; i++)
                if (path_has_name(modules->modules[i].path, name) && is_of_kind(&modules->modules[i], modules->kind))
                        load_module(modules, &modules->modules[i]);
}

// A thousand patterns for each of a hundred devices: almost all differ before the first wildcard.
static bool alias_matches(const struct alias *item, const char *alias) {
        return strncmp(item->pattern, alias, item->literal) == 0 &&
               fnmatch(item->pattern + item->literal, alias + item->literal, 0) == 0;
}

void modules_load_alias(struct modules *modules, const char *alias) {
        for (size_t i = 0; i < modules->item_count; i++)
                if (alias_matches(&modules->items[i], alias))
                        load_driver(modules, modules->items[i].module);
}

static void load_for_device(struct modules *modules, int devices, const char *name) {
        char path[NAME_MAX + 16], alias[512];
        snprintf(path, sizeof path, "%s/modalias", name);
        auto_close int fd = openat(devices, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return;
        ssize_t size = read(fd, alias, sizeof alias - 1);
        if (size <= 0)
                return;
        alias[size] = '\0';
        alias[strcspn(alias, "\n")] = '\0';
        modules_load_alias(modules, alias);
}

// One pass over a bus (by hand: glob(3) drags the name service into a static program); the number of devices seen.
static size_t load_for_bus(struct modules *modules, const char *bus) {
        char path[NAME_MAX + 32];
        snprintf(path, sizeof path, "/sys/bus/%s/devices", bus);
        auto_closedir DIR *devices = opendir(path);
        size_t count = 0;
        for (struct dirent *entry; devices && (entry = readdir(devices));) {
                if (entry->d_name[0] == '.')
                        continue;
                load_for_device(modules, dirfd(devices), entry->d_name);
                count++;
        }
        return count;
}

static size_t load_for_all(struct modules *modules) {
        auto_closedir DIR *buses = opendir("/sys/bus");
        size_t count = 0;
        for (struct dirent *entry; buses && (entry = readdir(buses));)
                if (entry->d_name[0] != '.')
                        count += load_for_bus(modules, entry->d_name);
        return count;
}

void modules_load_drivers(struct modules *modules) {
        size_t before = 0;
        for (int round = 0; round < ROUNDS_MAX; round++) {
                size_t now = load_for_all(modules);
                if (now == before)
                        break;
                before = now;
        }
}

// ---- the whole ----

bool modules_open(enum module_kind kind, struct modules **ret, struct err *err) {
        struct modules *modules = xcalloc(1, sizeof *modules);
        modules->kind = kind;
        if (!read_module_tables(modules, err)) {
                modules_close(modules);
                return false;
        }
        *ret = modules;
        return true;
}

void modules_close(struct modules *modules) {
        if (modules)
                tables_release(modules);
        free(modules);
}

bool modules_load(char *const *names, int count, struct err *err) {
        struct modules *modules;
        if (!modules_open(MODULES_ALL, &modules, err))
                return false;
        for (int i = 0; i < count; i++)
                load_name(modules, names[i]);
        modules_close(modules);
        return true;
}

bool modules_load_for_devices(enum module_kind kind, struct err *err) {
        struct modules *modules;
        if (!modules_open(kind, &modules, err))
                return false;
        modules_load_drivers(modules);
        modules_close(modules);
        return true;
}
