// SPDX-License-Identifier: MIT
// sbom.spdx.json and sbom.cdx.json: what a build is made of, for auditors. A component for each RPM, those of boot
// loaders included, and for what comes from no RPM: kiln-node, busybox and the EFI stub of the build host.
#include "artefact/sbom.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "artefact/internal.h"
#include "base/fs.h"
#include "base/version.h"

enum { PROGRAM_MAX_BYTES = 64 << 20 };

// ---- package URLs ----

// https://github.com/package-url/purl-spec: what is no letter, digit or one of these five is percent-encoded. A colon
// must not be.
static void append_encoded(struct buf *url, const char *text) {
        for (; *text; text++) {
                if (isalnum((unsigned char)*text) || strchr(".-_~:", *text))
                        buf_append_char(url, *text);
                else
                        buf_printf(url, "%%%02X", (unsigned char)*text);
        }
}

// The distribution, which the release's name begins with: "centos" of "CentOS-7.2". Type rpm has it in small letters.
static char *distribution_of(const char *release) {
        char *distribution = xstrdup(release);
        for (char *at = distribution; *at; at++) {
                if (*at == '-' && isdigit((unsigned char)at[1])) {
                        *at = '\0';
                        break;
                }
                *at = (char)tolower((unsigned char)*at);
        }
        return distribution;
}

// Type rpm: qualifiers in the order of their names.
static const char *package_url(const struct sbom *sbom, struct arena *arena, const struct package *package) {
        const char *release = sbom->build->cluster->release.name;
        auto_free char *distribution = distribution_of(release);
        auto_buf url = { 0 };
        buf_append_text(&url, "pkg:rpm/");
        append_encoded(&url, distribution);
        buf_append_char(&url, '/');
        append_encoded(&url, package->name);
        buf_append_char(&url, '@');
        append_encoded(&url, package->version);
        buf_append_char(&url, '-');
        append_encoded(&url, package->release);
        buf_append_text(&url, "?arch=");
        append_encoded(&url, package->arch);
        buf_append_text(&url, "&distro=");
        append_encoded(&url, release);
        if (package->epoch)
                buf_printf(&url, "&epoch=%llu", (unsigned long long)package->epoch);
        return arena_strdup(arena, buf_text(&url));
}

static const char *generic_url(struct arena *arena, const char *name, const char *version) {
        auto_buf url = { 0 };
        buf_printf(&url, "pkg:generic/%s", name);
        if (version) {
                buf_append_char(&url, '@');
                append_encoded(&url, version);
        }
        return arena_strdup(arena, buf_text(&url));
}

// ---- components ----

// JSON is UTF-8, old packages are not always: other bytes become "?". NULL for a text that says nothing.
static const char *readable_text(struct arena *arena, const char *text) {
        if (!text || text[strspn(text, " \t\n")] == '\0')
                return NULL;
        json_t *string = json_string(text);
        char *copy = arena_strdup(arena, text);
        for (char *at = copy; !string && *at; at++)
                if ((unsigned char)*at >= 0x80)
                        *at = '?';
        json_decref(string);
        return copy;
}

static struct sbom_image *add_image(struct sbom *sbom, const char *name, const char *sha256) {
        struct sbom_image *image = array_append(&sbom->images, &sbom->image_count);
        *image = (struct sbom_image){ .name = name, .sha256 = sha256 };
        return image;
}

// The same component of several images is listed once: its purl and digest are its identity.
static void add_component(struct sbom *sbom, struct sbom_image *image, const struct sbom_component *component) {
        size_t index = 0;
        for (; index < sbom->component_count; index++) {
                const struct sbom_component *other = &sbom->components[index];
                if (strcmp(other->purl, component->purl) == 0 &&
                    strcmp(text_or(other->digest, ""), text_or(component->digest, "")) == 0)
                        break;
        }
        if (index == sbom->component_count)
                *array_append(&sbom->components, &sbom->component_count) = *component;
        *array_append(&image->components, &image->component_count) = index;
}

static const char *package_version(struct arena *arena, const struct package *package) {
        if (package->epoch)
                return arena_printf(arena, "%llu:%s-%s", (unsigned long long)package->epoch, package->version,
                                    package->release);
        return arena_printf(arena, "%s-%s", package->version, package->release);
}

static void list_packages(struct sbom *sbom, struct sbom_image *image, const struct package_set *set) {
        struct arena *arena = &sbom->arena;
        for (size_t i = 0; i < set->count; i++) {
                const struct package *package = set->items[i];
                const struct sbom_component component = {
                        .name = package->name,
                        .version = package_version(arena, package),
                        .supplier = readable_text(arena, package->vendor),
                        .licence = readable_text(arena, package->licence),
                        .purl = package_url(sbom, arena, package),
                        .algorithm = package->checksum_type,
                        .digest = package->checksum,
                };
                add_component(sbom, image, &component);
        }
}

// ---- what comes from no package ----

// The word behind a mark that stands in a program, of so many bytes of `letters`; NULL: it has no such mark.
static const char *word_behind(struct arena *arena, const struct buf *program, const char *mark, const char *letters) {
        const char *found = memmem(program->data, program->size, mark, strlen(mark));
        if (!found)
                return NULL;
        found += strlen(mark);
        size_t room = (size_t)(program->data + program->size - found), size = 0;
        while (size < room && found[size] && strchr(letters, found[size]))
                size++;
        if (size == 0)
                return NULL;
        return arena_strndup(arena, found, size);
}

