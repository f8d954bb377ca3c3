// SPDX-License-Identifier: MIT
// The name of something in a registry, as people write it:
//
//     oci://HOST[:PORT]/REPOSITORY[:TAG][@sha256:HEX]
//
// Repository, tag and digest have the grammar of the OCI distribution specification 1.1; HOST is a domain name, an IPv4
// address, or an IPv6 address in brackets.
#ifndef KILN_REGISTRY_OCI_REFERENCE_H
#define KILN_REGISTRY_OCI_REFERENCE_H

#include <stdbool.h>

#include "base/err.h"

#define OCI_SCHEME "oci://"

enum { OCI_DIGEST_SIZE = 65, OCI_TAG_MAX = 128, OCI_REPOSITORY_MAX = 255 };

// Texts are heap.
struct oci_reference {
        char *authority;              // HOST[:PORT]
        char *repository;             // ns/name
        char *tag;                    // NULL: none
        char sha256[OCI_DIGEST_SIZE]; // hex; "": none
};

bool oci_is_url(const char *text);
// USAGE says which part is wrong.
must_check bool oci_reference_parse(const char *text, struct oci_reference *ret, struct err *err);
void oci_reference_release(struct oci_reference *reference);

bool oci_is_repository(const char *text);
bool oci_is_tag(const char *text);
// "sha256:" and 64 lower-case hex digits, and nothing else.
bool oci_is_digest(const char *text);
// Whether a HOST[:PORT] is this machine itself: localhost, 127.0.0.0/8 or [::1].
bool oci_is_loopback(const char *authority);

#endif
