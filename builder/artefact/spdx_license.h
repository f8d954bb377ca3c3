// SPDX-License-Identifier: MIT
// Licence expressions: SPDX 2.3, annex D (https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/).
#ifndef KILN_ARTEFACT_SPDX_LICENSE_H
#define KILN_ARTEFACT_SPDX_LICENSE_H

#include <stdbool.h>

// Whether the text is an expression of identifiers that are on SPDX's list, as far as it is known here: what is not is
// no error of a package, but a text of its own. "MIT AND (GPL-2.0-only OR Apache-2.0)" is one; "BSD and GPLv2+", as
// packages of EL7 have it, is none. References (LicenseRef-...) are none either: what they refer to is not here.
bool spdx_expression_is_valid(const char *text);

#endif
