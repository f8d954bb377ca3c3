// SPDX-License-Identifier: MIT
// Who makes what the cache keeps. Other code, or another version of a library, may give other bits from the same
// inputs: both are part of the name of what is kept, so that a warm cache and a cold one always give the same.
#ifndef KILN_CACHE_MAKER_H
#define KILN_CACHE_MAKER_H

#include "base/digest.h"
#include "base/err.h"

struct maker {
        const char *code;             // digest of the sources
        const char *const *libraries; // how their file names begin, NULL-terminated
};

// Of installed packages and unpacked boot loaders; of roots, initrds and ISOs.
extern const struct maker layer_maker, artefact_maker;

// A digest of the code and of the libraries as they were loaded. Reads some megabytes.
must_check bool maker_digest(const struct maker *maker, char ret_hex[static DIGEST_HEX_SIZE], struct err *err);

#endif
