// SPDX-License-Identifier: MIT
// CycloneDX 1.5 (https://cyclonedx.org/docs/1.5/json/). The build is the component that the document is about; images
// and what they contain are components, and `dependencies` say which of what.
#include <string.h>

#include "artefact/sbom.h"
#include "artefact/spdx_license.h"
#include "base/digest.h"
#include "base/version.h"

static const struct {
        const char *rpm, *cyclonedx;
} hash_names[] = {
        { "sha256", "SHA-256" }, { "sha", "SHA-1" }, { "sha1", "SHA-1" }, { "sha512", "SHA-512" }, { "md5", "MD5" }
};

static void set_hash(json_t *object, const char *type, const char *value) {
        for (size_t i = 0; value && i < lengthof(hash_names); i++)
                if (strcmp(hash_names[i].rpm, type) == 0)
                        json_object_set_new(object, "hashes",
                                            json_pack("[{ss ss}]", "alg", hash_names[i].cyclonedx, "content", value));
}

static void set_licence(json_t *object, const char *licence) {
        if (!licence)
                return;
        json_t *list = NULL;
        if (spdx_expression_is_valid(licence))
                list = json_pack("[{ss}]", "expression", licence);
        else
                list = json_pack("[{s{ss}}]", "license", "name", licence);
        json_object_set_new(object, "licenses", list);
}

// purls are no references: two RPMs of one name and version may differ.
static char *component_reference(size_t number) { return xasprintf("component-%zu", number); }
static char *image_reference(size_t number) { return xasprintf("image-%zu", number); }

static json_t *cyclonedx_component(const struct sbom *sbom, size_t number) {
        const struct sbom_component *component = &sbom->components[number];
        auto_free char *reference = component_reference(number);
        json_t *object = json_pack("{ss ss ss ss* ss}", "type", "library", "bom-ref", reference, "name",
                                   component->name, "version", component->version, "purl", component->purl);
        if (component->supplier)
                json_object_set_new(object, "supplier", json_pack("{ss}", "name", component->supplier));
        set_licence(object, component->licence);
        set_hash(object, component->algorithm, component->digest);
        return object;
}

static json_t *cyclonedx_image(const struct sbom *sbom, size_t number) {
        const struct sbom_image *image = &sbom->images[number];
        auto_free char *reference = image_reference(number);
        json_t *object = json_pack("{ss ss ss ss}", "type", "operating-system", "bom-ref", reference, "name",
                                   image->name, "version", sbom->build->build_id);
        set_hash(object, "sha256", image->sha256);
        return object;
}

static json_t *dependencies(const struct sbom *sbom) {
        json_t *list = json_array(), *images = json_array();
        for (size_t i = 0; i < sbom->image_count; i++) {
                const struct sbom_image *image = &sbom->images[i];
                auto_free char *reference = image_reference(i);
                json_t *parts = json_array();
                for (size_t j = 0; j < image->component_count; j++) {
                        auto_free char *part = component_reference(image->components[j]);
                        json_array_append_new(parts, json_string(part));
                }
                json_array_append_new(list, json_pack("{ss so}", "ref", reference, "dependsOn", parts));
                json_array_append_new(images, json_string(reference));
        }
        json_array_append_new(list, json_pack("{ss so}", "ref", "build", "dependsOn", images));
        return list;
}

// A UUID of the build's name, of version 8 (RFC 9562): the same build has the same one.
static char *serial_number(const struct sbom *sbom) {
        auto_free char *name = xasprintf("%s %s", sbom->build->cluster->name, sbom->build->build_id);
        char hex[DIGEST_HEX_SIZE];
        digest_bytes("sha256", name, strlen(name), hex);
        return xasprintf("urn:uuid:%.8s-%.4s-8%.3s-8%.3s-%.12s", hex, hex + 8, hex + 12, hex + 15, hex + 18);
}

json_t *sbom_cyclonedx(const struct sbom *sbom) {
        json_t *components = json_array();
        auto_free char *serial = serial_number(sbom);
        for (size_t i = 0; i < sbom->image_count; i++)
                json_array_append_new(components, cyclonedx_image(sbom, i));
        for (size_t i = 0; i < sbom->component_count; i++)
                json_array_append_new(components, cyclonedx_component(sbom, i));
        json_t *tool = json_pack("{ss ss ss}", "type", "application", "name", "kiln", "version", KILN_VERSION);
        json_t *subject = json_pack("{ss ss ss ss}", "type", "operating-system", "bom-ref", "build", "name",
                                    sbom->build->cluster->name, "version", sbom->build->build_id);
        json_t *metadata =
            json_pack("{ss s{s[o]} so}", "timestamp", sbom->created, "tools", "components", tool, "component", subject);
        return json_pack("{ss ss ss si so so so}", "bomFormat", "CycloneDX", "specVersion", "1.5", "serialNumber",
                         serial, "version", 1, "metadata", metadata, "components", components, "dependencies",
                         dependencies(sbom));
}
