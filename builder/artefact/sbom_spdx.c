// SPDX-License-Identifier: MIT
// SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/). One SPDX package for each image and one for each component; an
// image CONTAINS its components.
#include <ctype.h>
#include <string.h>

#include "artefact/sbom.h"
#include "artefact/spdx_license.h"
#include "base/digest.h"
#include "base/version.h"

#define NO_ASSERTION "NOASSERTION"

static const struct {
        const char *rpm, *spdx;
} algorithms[] = {
        { "sha256", "SHA256" }, { "sha", "SHA1" }, { "sha1", "SHA1" }, { "sha512", "SHA512" }, { "md5", "MD5" }
};

static json_t *checksums(const char *type, const char *value) {
        json_t *list = json_array();
        for (size_t i = 0; value && i < lengthof(algorithms); i++)
                if (strcmp(algorithms[i].rpm, type) == 0)
                        json_array_append_new(
                            list, json_pack("{ss ss}", "algorithm", algorithms[i].spdx, "checksumValue", value));
        return list;
}

// Letters, digits, "." and "-" are all that an identifier takes.
static void make_identifier(char *text) {
        for (; *text; text++)
                if (!isalnum((unsigned char)*text) && *text != '.')
                        *text = '-';
}

// The number keeps identifiers apart.
static char *spdx_id(const char *kind, size_t number, const char *name) {
        char *id = xasprintf("SPDXRef-%s-%zu-%s", kind, number, name);
        make_identifier(id);
        return id;
}

// ---- licences ----

enum { SHOWN_OF_LICENCE = 40, DIGITS_OF_LICENCE = 8 };

// What is no expression is a text of its own, which the document holds. The digest keeps such texts apart.
static char *licence_reference(const char *licence) {
        char sha256[DIGEST_HEX_SIZE];
        auto_free char *shown = xstrndup(licence, SHOWN_OF_LICENCE);
        digest_bytes("sha256", licence, strlen(licence), sha256);
        make_identifier(shown);
        return xasprintf("LicenseRef-%s-%.*s", shown, DIGITS_OF_LICENCE, sha256);
}

static char *licence_expression(const char *licence) {
        if (!licence)
                return xstrdup(NO_ASSERTION);
        if (spdx_expression_is_valid(licence))
                return xstrdup(licence);
        return licence_reference(licence);
}

static bool has_reference(const json_t *texts, const char *id) {
        size_t index;
        json_t *text;
        json_array_foreach(texts, index, text) {
                if (strcmp(json_string_value(json_object_get(text, "licenseId")), id) == 0)
                        return true;
        }
        return false;
}

static json_t *extracted_licences(const struct sbom *sbom) {
        json_t *texts = json_array();
        for (size_t i = 0; i < sbom->component_count; i++) {
                const char *licence = sbom->components[i].licence;
                if (!licence || spdx_expression_is_valid(licence))
                        continue;
                auto_free char *id = licence_reference(licence);
                if (!has_reference(texts, id))
                        json_array_append_new(texts,
                                              json_pack("{ss ss ss ss}", "licenseId", id, "name", licence,
                                                        "extractedText", licence, "comment",
                                                        "The package's own words, which are no SPDX expression."));
        }
        return texts;
}

// ---- packages ----

static json_t *spdx_package(const char *id, const char *name, const char *version, const char *licence,
                            const char *supplier, const char *purpose, json_t *sums) {
        auto_free char *expression = licence_expression(licence);
        auto_free char *organization = xasprintf("Organization: %s", text_or(supplier, ""));
        const char *who = NO_ASSERTION;
        if (supplier)
                who = organization;
        return json_pack("{ss ss ss* ss sb ss ss ss ss ss* so}", "SPDXID", id, "name", name, "versionInfo", version,
                         "downloadLocation", NO_ASSERTION, "filesAnalyzed", 0, "licenseConcluded", NO_ASSERTION,
                         "licenseDeclared", expression, "copyrightText", NO_ASSERTION, "supplier", who,
                         "primaryPackagePurpose", purpose, "checksums", sums);
}

static json_t *component_package(const struct sbom *sbom, size_t index) {
        const struct sbom_component *component = &sbom->components[index];
        auto_free char *id = spdx_id("Package", index, component->name);
        json_t *object = spdx_package(id, component->name, component->version, component->licence, component->supplier,
                                      NULL, checksums(component->algorithm, component->digest));
        json_object_set_new(object, "externalRefs",
                            json_pack("[{ss ss ss}]", "referenceCategory", "PACKAGE-MANAGER", "referenceType", "purl",
                                      "referenceLocator", component->purl));
        return object;
}

static void add_relationship(json_t *list, const char *from, const char *type, const char *to) {
        json_array_append_new(
            list, json_pack("{ss ss ss}", "spdxElementId", from, "relationshipType", type, "relatedSpdxElement", to));
}

static void add_spdx_image(const struct sbom *sbom, size_t index, json_t *packages, json_t *relationships) {
        const struct sbom_image *image = &sbom->images[index];
        auto_free char *id = spdx_id("Image", index, image->name);
        json_array_append_new(packages, spdx_package(id, image->name, sbom->build->build_id, NULL, NULL,
                                                     "OPERATING-SYSTEM", checksums("sha256", image->sha256)));
        add_relationship(relationships, "SPDXRef-DOCUMENT", "DESCRIBES", id);
        for (size_t i = 0; i < image->component_count; i++) {
                size_t number = image->components[i];
                auto_free char *part = spdx_id("Package", number, sbom->components[number].name);
                add_relationship(relationships, id, "CONTAINS", part);
        }
}

json_t *sbom_spdx(const struct sbom *sbom) {
        json_t *packages = json_array(), *relationships = json_array();
        for (size_t i = 0; i < sbom->image_count; i++)
                add_spdx_image(sbom, i, packages, relationships);
        for (size_t i = 0; i < sbom->component_count; i++)
                json_array_append_new(packages, component_package(sbom, i));
        auto_free char *name = xasprintf("%s-%s", sbom->build->cluster->name, sbom->build->build_id);
        auto_free char *space = xasprintf("https://spdx.org/spdxdocs/kiln-%s", name);
        json_t *document =
            json_pack("{ss ss ss ss ss s{ss s[s] ss} so so}", "spdxVersion", "SPDX-2.3", "dataLicense", "CC0-1.0",
                      "SPDXID", "SPDXRef-DOCUMENT", "name", name, "documentNamespace", space, "creationInfo", "created",
                      sbom->created, "creators", "Tool: kiln-" KILN_VERSION, "licenseListVersion", "3.25", "packages",
                      packages, "relationships", relationships);
        json_t *texts = extracted_licences(sbom);
        if (json_array_size(texts) > 0)
                json_object_set(document, "hasExtractedLicensingInfos", texts);
        json_decref(texts);
        return document;
}
