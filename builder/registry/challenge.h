// SPDX-License-Identifier: MIT
// WWW-Authenticate headers (RFC 9110, section 11.6.1): how a server wants to be asked.
#ifndef KILN_REGISTRY_CHALLENGE_H
#define KILN_REGISTRY_CHALLENGE_H

#include <stdbool.h>

enum challenge_kind { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

enum { CHALLENGE_TEXT_SIZE = 1024 };

// Parameters that are absent, or longer than any that means something, are "".
struct challenge {
        enum challenge_kind kind;
        char realm[CHALLENGE_TEXT_SIZE], service[CHALLENGE_TEXT_SIZE], scope[CHALLENGE_TEXT_SIZE];
};

// Reads one header's value, which may hold several challenges. Bearer goes before Basic; other schemes, and a Bearer
// without a realm, are passed over. CHALLENGE_NONE also for what is no such header.
void challenge_parse(const char *value, struct challenge *ret);

#endif
