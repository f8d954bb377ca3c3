// SPDX-License-Identifier: MIT
#include "build/build_sign.h"

#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/progress.h"
#include "shared/node_config.h"

static bool is_trusted_key(const struct cluster *cluster, const struct ssh_key *key) {
        for (size_t i = 0; i < cluster->trusted_key_count; i++)
                if (ssh_key_equal(&cluster->trusted_keys[i], key))
                        return true;
        return false;
}

static bool refuse_signer(const struct cluster *cluster, const struct ssh_key *key, struct err *err) {
        auto_buf fingerprint = { 0 };
        auto_buf line = { 0 };
        ssh_key_fingerprint(key, &fingerprint);
        ssh_key_format(key, &line);
        fail(err, ERR_SIGNATURE, 0,
             "the nodes of cluster %s would refuse this build: its key %s is not in trusted_keys", cluster->name,
             buf_text(&fingerprint));
        return hint(err, "sign with a key of trusted_keys, or add `%s` to them in %s", buf_text(&line), cluster->path);
}

bool build_check_signer(const struct cluster *cluster, const struct build_options *options, struct err *err) {
        if (cluster->trusted_key_count == 0)
                return true;
        if (options->signer && !is_trusted_key(cluster, signer_key(options->signer)))
                return refuse_signer(cluster, signer_key(options->signer), err);
        if (!options->signer && !options->kept)
                warning("cluster %s has trusted_keys: its nodes refuse this build, which is not signed (--sign KEY)",
                        cluster->name);
        if (options->serial >= cluster->minimum_serial)
                return true;
        fail(err, ERR_CLUSTER, 0,
             "the nodes of cluster %s would refuse this build: serial %llu is below minimum_serial %llu", cluster->name,
             (unsigned long long)options->serial, (unsigned long long)cluster->minimum_serial);
        return hint(err, "give it a higher --serial, one that rises with each release");
}

// The same key gives the same signature.
static bool is_certified(const struct secure_boot_key *key, const struct buf *published) {
        struct pe_image image;
        auto_buf certified = { 0 };
        auto_err ignored = { 0 };
        return pe_image_read(published->data, published->size, &image, &ignored) &&
               secure_boot_sign(key, &image, &certified, &ignored) && certified.size == published->size &&
               memcmp(certified.data, published->data, published->size) == 0;
}

bool build_is_certified(const struct build *build) {
        const struct build_options *options = build->options;
        if (!options->secure_boot)
                return true;
        for (size_t i = 0; i < build->role_count; i++) {
                auto_free char *path = xasprintf("%s/%s/" UKI_NAME, build->id, build->roles[i].role->name);
                auto_buf published = { 0 };
                auto_err ignored = { 0 };
                if (!fs_exists(build->publication.dir, path))
                        continue;
                if (!fs_read(build->publication.dir, path, &published, &ignored) ||
                    !is_certified(options->secure_boot, &published))
                        return false;
        }
        return true;
}

bool build_is_signed(const struct publication *publication, const char *build_id, const struct signer *signer) {
        auto_free char *path = xasprintf("%s/SHA256SUMS", build_id);
        auto_free char *signature_path = xasprintf("%s" SIGNATURE_SUFFIX, path);
        auto_buf sums = { 0 };
        auto_buf armored = { .max = SSHSIG_TEXT_MAX + NODE_READ_ROOM_BYTES };
        auto_err ignored = { 0 };
        if (!signer)
                return true;
        return fs_read(publication->dir, path, &sums, &ignored) &&
               fs_read(publication->dir, signature_path, &armored, &ignored) &&
               signature_check(path, &armored, SSHSIG_BUILD, buf_text(&sums), sums.size, signer_key(signer), 1, NULL,
                               &ignored);
}
