// SPDX-License-Identifier: MIT
// What kiln, kiln-node and the build id call this version.
#ifndef KILN_BASE_VERSION_H
#define KILN_BASE_VERSION_H

// Decides the build id together with the inputs: raise it when the same inputs make other bits.
#define KILN_VERSION "0.2.0"

// When it was released: what its manual is dated.
#define KILN_RELEASED "2026-11-28"

#endif
