// SPDX-License-Identifier: MIT
// Signatures beside what they sign, in OpenSSH's format: of SHA256SUMS and manifest.json, and of each role's boot.sums,
// for loaders that fetch by HTTP. Nothing that is signed names them, and they are written last.
#include <string.h>

#include "artefact/internal.h"
#include "base/fs.h"
#include "base/mem.h"

char *signature_subject(const char *path) {
        static const char *const signed_names[] = { "manifest.json", "SHA256SUMS" };
        size_t size = strlen(path), end = strlen(SIGNATURE_SUFFIX);
        if (size <= end || strcmp(path + size - end, SIGNATURE_SUFFIX) != 0)
                return NULL;
        auto_free char *subject = xstrndup(path, size - end);
        const char *slash = strchr(subject, '/');
        bool is_signed = slash && strcmp(slash + 1, BOOT_SUMS_NAME) == 0;
        for (size_t i = 0; i < lengthof(signed_names); i++)
                is_signed |= strcmp(subject, signed_names[i]) == 0;
        if (!is_signed)
                return NULL;
        return take_ptr(subject);
}

static bool sign_file(const struct artefact_build *build, int dir, const char *name, const char *namespace,
                      struct err *err) {
        auto_buf text = { 0 };
        auto_buf armored = { 0 };
        auto_free char *path = xasprintf("%s" SIGNATURE_SUFFIX, name);
        if (!fs_exists(dir, name))
                return true; // not asked for, by --only
        if (!fs_read(dir, name, &text, err) ||
            !signer_sign(build->signer, namespace, buf_text(&text), text.size, &armored, err))
                return wrap(err, "signing %s", name);
        return fs_write(dir, path, buf_text(&armored), armored.size, 0644, err);
}

bool boot_sums_sign(const struct artefact_build *build, const struct artefact_role *role, struct buf *ret,
                    struct err *err) {
        const struct kept_signatures *kept = build->kept;
        auto_buf text = { 0 };
        if (!fs_read(role->out, BOOT_SUMS_NAME, &text, err))
                return false;
        if (build->signer)
                return signer_sign(build->signer, SSHSIG_LAYER, buf_text(&text), text.size, ret, err);
        for (size_t i = 0; kept && i < kept->count; i++)
                if (strcmp(kept->items[i].role, role->role->name) == 0)
                        buf_append_text(ret, text_or(kept->items[i].boot_sums, ""));
        return true;
}

static bool signatures_write(struct artefact_build *build, struct artefact_role *none, struct err *err) {
        (void)none;
        if (!build->signer)
                return true;
        for (size_t i = 0; i < build->role_count; i++)
                if (!sign_file(build, build->roles[i].out, BOOT_SUMS_NAME, SSHSIG_LAYER, err))
                        return wrap(err, "role %s", build->roles[i].role->name);
        return sign_file(build, build->out, "manifest.json", SSHSIG_BUILD, err) &&
               sign_file(build, build->out, "SHA256SUMS", SSHSIG_BUILD, err);
}

static const char *const needs[] = { "sums", NULL };

const struct artefact_kind signatures_kind = {
        .name = "signatures",
        .description = "signatures of what is published, with --sign",
        .needs = needs,
        .write = signatures_write,
};
