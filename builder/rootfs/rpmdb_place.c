// SPDX-License-Identifier: MIT
#include "rootfs/rpmdb_place.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"

#define USUAL_PLACE "/var/lib/rpm"
#define MACROS "usr/lib/rpm/macros"

static const char unpacked[] = "rpm-package";

// What a definition of %_dbpath begins with, and what stands for it.
static const struct {
        const char *macro, *path;
} directories[] = {
        { "%{_var}", "/var" },
        { "%{_localstatedir}", "/var" },
        { "%{_usr}", "/usr" },
        { "%{_prefix}", "/usr" },
        { "%{_sharedstatedir}", "/var/lib" },
        { "%{_libdir}", "/usr/lib64" },
        { "%{_rpmconfigdir}", "/usr/lib/rpm" },
        { "", "" },
};

// Heap. NULL: it is no path, or of macros that are not known here.
static char *expand_rpmdb_place(const char *text) {
        size_t i = 0;
        while (strncmp(text, directories[i].macro, strlen(directories[i].macro)) != 0)
                i++; // the last one begins every text
        auto_free char *path = xasprintf("%s%s", directories[i].path, text + strlen(directories[i].macro));
        if (*path != '/' || !path[1] || strchr(path, '%') || !fs_path_is_safe(path + 1))
                return NULL;
        return take_ptr(path);
}

// The last definition counts, as rpm has it.
static char *find_rpmdb_place(char *macros) {
        static const char name[] = "%_dbpath";
        char *found = NULL;
        char *line;
        while ((line = strsep(&macros, "\n")) != NULL) {
                while (*line == ' ' || *line == '\t')
                        line++;
                bool is_it = strncmp(line, name, sizeof name - 1) == 0 && isspace((unsigned char)line[sizeof name - 1]);
                if (!is_it)
                        continue;
                char *value = line + sizeof name;
                value += strspn(value, " \t");
                value[strcspn(value, " \t\r")] = '\0';
                free(found);
                found = expand_rpmdb_place(value);
        }
        return found;
}

// Where the rpm in a tree has its database; heap; NULL: there is no rpm, or it does not say.
static bool read_rpmdb_place(int tree, char **ret, struct err *err) {
        enum { MACROS_MAX = 1 << 20 };
        auto_close int fd = -1;
        auto_buf text = { .max = MACROS_MAX };
        auto_err absent = { 0 };
        *ret = NULL;
        if (!fs_open_in_root(tree, MACROS, O_RDONLY | O_NONBLOCK, 0, &fd, &absent))
                return true;
        struct stat stat;
        if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode))
                return true;
        if (!buf_read_fd(&text, fd, err))
                return false;
        if (text.size > 0)
                *ret = find_rpmdb_place(text.data);
        return true;
}

static const struct package *find_rpm_package(const struct package_set *set) {
        for (size_t i = 0; i < set->count; i++)
                if (strcmp(set->items[i]->name, "rpm") == 0)
                        return set->items[i];
        return NULL;
}

// What the package rpm of the set says; it is not installed yet.
static bool place_of_package(const struct package_set *set, int scratch, char **ret, struct err *err) {
        const struct package *package = find_rpm_package(set);
        auto_close int dir = -1;
        *ret = NULL;
        if (!package)
                return true;
        return fs_mkdirs(scratch, unpacked, 0755, err) && fs_open_dir(scratch, unpacked, &dir, err) &&
               package_extract(package, dir, err) && read_rpmdb_place(dir, ret, err) &&
               fs_remove_tree(scratch, unpacked, err);
}

static bool make_rpmdb_place(const char *path, int tree, struct err *err) {
        auto_free char *target = xasprintf("../..%s", path);
        return fs_mkdirs(tree, path + 1, 0755, err) && fs_mkdirs(tree, "var/lib", 0755, err) &&
               (symlinkat(target, tree, &USUAL_PLACE[1]) == 0 || fail(err, ERR_SYSTEM, errno, "link " USUAL_PLACE));
}

bool rpmdb_place_make(const struct release *release, const struct package_set *set, int scratch, int tree,
                      struct err *err) {
        assert(set);
        auto_free char *found = NULL;
        if (!release->rpmdb_path && !place_of_package(set, scratch, &found, err))
                return wrap(err, "looking for the place of rpm's database");
        const char *path = text_or(release->rpmdb_path, found);
        if (!path || strcmp(path, USUAL_PLACE) == 0)
                return true;
        return make_rpmdb_place(path, tree, err);
}

// Whether two paths of a root lead to one directory.
static bool rpmdb_place_is(int root, const char *left, const char *right) {
        auto_err ignored = { 0 };
        auto_close int one = -1;
        auto_close int other = -1;
        struct stat stats[2];
        return fs_open_in_root(root, left, O_PATH | O_DIRECTORY, 0, &one, &ignored) &&
               fs_open_in_root(root, right, O_PATH | O_DIRECTORY, 0, &other, &ignored) && fstat(one, &stats[0]) == 0 &&
               fstat(other, &stats[1]) == 0 && stats[0].st_dev == stats[1].st_dev && stats[0].st_ino == stats[1].st_ino;
}

bool rpmdb_place_check(const struct release *release, int root, struct err *err) {
        auto_free char *wanted = NULL;
        auto_close int there = -1;
        auto_err absent = { 0 };
        if (!read_rpmdb_place(root, &wanted, err))
                return false;
        bool is_empty = !fs_open_in_root(root, USUAL_PLACE, O_PATH | O_DIRECTORY, 0, &there, &absent);
        if (!wanted || is_empty || rpmdb_place_is(root, USUAL_PLACE, wanted))
                return true;
        if (release->rpmdb_path) {
                warning("release %s: the image's own rpm looks for its database in %s (%%_dbpath), and `rpmdb_path` "
                        "has it in %s: rpm -qa on a node will list nothing",
                        release->name, wanted, release->rpmdb_path);
                return true;
        }
        fail(err, ERR_TRANSACTION, 0,
             "the image's own rpm looks for its database in %s (%%_dbpath in /" MACROS "), but it is in " USUAL_PLACE
             " already, made for roles that have no rpm",
             wanted);
        return hint(err, "add `rpmdb_path: %s` to the release file %s", wanted, text_or(release->path, release->name));
}
