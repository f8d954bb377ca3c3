// SPDX-License-Identifier: MIT
// Which units run: the role's wanted state wins over whatever the packages' scriptlets enabled. Names that the role
// does not mention stay as the packages left them.
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "base/progress.h"
#include "configure/internal.h"
#include "profile/profile.h"
#include "rootfs/tree.h"
#include "shared/place.h"
#include "shared/value.h"

static const struct place *place_of(const struct role *role, const char *name) {
        const struct place *place = role_place(role, name);
        return place ? place : &role->place;
}

static bool fail_absent(struct config *config, const struct unit *unit, const char *name, struct err *err) {
        auto_free char *nearest = NULL;
        const struct role *role = config->role;
        if (unit->masked)
                return fail_at(err, ERR_REFERENCE, place_of(role, name),
                               "role %s: unit \"%s\" is masked, and no installed package has another file for it",
                               role->name, name);
        if (!unit_nearest(config->root, name, &nearest, err))
                return false;
        (void)fail_at(err, ERR_REFERENCE, place_of(role, name), "role %s: no installed package has a unit \"%s\"",
                      role->name, name);
        return nearest ? hint(err, "did you mean \"%s\"?", nearest)
                       : hint(err, "add the package that brings it to packages:");
}

static bool enable(struct config *config, const char *name, struct err *err) {
        struct unit unit;
        bool ok = unit_load(config->root, name, &unit, err);
        if (ok && !unit.file)
                ok = fail_absent(config, &unit, name, err);
        if (ok && !unit.has_install && strstr(unit.file, "/systemd/"))
                warning("role %s: %s has no [Install] section: enabling it does nothing", config->role->name, name);
        ok = ok &&
             (unit_enable(config->root, &unit, err) || wrap(err, "role %s: enabling %s", config->role->name, name));
        unit_release(&unit);
        return ok;
}

// The gate: nothing of the cluster starts on a machine whose identity is not sure. Written for the unit's real
// name, so that an alias is gated too.
static bool gate(struct config *config, const char *name, struct err *err) {
        static const char text[] = "[Unit]\nRequires=kiln-node.service\nAfter=kiln-node.service\n";
        struct unit unit;
        bool ok = unit_load(config->root, name, &unit, err);
        auto_free char *path = xasprintf("/etc/systemd/system/%s.d/10-kiln.conf", ok ? unit.name : name);
        ok = ok && tree_write(config->root, path, text, sizeof text - 1, 0644, 0, 0, err);
        unit_release(&unit);
        return ok;
}

// ---- kiln's own ----

static bool always(const struct config *config) { return config != NULL; }

static bool has_state_disk(const struct config *config) { return config->role->state_disk.wanted; }

static bool reports(const struct config *config) {
        return config->cluster && config->cluster->report_url && *config->cluster->report_url;
}

static const struct {
        const char *name;
        bool (*wanted)(const struct config *config);
} own_units[] = { { "kiln-node.service", always },
                  { "kiln-keep.service", has_state_disk },
                  { "kiln-discard.service", has_state_disk },
                  { "kiln-report.service", reports } };

static void append_presets(struct buf *text, const char *verb, const struct strings *names) {
        for (size_t i = 0; i < names->count; i++)
                buf_printf(text, "%s %s\n", verb, names->items[i]);
}

// The same wishes for a later `systemctl preset-all`. The first match counts, so what is enabled comes first.
static bool write_presets(struct config *config, struct err *err) {
        const struct role *role = config->role;
        auto_buf text = { 0 };
        for (size_t i = 0; i < lengthof(own_units); i++)
                if (own_units[i].wanted(config))
                        buf_printf(&text, "enable %s\n", own_units[i].name);
        append_presets(&text, "enable", &role->services_cluster);
        append_presets(&text, "enable", &role->services_enable);
        append_presets(&text, "disable", &role->services_disable);
        return tree_write(config->root, "/etc/systemd/system-preset/10-kiln.preset", text.data, text.size, 0644, 0, 0,
                          err);
}

static bool write_default_target(struct config *config, struct err *err) {
        const char *target = config->role->default_target;
        struct unit unit;
        if (!target || !*target)
                return true;
        bool ok = unit_load(config->root, target, &unit, err);
        if (ok && !unit.file)
                ok = fail_absent(config, &unit, target, err);
        ok = ok && tree_link(config->root, "/etc/systemd/system/default.target", unit.file, err);
        unit_release(&unit);
        return ok;
}

bool services_write(struct config *config, struct err *err) {
        const struct role *role = config->role;
        for (size_t i = 0; i < role->services_disable.count; i++)
                if (!unit_disable(config->root, role->services_disable.items[i], err))
                        return wrap(err, "disabling %s", role->services_disable.items[i]);
        for (size_t i = 0; i < role->services_enable.count; i++)
                if (!enable(config, role->services_enable.items[i], err))
                        return false;
        for (size_t i = 0; i < role->services_cluster.count; i++)
                if (!enable(config, role->services_cluster.items[i], err) ||
                    !gate(config, role->services_cluster.items[i], err))
                        return false;
        for (size_t i = 0; i < lengthof(own_units); i++)
                if (own_units[i].wanted(config) && !enable(config, own_units[i].name, err))
                        return false;
        return write_presets(config, err) && write_default_target(config, err);
}
