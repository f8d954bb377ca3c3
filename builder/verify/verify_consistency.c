// SPDX-License-Identifier: MIT
#include "verify/verify_consistency.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "artefact/artefact.h"
#include "base/fs.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "compare/compare_iso.h"
#include "compare/compare_newc.h"
#include "shared/chunk_index.h"
#include "uki/pe_image.h"

// A damaged file is a finding; anything else that goes wrong ends the work.
static bool note_damage(struct published_build *build, const char *path, struct err *err) {
        if (err->kind != ERR_CORRUPT)
                return wrap(err, "%s", path);
        published_note(build, "%s: %s", path, err->text);
        err_release(err);
        *err = (struct err){ 0 };
        return true;
}

// ---- the manifest ----

static bool load_manifest(struct published_build *build, struct err *err) {
        json_error_t error;
        auto_close int fd = -1;
        if (!published_find_existing(build, MANIFEST_NAME))
                return true; // told already, or built with --only
        if (!published_open_file(build, MANIFEST_NAME, &fd, err))
                return false;
        build->manifest = json_loadfd(fd, JSON_REJECT_DUPLICATES, &error);
        if (!build->manifest)
                published_note(build, MANIFEST_NAME ": not JSON: line %d: %s", error.line, error.text);
        return true;
}

static void check_listed_artefact(struct published_build *build, const json_t *artefact) {
        const char *path = member_text(artefact, "path");
        const struct published_file *file = published_find(build, path);
        json_int_t size = json_integer_value(json_object_get(artefact, "size"));
        if (!file)
                published_note(build, MANIFEST_NAME ": lists %s, which is not there", path);
        else if (file->exists && strcmp(member_text(artefact, "sha256"), file->sha256) != 0)
                published_note(build, "%s: its digest is not that of " MANIFEST_NAME, path);
        else if (file->exists && size != (json_int_t)file->stat.st_size)
                published_note(build, "%s: its size is not that of " MANIFEST_NAME, path);
}

// ---- a role ----

static void check_root_conf(struct published_build *build, const char *path, const struct buf *conf, const char *key,
                            const char *expected) {
        auto_free char *line = xasprintf("%s=%s\n", key, expected);
        const char *found = strstr(buf_text(conf), line);
        if (!found || (found != buf_text(conf) && found[-1] != '\n'))
                published_note(build, "%s: /kiln/root.conf: not %s=%s", path, key, expected);
}

// An index of another root would make a node fetch what does not fit, and then all of it.
static bool check_chunks(struct published_build *build, const char *role, const struct published_file *root,
                         struct err *err) {
        auto_free char *path = xasprintf("%s/" CHUNK_INDEX_NAME, role);
        auto_buf bytes = { .max = CHUNK_INDEX_MAX_BYTES };
        auto_chunk_index index = { 0 };
        auto_close int fd = -1;
        if (!published_find_existing(build, path))
                return true;
        if (!published_open_file(build, path, &fd, err) || !buf_read_fd(&bytes, fd, err))
                return wrap(err, "%s", path);
        if (!chunk_index_read(bytes.data, bytes.size, &index, err))
                return note_damage(build, path, err);
        if (index.size_bytes != (uint64_t)root->stat.st_size)
                published_note(build, "%s: it is of a root of %llu bytes, not %lld", path,
                               (unsigned long long)index.size_bytes, (long long)root->stat.st_size);
        return true;
}

// The layer of a role whose nodes keep its root names the index, too.
static void check_chunks_conf(struct published_build *build, const char *role, const char *path,
                              const struct buf *conf) {
        auto_free char *chunks_path = xasprintf("%s/" CHUNK_INDEX_NAME, role);
        const struct published_file *chunks = published_find_existing(build, chunks_path);
        if (!chunks || !strstr(buf_text(conf), "\nCHUNKS_"))
                return;
        auto_free char *size = xasprintf("%lld", (long long)chunks->stat.st_size);
        check_root_conf(build, path, conf, "CHUNKS_SHA256", chunks->sha256);
        check_root_conf(build, path, conf, "CHUNKS_SIZE", size);
}

