// SPDX-License-Identifier: MIT
// What a build is made of, before it is written as SPDX or as CycloneDX: images, and the components that they contain.
#ifndef KILN_ARTEFACT_SBOM_H
#define KILN_ARTEFACT_SBOM_H

#include <jansson.h>
#include <stddef.h>

#include "artefact/artefact.h"
#include "base/mem.h"

struct sbom_component {
        const char *name, *version; // version: NULL if it is not known
        const char *supplier;       // NULL: nobody says
        const char *licence;        // as it was found, an SPDX expression or not; NULL: nobody says
        const char *purl;
        const char *algorithm, *digest; // "sha256" and lower-case hex; NULL: none
};

// A role's root, or what boots machines: firmware's side of all roles.
struct sbom_image {
        const char *name, *sha256; // sha256: NULL if there is no such file
        size_t *components;        // indexes, heap
        size_t component_count;
};

struct sbom {
        const struct artefact_build *build;
        struct arena arena; // of all texts
        struct sbom_component *components;
        size_t component_count;
        struct sbom_image *images;
        size_t image_count;
        char created[32]; // of the source date epoch, ISO 8601
};

// The documents: of jansson, NULL never. Nothing in them depends on the machine or the time.
json_t *sbom_spdx(const struct sbom *sbom);
json_t *sbom_cyclonedx(const struct sbom *sbom);

#endif
