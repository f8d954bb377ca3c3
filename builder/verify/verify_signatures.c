// SPDX-License-Identifier: MIT
#include "verify/verify_signatures.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fs.h"
#include "base/progress.h"
#include "compare/compare_newc.h"
#include "profile/profile.h"
#include "shared/node_config.h"
#include "shared/signed_layer.h"
#include "signing/key_lines.h"
#include "uki/pe_image.h"

enum { SIGNED_MAX_BYTES = 1 << 30, KEYS_MAX = 64 };

struct trusted {
        struct ssh_key keys[KEYS_MAX];
        size_t count;
        char *source; // heap: who says so, for the summary
};

// ---- whom to trust ----

static bool read_key_lines(const char *path, struct trusted *ret, struct err *err) {
        ret->source = xasprintf("--key %s", path);
        return key_lines_read("--key", path, ret->keys, KEYS_MAX, &ret->count, err);
}

static void take_cluster_keys(const struct cluster *cluster, struct trusted *ret) {
        for (size_t i = 0; i < cluster->trusted_key_count && i < KEYS_MAX; i++)
                ret->keys[ret->count++] = cluster->trusted_keys[i];
}

// Overrides by --set are not taken over: the manifest has them, and it is what is to be checked.
static bool read_cluster_keys(const struct published_build *build, const struct verify_options *options,
                              struct arena *arena, struct trusted *ret, struct err *err) {
        struct build_origin origin = { 0 };
        struct cluster *cluster = NULL;
        auto_err unread = { 0 };
        if (!build_origin_read(build->path, arena, &origin, err))
                return false;
        struct profile_options profile = { .release = text_or(options->origin.release, origin.release) };
        const char *const *outside = options->origin.allow_outside;
        if (!outside)
                outside = origin.allow_outside;
        for (; outside && *outside; outside++)
                strings_add_once(arena, &profile.allow_outside, *outside);
        const char *path = text_or(options->origin.cluster, origin.cluster);
        if (!path)
                return true;
        if (!cluster_load(path, &profile, &cluster, &unread)) {
                if (options->origin.cluster)
                        return fail(err, unread.kind, 0, "%s", unread.text);
                notice("%s, from which the build was made, cannot be read, so no trusted_keys are known", path);
                return true;
        }
        take_cluster_keys(cluster, ret);
        ret->source = xasprintf("trusted_keys of %s", path);
        cluster_free(cluster);
        return true;
}

// ---- the signatures ----

// What holds for one build.
struct signatures {
        const struct published_build *build;
        const struct trusted *trusted;
        size_t key_index; // of the key that signed SHA256SUMS
};

static bool read_published(const struct published_build *build, const char *path, size_t max, struct buf *ret,
                           struct err *err) {
        auto_close int fd = -1;
        ret->max = max + NODE_READ_ROOM_BYTES;
        return published_open_file(build, path, &fd, err) && (buf_read_fd(ret, fd, err) || wrap(err, "%s", path));
}

static bool refuse_unsigned(const struct signatures *signatures, const char *path, struct err *err) {
        fail(err, ERR_SIGNATURE, 0, "%s is not signed: there is no %s" SIGNATURE_SUFFIX, signatures->build->path, path);
        return hint(err, "kiln build --sign KEY signs a build that is there already, too");
}

static bool check_signed_file(struct signatures *signatures, const char *path, const char *namespace, struct err *err) {
        auto_buf text = { 0 };
        auto_buf armored = { 0 };
        auto_free char *signature = xasprintf("%s" SIGNATURE_SUFFIX, path);
        auto_free char *subject = xasprintf("%s/%s", signatures->build->path, path);
        if (!fs_exists(signatures->build->dir, signature))
                return refuse_unsigned(signatures, path, err);
        return read_published(signatures->build, path, SIGNED_MAX_BYTES, &text, err) &&
               read_published(signatures->build, signature, SSHSIG_TEXT_MAX, &armored, err) &&
               signature_check(subject, &armored, namespace, buf_text(&text), text.size, signatures->trusted->keys,
                               signatures->trusted->count, &signatures->key_index, err);
}

static bool read_layer_file(const struct published_build *build, const char *role, const char *name, struct buf *ret,
                            bool *ret_found, struct err *err) {
        auto_free char *archive = xasprintf("%s/config.cpio", role);
        auto_free char *path = xasprintf("kiln/%s", name);
        auto_close int fd = -1;
        *ret_found = false;
        if (!fs_exists(build->dir, archive))
                return true;
        if (published_open_file(build, archive, &fd, err) && newc_read_file(fd, path, ret, ret_found, err))
                return true;
        return wrap(err, "%s", archive);
}

static bool check_layer_signature(struct signatures *signatures, const char *role, struct err *err) {
        auto_buf list = { 0 };
        auto_buf armored = { 0 };
        bool has_list, has_signature;
        auto_free char *subject =
            xasprintf("%s/%s/config.cpio: /kiln/" SIGNED_LAYER_NAME, signatures->build->path, role);
        if (!read_layer_file(signatures->build, role, SIGNED_LAYER_NAME, &list, &has_list, err) ||
            !read_layer_file(signatures->build, role, SIGNED_LAYER_SIGNATURE, &armored, &has_signature, err))
                return false;
        if (!has_list || !has_signature)
                return fail(err, ERR_SIGNATURE, 0, "%s is not signed, and its nodes refuse it", subject);
        return signature_check(subject, &armored, SSHSIG_LAYER, buf_text(&list), list.size, signatures->trusted->keys,
                               signatures->trusted->count, &signatures->key_index, err);
}

