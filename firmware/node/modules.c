#include "firmware/node/modules.h"

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

enum { TABLE_MAX = 16 << 20, ROUNDS_MAX = 8 };

struct module {
        const char *path; // as modules.dep has it, below the directory or absolute
        char *needs;      // paths, separated by blanks
        bool done;
};

struct alias {
        const char *pattern, *module;
};

struct table {
        char directory[sizeof(((struct utsname *)0)->release) + 16];
        struct buf dependencies, aliases; // the files' text, which the rest points into
        struct module *modules;
        size_t module_count;
        struct alias *items;
        size_t item_count;
};

static void table_release(struct table *table) {
        buf_release(&table->dependencies);
        buf_release(&table->aliases);
        free(table->modules);
        free(table->items);
}
#define auto_table __attribute__((cleanup(table_release))) struct table

static bool read_text(const char *directory, const char *name, struct buf *ret, struct err *err) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", directory, name);
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        ret->max = TABLE_MAX;
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        return buf_read_fd(ret, fd, err) || wrap(err, "%s", path);
}

static void parse_dependencies(struct table *table) {
        char *save = NULL, *text = table->dependencies.data;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *colon = strchr(line, ':');
                if (!colon)
                        continue;
                *colon = '\0';
                struct module *module = array_append(&table->modules, &table->module_count);
                *module = (struct module){ line, colon + 1, false };
        }
}

static void parse_aliases(struct table *table) {
        char *save = NULL, *text = table->aliases.data;
        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *inner = NULL, *word = strtok_r(line, " ", &inner);
                const char *pattern = strtok_r(NULL, " ", &inner), *module = strtok_r(NULL, " ", &inner);
                if (!word || strcmp(word, "alias") != 0 || !module)
                        continue;
                struct alias *alias = array_append(&table->items, &table->item_count);
                *alias = (struct alias){ pattern, module };
        }
}

static bool table_read(struct table *table, struct err *err) {
        struct utsname name;
        if (uname(&name) < 0)
                return fail(err, ERR_SYSTEM, errno, "uname");
        snprintf(table->directory, sizeof table->directory, "/lib/modules/%s", name.release);
        if (!read_text(table->directory, "modules.dep", &table->dependencies, err) ||
            !read_text(table->directory, "modules.alias", &table->aliases, err))
                return false;
        parse_dependencies(table);
        parse_aliases(table);
        return true;
}

// "kernel/drivers/cdrom/sr-mod.ko" is "sr_mod".
static bool path_has_name(const char *path, const char *name) {
        const char *slash = strrchr(path, '/');
        const char *at = slash ? slash + 1 : path;
        for (; *name && *at; name++, at++)
                if (*name != *at && !((*name == '_' || *name == '-') && (*at == '_' || *at == '-')))
                        return false;
        return !*name && strncmp(at, ".ko", 3) == 0;
}

static void insert(const struct table *table, const char *path) {
        char whole[PATH_MAX];
        snprintf(whole, sizeof whole, "%s%s%s", *path == '/' ? "" : table->directory, *path == '/' ? "" : "/", path);
        auto_close int fd = open(whole, O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
                (void)!syscall(SYS_finit_module, fd, "", 0);
}

static void load_path(struct table *table, const char *path);

static void load(struct table *table, struct module *module) {
        if (module->done)
                return;
        module->done = true; // before its dependencies: a circle in a damaged table must end
        auto_free char *needs = xstrdup(module->needs);
        char *save = NULL;
        for (char *need = strtok_r(needs, " ", &save); need; need = strtok_r(NULL, " ", &save))
                load_path(table, need);
        insert(table, module->path);
}

static void load_path(struct table *table, const char *path) {
        for (size_t i = 0; i < table->module_count; i++)
                if (strcmp(table->modules[i].path, path) == 0)
                        load(table, &table->modules[i]);
}

static void load_name(struct table *table, const char *name) {
        for (size_t i = 0; i < table->module_count; i++)
                if (path_has_name(table->modules[i].path, name))
                        load(table, &table->modules[i]);
}

bool modules_load(char *const *names, int count, struct err *err) {
        auto_table table = { .module_count = 0 };
        if (!table_read(&table, err))
                return false;
        for (int i = 0; i < count; i++)
                load_name(&table, names[i]);
        return true;
}

static void load_alias(struct table *table, const char *alias) {
        for (size_t i = 0; i < table->item_count; i++)
                if (fnmatch(table->items[i].pattern, alias, 0) == 0)
                        load_name(table, table->items[i].module);
}

static void load_for_device(struct table *table, int devices, const char *name) {
        char path[NAME_MAX + 16], alias[512];
        snprintf(path, sizeof path, "%s/modalias", name);
        auto_close int fd = openat(devices, path, O_RDONLY | O_CLOEXEC);
        ssize_t size = fd < 0 ? -1 : read(fd, alias, sizeof alias - 1);
        if (size <= 0)
                return;
        alias[size] = '\0';
        alias[strcspn(alias, "\n")] = '\0';
        load_alias(table, alias);
}

// One pass over a bus (by hand: glob(3) drags the name service into a static program); the number of devices seen.
static size_t load_for_bus(struct table *table, const char *bus) {
        char path[NAME_MAX + 32];
        snprintf(path, sizeof path, "/sys/bus/%s/devices", bus);
        auto_closedir DIR *devices = opendir(path);
        size_t count = 0;
        for (struct dirent *entry; devices && (entry = readdir(devices));) {
                if (entry->d_name[0] == '.')
                        continue;
                load_for_device(table, dirfd(devices), entry->d_name);
                count++;
        }
        return count;
}

static size_t load_for_all(struct table *table) {
        auto_closedir DIR *buses = opendir("/sys/bus");
        size_t count = 0;
        for (struct dirent *entry; buses && (entry = readdir(buses));)
                if (entry->d_name[0] != '.')
                        count += load_for_bus(table, entry->d_name);
        return count;
}

bool modules_load_for_devices(struct err *err) {
        auto_table table = { .module_count = 0 };
        if (!table_read(&table, err))
                return false;
        size_t before = 0;
        for (int round = 0; round < ROUNDS_MAX; round++) {
                size_t now = load_for_all(&table);
                if (now == before)
                        break;
                before = now;
        }
        return true;
}
