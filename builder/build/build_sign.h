// SPDX-License-Identifier: MIT
// Who may sign a build, and whether a published one is signed.
#ifndef KILN_BUILD_BUILD_SIGN_H
#define KILN_BUILD_BUILD_SIGN_H

#include "build/build.h"
#include "build/phases.h"
#include "build/publish.h"

// ERR_SIGNATURE: the nodes would refuse what this key signs. ERR_CLUSTER: they would refuse this serial.
must_check bool build_check_signer(const struct cluster *cluster, const struct build_options *options, struct err *err);

// Whether the published build has the signature of this signer over its SHA256SUMS. True without a signer.
bool build_is_signed(const struct publication *publication, const char *build_id, const struct signer *signer);

// Whether each role's published kiln.efi, as far as there is one, has the signature for Secure Boot of the key given.
// True without a key.
bool build_is_certified(const struct build *build);

#endif
