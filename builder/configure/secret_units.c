// SPDX-License-Identifier: MIT
// Units that need a secret require kiln-secret@NAME.service, which fails on a node where it has no value: they stay
// down there, and `systemctl --failed` names the secret.
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "configure/internal.h"
#include "configure/unit.h"
#include "profile/profile.h"
#include "rootfs/tree.h"

static void add_units_line(struct buf *text, const char *key, const struct strings *secrets) {
        for (size_t i = 0; i < secrets->count; i++)
                buf_printf(text, "%skiln-secret@%s.service\n", key, secrets->items[i]);
}

// A name that is none would keep nothing down: it fails as one of `services` does.
static bool write_secret_gate(struct config *config, const char *name, const struct strings *secrets, struct err *err) {
        auto_buf text = { 0 };
        struct unit unit;
        bool ok = unit_load_wanted(config, name, &unit, err);
        if (ok) {
                auto_free char *path = xasprintf(UNIT_CONFIG_DIR "/%s.d/11-kiln-secrets.conf", unit.name);
                buf_append_text(&text, "[Unit]\n");
                add_units_line(&text, "Requires=", secrets);
                add_units_line(&text, "After=", secrets);
                ok = tree_write(config->root, path, buf_text(&text), text.size, 0644, 0, 0, err);
        }
        unit_release(&unit);
        return ok;
}

// Of all files that the unit belongs to.
static struct strings secrets_of_unit(struct config *config, const char *name) {
        struct strings secrets = { 0 };
        for (size_t i = 0; i < config->kept_count; i++) {
                const struct kept_template *kept = &config->kept[i];
                for (size_t j = 0; strings_have(kept->services, name) && j < kept->secrets.count; j++)
                        strings_add_once(&config->arena, &secrets, kept->secrets.items[j]);
        }
        return secrets;
}

bool secret_units_write(struct config *config, struct err *err) {
        struct strings units = { 0 };
        for (size_t i = 0; i < config->kept_count; i++) {
                const struct kept_template *kept = &config->kept[i];
                for (size_t j = 0; kept->secrets.count > 0 && j < kept->services->count; j++)
                        strings_add_once(&config->arena, &units, kept->services->items[j]);
        }
        for (size_t i = 0; i < units.count; i++) {
                struct strings secrets = secrets_of_unit(config, units.items[i]);
                if (!write_secret_gate(config, units.items[i], &secrets, err))
                        return wrap(err, "units that need a secret");
        }
        return true;
}