// "BusyBox v1.35.0 (Debian 1:1.35.0-4)": who supplies it stands in it. One of another origin has a version of its own.
static void describe_busybox(struct arena *arena, const struct buf *bytes, struct sbom_component *program) {
        static const char plain[] = "0123456789.";
        static const char debian[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+-~:";
        const char *version = word_behind(arena, bytes, "BusyBox v", plain);
        program->version = version;
        if (!version)
                return;
        auto_free char *mark = xasprintf("BusyBox v%s (Debian ", version);
        const char *packaged = word_behind(arena, bytes, mark, debian);
        if (!packaged)
                return;
        auto_buf url = { 0 };
        buf_append_text(&url, "pkg:deb/debian/busybox-static@");
        append_encoded(&url, packaged);
        program->version = packaged;
        program->supplier = "Debian";
        program->purl = arena_strdup(arena, buf_text(&url));
}

static bool add_program(struct sbom *sbom, struct sbom_image *image, const char *path, struct sbom_component *program,
                        struct err *err) {
        char sha256[DIGEST_HEX_SIZE];
        auto_buf bytes = { .max = PROGRAM_MAX_BYTES };
        if (!fs_read(AT_FDCWD, path, &bytes, err))
                return false;
        digest_bytes("sha256", bytes.data, bytes.size, sha256);
        if (!program->version)
                describe_busybox(&sbom->arena, &bytes, program);
        if (!program->purl)
                program->purl = generic_url(&sbom->arena, program->name, program->version);
        program->algorithm = "sha256";
        program->digest = arena_strdup(&sbom->arena, sha256);
        add_component(sbom, image, program);
        return true;
}

static bool add_stub(struct sbom *sbom, struct sbom_image *image, struct err *err) {
        char version[64] = "", sha256[DIGEST_HEX_SIZE];
        if (!uki_stub_describe(sbom->build, version, sizeof version, sha256, err))
                return false;
        struct sbom_component stub = {
                .name = "systemd-stub",
                .version = arena_strdup(&sbom->arena, version),
                .licence = "LGPL-2.1-or-later",
                .purl = generic_url(&sbom->arena, "systemd-stub", version),
                .algorithm = "sha256",
                .digest = arena_strdup(&sbom->arena, sha256),
        };
        add_component(sbom, image, &stub);
        return true;
}

static bool some_role_has(const struct artefact_build *build, const char *name) {
        for (size_t i = 0; i < build->role_count; i++)
                if (fs_exists(build->roles[i].out, name))
                        return true;
        return false;
}

// What machines boot beside the roles' images.
static bool add_boot(struct sbom *sbom, struct err *err) {
        const struct artefact_build *build = sbom->build;
        const char *name = arena_printf(&sbom->arena, "%s-boot", build->cluster->name);
        bool has_initrd = some_role_has(build, "initrd.img");
        bool has_loaders = build->bootloaders && build->bootloaders->count > 0;
        if (!has_initrd && !has_loaders)
                return true;
        struct sbom_component helper = {
                .name = "kiln-node", .version = KILN_VERSION, .supplier = "kiln", .licence = "MIT"
        };
        struct sbom_component busybox = { .name = "busybox", .licence = "GPL-2.0-only" };
        struct sbom_image *image = add_image(sbom, name, NULL);
        if (has_loaders)
                list_packages(sbom, image, build->bootloaders);
        return !has_initrd || (add_program(sbom, image, build->kiln_node, &helper, err) &&
                               add_program(sbom, image, text_or(build->busybox, "/bin/busybox"), &busybox, err) &&
                               (!some_role_has(build, UKI_NAME) || add_stub(sbom, image, err)));
}

static void add_roles(struct sbom *sbom) {
        const struct artefact_build *build = sbom->build;
        for (size_t i = 0; i < build->role_count; i++) {
                const struct artefact_role *role = &build->roles[i];
                const char *sha256 = NULL; // a build without the squashfs kind has no image to digest
                if (role->root_sha256[0])
                        sha256 = role->root_sha256;
                const char *name = arena_printf(&sbom->arena, "%s-%s", build->cluster->name, role->role->name);
                list_packages(sbom, add_image(sbom, name, sha256), role->packages);
        }
}

static void sbom_release(struct sbom *sbom) {
        for (size_t i = 0; i < sbom->image_count; i++)
                free(sbom->images[i].components);
        free(sbom->images);
        free(sbom->components);
        arena_release(&sbom->arena);
}

// ---- the files ----

static bool write_document(const struct sbom *sbom, json_t *document, const char *name, struct err *err) {
        auto_free char *text = json_dumps(document, JSON_INDENT(1) | JSON_SORT_KEYS);
        json_decref(document);
        if (!text)
                return fail(err, ERR_INTERNAL, 0, "%s: a package's name is not UTF-8", name);
        auto_free char *whole = xasprintf("%s\n", text);
        return fs_write(sbom->build->out, name, whole, strlen(whole), 0644, err);
}

static bool sbom_write(struct artefact_build *build, struct artefact_role *none, struct err *err) {
        struct sbom sbom = { .build = build };
        struct tm utc;
        time_t epoch = build->source_date_epoch;
        (void)none;
        gmtime_r(&epoch, &utc);
        strftime(sbom.created, sizeof sbom.created, "%Y-%m-%dT%H:%M:%SZ", &utc);
        add_roles(&sbom);
        bool ok = add_boot(&sbom, err) && write_document(&sbom, sbom_spdx(&sbom), "sbom.spdx.json", err) &&
                  write_document(&sbom, sbom_cyclonedx(&sbom), "sbom.cdx.json", err);
        sbom_release(&sbom);
        return ok;
}

const struct artefact_kind sbom_kind = {
        .name = "sbom",
        .description = "what it is made of, with licences, as SPDX 2.3 and CycloneDX 1.5",
        .write = sbom_write,
};