// The layer binds itself to the root that lies beside it.
static bool check_config_layer(struct published_build *build, const char *role, struct err *err) {
        auto_free char *path = xasprintf("%s/config.cpio", role), *root_path = xasprintf("%s/rootfs.squashfs", role);
        const struct published_file *root = published_find_existing(build, root_path);
        auto_buf conf = { 0 };
        auto_close int fd = -1;
        bool found = false;
        if (!root || !published_find_existing(build, path))
                return true;
        if (!published_open_file(build, path, &fd, err) || !newc_read_file(fd, "kiln/root.conf", &conf, &found, err))
                return note_damage(build, path, err);
        auto_free char *size = xasprintf("%lld", (long long)root->stat.st_size);
        check_root_conf(build, path, &conf, "ROOT_SHA256", root->sha256);
        check_root_conf(build, path, &conf, "ROOT_SIZE", size);
        check_root_conf(build, path, &conf, "ROLE", role);
        check_root_conf(build, path, &conf, "CLUSTER", member_text(build->manifest, "cluster"));
        check_root_conf(build, path, &conf, "BUILD_ID", member_text(build->manifest, "build"));
        check_chunks_conf(build, role, path, &conf);
        return check_chunks(build, role, root, err);
}

static void check_described_root(struct published_build *build, const char *role, const json_t *described) {
        auto_free char *path = xasprintf("%s/rootfs.squashfs", role);
        const struct published_file *file = published_find_existing(build, path);
        const char *sha256 = member_text(json_object_get(described, "root"), "sha256");
        if (file && *sha256 && strcmp(sha256, file->sha256) != 0)
                published_note(build, "%s: not the root that " MANIFEST_NAME " describes for role %s", path, role);
}

struct iso {
        struct published_build *build;
        const char *role, *path;
};

static bool check_iso_file(const char *path, const char *sha256, void *context, struct err *err) {
        static const char *const shared[] = { "boot/config.cpio", "boot/initrd.img", "boot/vmlinuz", "boot/boot.sums",
                                              "kiln/rootfs.squashfs" };
        const struct iso *iso = context;
        (void)err;
        for (size_t i = 0; i < lengthof(shared); i++) {
                if (strcmp(path, shared[i]) != 0)
                        continue;
                auto_free char *name = xasprintf("%s/%s", iso->role, strchr(path, '/') + 1);
                const struct published_file *file = published_find_existing(iso->build, name);
                if (file && strcmp(file->sha256, sha256) != 0)
                        published_note(iso->build, "%s: /%s is not the same file as %s", iso->path, path, name);
        }
        return true;
}

static bool check_iso(struct published_build *build, const char *role, struct err *err) {
        auto_free char *path = xasprintf("%s/%s-%s.iso", role, member_text(build->manifest, "cluster"), role);
        struct iso iso = { build, role, path };
        auto_close int fd = -1;
        if (!published_find_existing(build, path))
                return true;
        if (published_open_file(build, path, &fd, err) && iso_each_file(fd, check_iso_file, &iso, err))
                return true;
        return note_damage(build, path, err);
}

// The unified kernel image holds the kernel and the initrd that lie beside it.
static bool check_uki(struct published_build *build, const char *role, struct err *err) {
        static const struct {
                const char *section, *file;
        } parts[] = { { ".linux", "vmlinuz" }, { ".initrd", "initrd.img" } };
        auto_free char *path = xasprintf("%s/" UKI_NAME, role);
        auto_buf bytes = { .max = INT32_MAX };
        auto_close int fd = -1;
        struct pe_image image;
        if (!published_find_existing(build, path))
                return true;
        if (!published_open_file(build, path, &fd, err) || !buf_read_fd(&bytes, fd, err))
                return wrap(err, "%s", path);
        if (!pe_image_read(bytes.data, bytes.size, &image, err))
                return note_damage(build, path, err);
        for (size_t i = 0; i < lengthof(parts); i++) {
                char sha256[DIGEST_HEX_SIZE] = "";
                auto_free char *name = xasprintf("%s/%s", role, parts[i].file);
                const struct published_file *file = published_find_existing(build, name);
                const struct pe_section *section = pe_image_find(&image, parts[i].section);
                if (section)
                        digest_bytes("sha256", section->data, section->data_bytes, sha256);
                if (file && strcmp(file->sha256, sha256) != 0)
                        published_note(build, "%s: %s is not the same as %s", path, parts[i].section, name);
        }
        return true;
}

bool verify_consistency(struct published_build *build, struct err *err) {
        if (!load_manifest(build, err))
                return wrap(err, "%s", build->path);
        size_t index;
        json_t *artefact, *described;
        const char *role;
        json_array_foreach(json_object_get(build->manifest, "artefacts"), index, artefact)
            check_listed_artefact(build, artefact);
        json_object_foreach(json_object_get(build->manifest, "roles"), role, described) {
                check_described_root(build, role, described);
                if (!check_config_layer(build, role, err) || !check_iso(build, role, err) ||
                    !check_uki(build, role, err))
                        return wrap(err, "%s", build->path);
        }
        return true;
}
