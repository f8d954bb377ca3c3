// SPDX-License-Identifier: MIT
#include "serve/serve_files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/locations.h"
#include "base/mem.h"
#include "serve/fleet_lock.h"
#include "serve/journal.h"

enum { CONFIG_MAX = 64 << 20 };

char *serve_state_dir(const char *option, const char *cluster) {
        struct arena arena = { 0 };
        const char *systemd = getenv("STATE_DIRECTORY"), *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
        const char *path = option;
        if (!path && systemd && *systemd)
                path = arena_printf(&arena, "%s/%s", systemd, cluster);
        else if (!path && geteuid() == 0)
                path = arena_printf(&arena, "/var/lib/kiln/serve/%s", cluster);
        else if (!path && xdg && *xdg == '/')
                path = arena_printf(&arena, "%s/kiln/serve/%s", xdg, cluster);
        else if (!path)
                path = arena_printf(&arena, "%s/.local/state/kiln/serve/%s", text_or(home, ""), cluster);
        char *absolute = xstrdup(locations_absolute(&arena, path));
        arena_release(&arena);
        return absolute;
}

// Names that kiln serve and its dnsmasq write, or of which a killed one left the temporary file NAME.XXXXXXXX.
static bool is_our_name(const char *name) {
        static const char *const names[] = { "dhcp.conf", "tftp.conf", "hosts", "leases",
                                             "tftp",      "journal",   "lock",  FLEET_LOCKS_NAME };
        for (size_t i = 0; i < lengthof(names); i++) {
                size_t length = strlen(names[i]);
                if (strncmp(name, names[i], length) == 0 && (name[length] == '\0' || name[length] == '.'))
                        return true;
        }
        return false;
}

static bool refuse_directory(const char *path, const char *name, struct err *err) {
        fail(err, ERR_REFERENCE, 0, "%s is no state directory of kiln serve: there is %s in it", path, name);
        return hint(err,
                    "--state takes a directory of its own, which need not be there: what lies in it is replaced, and "
                    "may be given to another user");
}

// A state directory has a lock, which is made before anything else; a new one is empty.
static bool check_is_ours(int dir, const char *path, struct err *err) {
        auto_closedir DIR *stream = NULL;
        struct dirent *entry;
        bool ok = fs_open_listing(dir, &stream, err), has_lock = fs_exists(dir, "lock");
        while (ok && (ok = fs_next_entry(stream, &entry, err)) && entry)
                if (!has_lock || !is_our_name(entry->d_name))
                        return refuse_directory(path, entry->d_name, err);
        return ok;
}

bool serve_files_open(const char *path, int *ret_dir, struct err *err) {
        auto_close int dir = -1;
        if (!fs_mkdirs(AT_FDCWD, path, 0755, err) || !fs_open_dir(AT_FDCWD, path, &dir, err) ||
            !check_is_ours(dir, path, err) || !journal_lock(dir, err) || !fs_remove_tree(dir, "tftp", err) ||
            !fs_mkdirs(dir, "tftp", 0755, err))
                return wrap(err, "the state directory");
        *ret_dir = take_fd(dir);
        return true;
}

bool serve_files_link(int dir, const struct served_builds *builds, const char *id, struct err *err) {
        auto_free char *path = served_builds_path(builds, id);
        auto_free char *target = NULL, *link = xasprintf("tftp/%s", id);
        if (!path)
                return fail(err, ERR_REFERENCE, 0, "build %s is gone", id);
        target = xasprintf("%s/%s", builds->path, path);
        if (symlinkat(target, dir, link) < 0 && errno != EEXIST)
                return fail(err, ERR_SYSTEM, errno, "link %s for TFTP", id);
        return true;
}

// Leaves a file that has this text already. `changed` becomes true once it was written.
static bool write_changed(int dir, const char *name, const struct buf *text, bool *changed, struct err *err) {
        auto_buf before = { .max = CONFIG_MAX };
        auto_err ignored = { 0 };
        bool is_same = fs_read(dir, name, &before, &ignored) && before.size == text->size &&
                       memcmp(buf_text(&before), buf_text(text), text->size) == 0;
        if (is_same)
                return true;
        if (!fs_write_atomic(dir, name, buf_text(text), text->size, 0644, err))
                return false;
        *changed = true;
        return true;
}

bool serve_files_write(int dir, const char *path, const struct dnsmasq_config *config, bool *config_changed,
                       bool *hosts_changed, struct err *err) {
        assert(dir >= 0 && path && config && config_changed && hosts_changed);
        auto_buf dhcp = { 0 }, hosts = { 0 }, tftp = { 0 };
        auto_free char *hosts_path = xasprintf("%s/hosts", path), *tftp_root = xasprintf("%s/tftp", path);
        bool ignored = false;
        dnsmasq_hosts(config->cluster, "", &hosts);
        dnsmasq_tftp_config(config, tftp_root, &tftp);
        if (config->dhcp != SERVE_DHCP_NONE)
                dnsmasq_dhcp_config(config, hosts_path, &dhcp);
        return write_changed(dir, "hosts", &hosts, hosts_changed, err) &&
               write_changed(dir, "dhcp.conf", &dhcp, config_changed, err) &&
               write_changed(dir, "tftp.conf", &tftp, &ignored, err);
}