static bool check_role_signatures(const struct fs_entry *entry, void *context, struct err *err) {
        const char *slash = strchr(entry->path, '/');
        if (!slash || strcmp(slash + 1, BOOT_SUMS_NAME) != 0)
                return true;
        auto_free char *role = xstrndup(entry->path, (size_t)(slash - entry->path));
        return check_signed_file(context, entry->path, SSHSIG_LAYER, err) && check_layer_signature(context, role, err);
}

static bool check_all_signatures(struct signatures *signatures, struct err *err) {
        const struct published_build *build = signatures->build;
        if (fs_exists(build->dir, MANIFEST_NAME) && !check_signed_file(signatures, MANIFEST_NAME, SSHSIG_BUILD, err))
                return false;
        return fs_walk(build->dir, check_role_signatures, signatures, err) &&
               check_signed_file(signatures, SUMS_NAME, SSHSIG_BUILD, err);
}

static char *say_signed(const struct signatures *signatures) {
        auto_buf fingerprint = { 0 };
        ssh_key_fingerprint(&signatures->trusted->keys[signatures->key_index], &fingerprint);
        return xasprintf("signed by %s, of %s", buf_text(&fingerprint), signatures->trusted->source);
}

static bool find_trusted_keys(const struct published_build *build, const struct verify_options *options,
                              struct trusted *ret, struct err *err) {
        struct arena arena = { 0 };
        if (options->key_file)
                return read_key_lines(options->key_file, ret, err);
        bool ok = read_cluster_keys(build, options, &arena, ret, err);
        arena_release(&arena);
        return ok;
}

bool verify_signatures(const struct published_build *build, const struct verify_options *options, char **ret_said,
                       struct err *err) {
        struct trusted trusted = { 0 };
        struct signatures signatures = { build, &trusted, 0 };
        bool ok = find_trusted_keys(build, options, &trusted, err) &&
                  (trusted.count == 0 || check_all_signatures(&signatures, err));
        auto_free char *source = trusted.source;
        (void)source;
        if (!ok)
                return false;
        if (trusted.count > 0)
                *ret_said = say_signed(&signatures);
        else if (fs_exists(build->dir, SUMS_NAME SIGNATURE_SUFFIX))
                *ret_said = xstrdup("signed, but unchecked, since neither trusted_keys nor --key says whom to trust");
        else
                *ret_said = xstrdup("unsigned");
        return true;
}

// ---- for a build that is made again ----

static bool keep_boot_sums(const struct published_build *build, const char *role, struct arena *arena,
                           struct kept_signature *ret, struct err *err) {
        auto_buf armored = { 0 };
        auto_free char *path = xasprintf("%s/" BOOT_SUMS_NAME SIGNATURE_SUFFIX, role);
        if (!fs_exists(build->dir, path))
                return true;
        if (!read_published(build, path, SSHSIG_TEXT_MAX, &armored, err))
                return false;
        ret->boot_sums = arena_strdup(arena, buf_text(&armored));
        return true;
}

// Those of a file that is no image any more show when the two are compared.
static bool keep_certificates(const struct published_build *build, const char *role, struct arena *arena,
                              struct kept_signature *ret, struct err *err) {
        auto_buf bytes = { 0 };
        auto_err damage = { 0 };
        struct pe_image image;
        auto_free char *path = xasprintf("%s/" UKI_NAME, role);
        if (!fs_exists(build->dir, path))
                return true;
        if (!read_published(build, path, SIGNED_MAX_BYTES, &bytes, err))
                return false;
        if (!pe_image_read(bytes.data, bytes.size, &image, &damage) || image.certificates_bytes % 8 != 0)
                return true;
        char *copy = arena_alloc(arena, image.certificates_bytes + 1);
        if (image.certificates)
                memcpy(copy, image.certificates, image.certificates_bytes);
        ret->certificates = copy;
        ret->certificates_bytes = image.certificates_bytes;
        return true;
}

bool published_signatures(const struct published_build *build, struct arena *arena, struct kept_signatures *ret,
                          struct err *err) {
        const char *signed_by = json_string_value(json_object_get(build->manifest, "signed_by")), *role;
        json_t *roles = json_object_get(build->manifest, "roles"), *described;
        *ret = (struct kept_signatures){ 0 };
        if (signed_by)
                ret->signed_by = arena_strdup(arena, signed_by);
        ret->items = arena_alloc(arena, (json_object_size(roles) + 1) * sizeof *ret->items);
        json_object_foreach(roles, role, described) {
                struct kept_signature kept = { .role = arena_strdup(arena, role) };
                auto_buf armored = { 0 };
                auto_err damage = { 0 };
                bool found;
                bool readable = read_layer_file(build, role, SIGNED_LAYER_SIGNATURE, &armored, &found, &damage);
                if (!readable && damage.kind != ERR_CORRUPT)
                        return fail(err, damage.kind, 0, "%s", damage.text);
                if (readable && found) // what is damaged shows when the two are compared
                        kept.layer = arena_strdup(arena, buf_text(&armored));
                if (!keep_boot_sums(build, role, arena, &kept, err) ||
                    !keep_certificates(build, role, arena, &kept, err))
                        return false;
                ret->items[ret->count++] = kept;
        }
        return true;
}
