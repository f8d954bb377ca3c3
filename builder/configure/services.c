// SPDX-License-Identifier: MIT
// Which units run: the role's wanted state wins over whatever the packages' scriptlets enabled. Names that the role
// does not mention stay as the packages left them.
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "base/progress.h"
#include "configure/configure.h"
#include "configure/internal.h"
#include "configure/unit.h"
#include "profile/profile.h"
#include "rootfs/tree.h"
#include "shared/place.h"
#include "shared/value.h"

// Where the role names the unit, or where it begins.
static const struct place *place_of_unit(const struct role *role, const char *name) {
        const struct place *place = role_place(role, name);
        return place ? place : &role->place;
}

static bool fail_absent_unit(struct config *config, const struct unit *unit, const char *name, struct err *err) {
        const struct role *role = config->role;
        const struct place *place = place_of_unit(role, name);
        auto_free char *nearest = NULL;
        if (unit->masked)
                return fail_at(err, ERR_REFERENCE, place,
                               "role %s: unit \"%s\" is masked, and no installed package has another file for it",
                               role->name, name);
        if (!unit_nearest(config->root, name, &nearest, err))
                return false;
        (void)fail_at(err, ERR_REFERENCE, place, "role %s: no installed package has a unit \"%s\"", role->name, name);
        if (nearest)
                return hint(err, "did you mean \"%s\"?", nearest);
        return hint(err, "add the package that brings it to packages:");
}

bool unit_load_wanted(struct config *config, const char *name, struct unit *ret, struct err *err) {
        if (!unit_load(config->root, name, ret, err))
                return false;
        return ret->file || fail_absent_unit(config, ret, name, err);
}

static bool enable_loaded_unit(struct config *config, const struct unit *unit, const char *name, struct err *err) {
        bool is_script = !strstr(unit->file, "/systemd/");
        if (!unit->has_install && !is_script)
                warning("role %s: %s has no [Install] section: enabling it does nothing", config->role->name, name);
        return unit_enable(config->root, unit, err) || wrap(err, "role %s: enabling %s", config->role->name, name);
}

static bool enable_unit(struct config *config, const char *name, struct err *err) {
        struct unit unit;
        bool ok = unit_load_wanted(config, name, &unit, err) && enable_loaded_unit(config, &unit, name, err);
        unit_release(&unit);
        return ok;
}

// A unit of the cluster starts only after kiln-node has found out which machine this is. The drop-in is written for the
// unit's real name, so that an alias waits too.
static bool gate_unit(struct config *config, const char *name, struct err *err) {
        static const char text[] = "[Unit]\nRequires=kiln-node.service\nAfter=kiln-node.service\n";
        struct unit unit;
        bool ok = unit_load(config->root, name, &unit, err);
        auto_free char *path = xasprintf(UNIT_CONFIG_DIR "/%s.d/10-kiln.conf", unit.name);
        ok = ok && tree_write(config->root, path, text, sizeof text - 1, 0644, 0, 0, err);
        unit_release(&unit);
        return ok;
}

// ---- kiln's own ----

static bool wants_always(const struct config *config) { return config != NULL; }

static bool wants_state_disk(const struct config *config) { return config->role->state_disk.wanted; }

static bool wants_reports(const struct config *config) {
        return config->cluster && config->cluster->report_url && *config->cluster->report_url;
}

static bool wants_status(const struct config *config) { return config->cluster && config->cluster->status_port != 0; }

// They are started by the units that require them (secret_units.c), or by their socket.
static bool wants_never(const struct config *config) { return config == NULL; }

static const struct {
        const char *name;
        bool (*wanted)(const struct config *config);
} own_units[] = { { "kiln-node.service", wants_always },        { "kiln-network.service", wants_always },
                  { "kiln-reconsider.service", wants_always },  { "kiln-keep.service", wants_state_disk },
                  { "kiln-discard.service", wants_state_disk }, { "kiln-report.service", wants_reports },
                  { "kiln-status.socket", wants_status },       { "kiln-status.service", wants_never },
                  { "kiln-secret@.service", wants_never } };

const char *configure_own_unit(size_t index) {
        if (index >= lengthof(own_units))
                return NULL;
        return own_units[index].name;
}

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
        bool ok = unit_load_wanted(config, target, &unit, err) &&
                  tree_link(config->root, UNIT_CONFIG_DIR "/default.target", unit.file, err);
        unit_release(&unit);
        return ok;
}

static bool disable_units(struct config *config, const struct strings *names, struct err *err) {
        for (size_t i = 0; i < names->count; i++)
                if (!unit_disable(config->root, names->items[i], err))
                        return wrap(err, "disabling %s", names->items[i]);
        return true;
}

static bool enable_units(struct config *config, const struct strings *names, struct err *err) {
        for (size_t i = 0; i < names->count; i++)
                if (!enable_unit(config, names->items[i], err))
                        return false;
        return true;
}

static bool enable_cluster_units(struct config *config, const struct strings *names, struct err *err) {
        for (size_t i = 0; i < names->count; i++)
                if (!enable_unit(config, names->items[i], err) || !gate_unit(config, names->items[i], err))
                        return false;
        return true;
}

// The unit itself has a port that only the machine can reach.
static bool write_status_port(struct config *config, struct err *err) {
        if (!wants_status(config))
                return true;
        auto_free char *text =
            xasprintf("[Socket]\nListenStream=\nListenStream=0.0.0.0:%d\n", config->cluster->status_port);
        return tree_write(config->root, UNIT_CONFIG_DIR "/kiln-status.socket.d/10-kiln.conf", text, strlen(text), 0644,
                          0, 0, err);
}

static bool enable_own_units(struct config *config, struct err *err) {
        for (size_t i = 0; i < lengthof(own_units); i++)
                if (own_units[i].wanted(config) && !enable_unit(config, own_units[i].name, err))
                        return false;
        return true;
}

bool services_write(struct config *config, struct err *err) {
        const struct role *role = config->role;
        if (!disable_units(config, &role->services_disable, err) ||
            !enable_units(config, &role->services_enable, err) ||
            !enable_cluster_units(config, &role->services_cluster, err))
                return false;
        return write_status_port(config, err) && enable_own_units(config, err) && write_presets(config, err) &&
               write_default_target(config, err);
}
