// SPDX-License-Identifier: MIT
// Checks of the keys that nodes trust.
#include "base/err.h"
#include "profile/checks/checks.h"
#include "profile/reader/authorized_key.h"
#include "shared/signed_layer.h"
#include "shared/sshsig.h"

// A single key that is no list stands where the list would.
static const struct place *trusted_key_place(const struct value *keys, size_t index) {
        if (index < keys->count)
                return &keys->items[index]->place;
        return &keys->place;
}

static const char *trusted_key_text(struct loader *loader, const struct ssh_key *key) {
        auto_buf text = { 0 };
        ssh_key_format(key, &text);
        return arena_strdup(loader->arena, buf_text(&text));
}

static void check_trusted_keys(struct loader *loader, const struct cluster_file *file) {
        const struct value *keys = value_get(file->tree, "trusted_keys");
        const struct strings *lines = &file->trusted_keys;
        auto_free struct once *once = xcalloc(lines->count + 1, sizeof *once);
        for (size_t i = 0; i < lines->count; i++) {
                struct ssh_key key;
                auto_err problem = { 0 };
                once[i] = (struct once){ "", trusted_key_place(keys, i) };
                if (ssh_key_parse(lines->items[i], &key, &problem)) {
                        once[i].key = trusted_key_text(loader, &key);
                        continue;
                }
                report(loader->diagnostics, ERR_SCHEMA, once[i].place, "a trusted key: %s", problem.text);
                if (authorized_keys_are_private(lines->items[i]))
                        report_privately(loader->diagnostics);
                report_hint(loader->diagnostics,
                            "put in the line of a .pub file; `ssh-keygen -t ed25519` makes such a key");
        }
        check_once(loader, "trusted key", once, lines->count);
        if (lines->count <= TRUST_KEYS_MAX)
                return;
        report(loader->diagnostics, ERR_SCHEMA, trusted_key_place(keys, TRUST_KEYS_MAX),
               "there are more than %d trusted keys", TRUST_KEYS_MAX);
        report_hint(loader->diagnostics, "take out those that sign nothing any more");
}

void check_trust(struct loader *loader, const struct cluster_file *file) {
        check_trusted_keys(loader, file);
        if (file->secure_boot == SECURE_BOOT_OWN && file->trusted_keys.count == 0) {
                report(
                    loader->diagnostics, ERR_SCHEMA, schema_place(file->tree, "secure_boot"),
                    "secure_boot: own needs trusted_keys: a kernel image that takes anybody's configuration and root "
                    "protects nothing");
                report_hint(loader->diagnostics, "add the public key that --sign will use");
        }
        if (file->minimum_serial <= 0 || file->trusted_keys.count > 0)
                return;
        report(loader->diagnostics, ERR_SCHEMA, schema_place(file->tree, "minimum_serial"),
               "minimum_serial has no effect: there are no trusted_keys, and what is not signed has no serial");
        report_hint(loader->diagnostics, "add trusted_keys, or take it out");
}
