// SPDX-License-Identifier: MIT
// sbom.spdx.json: SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/). One SPDX package for each role's image and one for
// each RPM; an image CONTAINS its RPMs.
#include <ctype.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "artefact/internal.h"
#include "base/fs.h"
#include "base/mem.h"

#define NO_ASSERTION "NOASSERTION"

static const struct {
        const char *rpm, *spdx;
} algorithms[] = {
        { "sha256", "SHA256" }, { "sha", "SHA1" }, { "sha1", "SHA1" }, { "sha512", "SHA512" }, { "md5", "MD5" }
};

static json_t *checksums(const char *type, const char *value) {
        json_t *list = json_array();
        for (size_t i = 0; i < lengthof(algorithms); i++)
                if (strcmp(algorithms[i].rpm, type) == 0)
                        json_array_append_new(
                            list, json_pack("{ss ss}", "algorithm", algorithms[i].spdx, "checksumValue", value));
        return list;
}

// An SPDX identifier takes letters, digits, "." and "-" only; the number keeps identifiers apart.
static char *spdx_id(const char *kind, size_t number, const char *name) {
        char *id = xasprintf("SPDXRef-%s-%zu-%s", kind, number, name);
        for (char *next = id; *next; next++)
                if (!isalnum((unsigned char)*next) && *next != '.')
                        *next = '-';
        return id;
}

static json_t *spdx_package(const char *id, const char *name, const char *version, json_t *sums) {
        return json_pack("{ss ss ss ss sb ss ss ss so}", "SPDXID", id, "name", name, "versionInfo", version,
                         "downloadLocation", NO_ASSERTION, "filesAnalyzed", 0, "licenseConcluded", NO_ASSERTION,
                         "licenseDeclared", NO_ASSERTION, "copyrightText", NO_ASSERTION, "checksums", sums);
}

static void add_relationship(json_t *list, const char *from, const char *type, const char *to) {
        json_array_append_new(
            list, json_pack("{ss ss ss}", "spdxElementId", from, "relationshipType", type, "relatedSpdxElement", to));
}

// Package URL: https://github.com/package-url/purl-spec, type rpm.
static json_t *package_url(const struct package *package) {
        auto_buf url = { 0 };
        buf_printf(&url, "pkg:rpm/%s@%s-%s?arch=%s", package->name, package->version, package->release, package->arch);
        if (package->epoch)
                buf_printf(&url, "&epoch=%llu", (unsigned long long)package->epoch);
        return json_pack("[{ss ss ss}]", "referenceCategory", "PACKAGE-MANAGER", "referenceType", "purl",
                         "referenceLocator", buf_text(&url));
}

static char *package_version(const struct package *package) {
        if (package->epoch)
                return xasprintf("%llu:%s-%s", (unsigned long long)package->epoch, package->version, package->release);
        return xasprintf("%s-%s", package->version, package->release);
}

struct document {
        json_t *packages, *relationships;
        const struct package **known; // RPMs already described; the index is their number
        size_t known_count;
};

static size_t add_rpm(struct document *document, const struct package *package) {
        for (size_t i = 0; i < document->known_count; i++)
                if (strcmp(document->known[i]->nevra, package->nevra) == 0 &&
                    strcmp(document->known[i]->checksum, package->checksum) == 0)
                        return i;
        size_t number = document->known_count;
        *array_append(&document->known, &document->known_count) = package;
        auto_free char *id = spdx_id("Package", number, package->name);
        auto_free char *version = package_version(package);
        json_t *object = spdx_package(id, package->name, version, checksums(package->checksum_type, package->checksum));
        json_object_set_new(object, "externalRefs", package_url(package));
        json_array_append_new(document->packages, object);
        return number;
}

// A build without the squashfs kind has no image to digest.
static json_t *image_checksums(const struct artefact_role *role) {
        if (role->root_sha256[0] == '\0')
                return json_array();
        return checksums("sha256", role->root_sha256);
}

static void add_image(struct document *document, const struct artefact_build *build, size_t index) {
        const struct artefact_role *role = &build->roles[index];
        auto_free char *id = spdx_id("Image", index, role->role->name);
        auto_free char *name = xasprintf("%s-%s", build->cluster->name, role->role->name);
        json_t *sums = image_checksums(role);
        json_array_append_new(document->packages, spdx_package(id, name, build->build_id, sums));
        add_relationship(document->relationships, "SPDXRef-DOCUMENT", "DESCRIBES", id);
        for (size_t i = 0; i < role->packages->count; i++) {
                const struct package *package = role->packages->items[i];
                auto_free char *rpm = spdx_id("Package", add_rpm(document, package), package->name);
                add_relationship(document->relationships, id, "CONTAINS", rpm);
        }
}

// The one part of a build that comes from no package: the EFI stub of the build host.
static bool add_stub(struct document *document, const struct artefact_build *build, struct err *err) {
        bool used = false;
        char version[64] = "", sha256[DIGEST_HEX_SIZE];
        for (size_t i = 0; i < build->role_count && !used; i++)
                used = fs_exists(build->roles[i].out, UKI_NAME);
        if (!used)
                return true;
        if (!uki_stub_describe(build, version, sizeof version, sha256, err))
                return false;
        json_array_append_new(document->packages,
                              spdx_package("SPDXRef-Stub", "systemd-stub", version, checksums("sha256", sha256)));
        add_relationship(document->relationships, "SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Stub");
        return true;
}

static json_t *make_document(const struct artefact_build *build, struct err *err) {
        struct document document = { .packages = json_array(), .relationships = json_array() };
        char created[32];
        time_t epoch = build->source_date_epoch;
        struct tm utc;
        gmtime_r(&epoch, &utc);
        strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
        for (size_t i = 0; i < build->role_count; i++)
                add_image(&document, build, i);
        free(document.known);
        if (!add_stub(&document, build, err)) {
                json_decref(document.packages);
                json_decref(document.relationships);
                return NULL;
        }
        auto_free char *name = xasprintf("%s-%s", build->cluster->name, build->build_id);
        auto_free char *space = xasprintf("https://spdx.org/spdxdocs/kiln-%s", name);
        return json_pack("{ss ss ss ss ss s{ss s[s]} so so}", "spdxVersion", "SPDX-2.3", "dataLicense", "CC0-1.0",
                         "SPDXID", "SPDXRef-DOCUMENT", "name", name, "documentNamespace", space, "creationInfo",
                         "created", created, "creators", "Tool: kiln", "packages", document.packages, "relationships",
                         document.relationships);
}

static bool sbom_write(struct artefact_build *build, struct artefact_role *none, struct err *err) {
        (void)none;
        json_t *document = make_document(build, err);
        if (!document)
                return false;
        auto_free char *text = json_dumps(document, JSON_INDENT(1) | JSON_SORT_KEYS);
        json_decref(document);
        if (!text)
                return fail(err, ERR_INTERNAL, 0, "sbom.spdx.json: a package's name is not UTF-8");
        auto_free char *whole = xasprintf("%s\n", text);
        return fs_write(build->out, "sbom.spdx.json", whole, strlen(whole), 0644, err);
}

const struct artefact_kind sbom_kind = {
        .name = "sbom",
        .description = "the packages as SPDX 2.3",
        .write = sbom_write,
};
