// SPDX-License-Identifier: MIT
#include "rootfs/system_update.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/run.h"

enum { UNIT_BYTES_MAX = 65536, WORDS_MAX = 8 };

// Their work depends on nothing but the image's files. The last one writes the two files when the others are done.
static const char *const known_units[] = {
        "systemd-sysusers.service", "systemd-hwdb-update.service", "systemd-journal-catalog-update.service",
        "ldconfig.service",         "systemd-update-done.service",
};
static const char done_unit[] = "systemd-update-done.service", hwdb_unit[] = "systemd-hwdb-update.service";
static const char *const unit_directories[] = { "/usr/lib/systemd/system", "/lib/systemd/system",
                                                "/etc/systemd/system" };

struct stamp {
        const char *directory, *path;
        bool is_wanted; // a unit asks
        bool is_stale;  // not all that units wait for is done
};

struct updating {
        struct container_channel *channel;
        struct stamp stamps[2];
        bool is_tried[lengthof(known_units)], is_done[lengthof(known_units)];
};

// Text behind "KEY=" at the beginning of a line, from `text` on; NULL: there is none.
static const char *find_setting(const char *text, const char *key) {
        size_t size = strlen(key);
        for (const char *line = text; line; line = strchr(line, '\n')) {
                line += strspn(line, "\n");
                if (strncmp(line, key, size) == 0 && line[size] == '=')
                        return line + size + 1;
        }
        return NULL;
}

// ---- a tool ----

// `systemd-hwdb update` writes to /etc; an image that has it in /usr made it there.
static bool is_unneeded(const char *unit) {
        return strcmp(unit, hwdb_unit) == 0 && access("/etc/udev/hwdb.bin", F_OK) < 0 &&
               access("/usr/lib/udev/hwdb.bin", F_OK) == 0;
}

// The program and arguments of ExecStart=; known units have neither quotes nor specifiers.
static bool run_tool(char *command, struct err *err) {
        const char *argv[WORDS_MAX + 1] = { NULL };
        char *state = NULL;
        size_t count = 0;
        command += strspn(command, "-@:+!|");
        for (char *word = strtok_r(command, " \t", &state); word && count < WORDS_MAX;
             word = strtok_r(NULL, " \t", &state))
                argv[count++] = word;
        if (count == 0)
                return fail(err, ERR_TRANSACTION, 0, "its unit has no command");
        return run(&(struct run){ .argv = argv }, err);
}

static bool run_tool_of(const struct updating *updating, const char *unit, const char *text) {
        const char *start = find_setting(text, "ExecStart");
        auto_err err = { 0 };
        if (strcmp(unit, done_unit) == 0 || is_unneeded(unit))
                return true;
        start = text_or(start, "");
        auto_free char *command = xstrndup(start, strcspn(start, "\n"));
        auto_free char *task = xasprintf("what %s does", unit);
        container_task(updating->channel, task);
        bool ok = run_tool(command, &err);
        container_task(updating->channel, "");
        if (ok)
                return true;
        auto_free char *message = xasprintf("%s: %s; it will run at every boot", unit, text_or(err.text, "failed"));
        container_warn(updating->channel, message);
        return false;
}

// ---- units ----

static size_t find_known_unit(const char *name) {
        size_t i = 0;
        while (i < lengthof(known_units) && strcmp(known_units[i], name) != 0)
                i++;
        return i;
}

// "|/etc" is one of several conditions of which one is enough.
static bool waits_for(const char *text, const char *directory) {
        for (const char *value = find_setting(text, "ConditionNeedsUpdate"); value;
             value = find_setting(value, "ConditionNeedsUpdate")) {
                size_t size = strlen(directory);
                value += strspn(value, "|");
                if (strncmp(value, directory, size) == 0 && strchr("/\n", value[size]))
                        return true;
        }
        return false;
}

static bool is_update_done(struct updating *updating, const char *name, const char *text) {
        size_t known = find_known_unit(name);
        if (known == lengthof(known_units))
                return false;
        if (!updating->is_tried[known])
                updating->is_done[known] = run_tool_of(updating, name, text);
        updating->is_tried[known] = true;
        return updating->is_done[known];
}

static bool read_unit(const struct fs_entry *entry, void *context, struct err *err) {
        struct updating *updating = context;
        auto_buf text = { .max = UNIT_BYTES_MAX };
        auto_err unread = { 0 };
        (void)err;
        *entry->descend = false;
        if (!S_ISREG(entry->stat->st_mode) || !fs_read(entry->parent, entry->name, &text, &unread))
                return true;
        for (size_t i = 0; i < lengthof(updating->stamps); i++) {
                struct stamp *stamp = &updating->stamps[i];
                if (!waits_for(buf_text(&text), stamp->directory))
                        continue;
                stamp->is_wanted = true;
                if (!is_update_done(updating, entry->name, buf_text(&text)))
                        stamp->is_stale = true;
        }
        return true;
}

// ---- the two files ----

static bool settle_stamp(const struct stamp *stamp, struct err *err) {
        if (stamp->is_wanted && !stamp->is_stale)
                return fs_write(AT_FDCWD, stamp->path, "", 0, 0644, err);
        return unlink(stamp->path) == 0 || errno == ENOENT || errno == ENOTDIR ||
               fail(err, ERR_SYSTEM, errno, "remove %s", stamp->path);
}

bool system_update(struct container_channel *channel, struct err *err) {
        struct updating updating = {
                .channel = channel,
                .stamps = { { .directory = "/etc", .path = "/etc/.updated" },
                            { .directory = "/var", .path = "/var/.updated" } },
        };
        for (size_t i = 0; i < lengthof(unit_directories); i++) {
                auto_close int dir = open(unit_directories[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                if (dir >= 0 && !fs_walk(dir, read_unit, &updating, err))
                        return wrap(err, "%s", unit_directories[i]);
        }
        return settle_stamp(&updating.stamps[0], err) && settle_stamp(&updating.stamps[1], err);
}
