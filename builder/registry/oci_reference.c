// SPDX-License-Identifier: MIT
#include "registry/oci_reference.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define LETTERS LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGEST_PREFIX "sha256:"

enum { HOST_MAX = 253, PORT_MAX = 65535, PORT_DIGITS_MAX = 5 };

bool oci_is_url(const char *text) { return strncmp(text, OCI_SCHEME, strlen(OCI_SCHEME)) == 0; }

// Between two runs of letters and digits: ".", "_", "__" or any number of "-". 0: none of these.
static size_t separator_length(const char *text) {
        if (*text == '.')
                return 1;
        if (*text == '_')
                return 1 + (text[1] == '_');
        return strspn(text, "-");
}

// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*, and the same behind each slash.
bool oci_is_repository(const char *text) {
        if (strlen(text) > OCI_REPOSITORY_MAX)
                return false;
        for (;;) {
                size_t length = strspn(text, LOWER DIGITS);
                if (length == 0)
                        return false;
                text += length;
                if (*text == '\0')
                        return true;
                size_t separator = 1;
                if (*text != '/')
                        separator = separator_length(text);
                if (separator == 0)
                        return false;
                text += separator;
        }
}

bool oci_is_tag(const char *text) {
        size_t length = strlen(text);
        return length > 0 && length <= OCI_TAG_MAX && strspn(text, LETTERS DIGITS "_") > 0 &&
               strspn(text, LETTERS DIGITS "_.-") == length;
}

bool oci_is_digest(const char *text) {
        const char *hex = text + strlen(DIGEST_PREFIX);
        return strncmp(text, DIGEST_PREFIX, strlen(DIGEST_PREFIX)) == 0 && strlen(hex) == OCI_DIGEST_SIZE - 1 &&
               strspn(hex, DIGITS "abcdef") == OCI_DIGEST_SIZE - 1;
}

// ---- hosts ----

static bool is_port(const char *text) {
        size_t length = strlen(text);
        if (length == 0 || length > PORT_DIGITS_MAX || strspn(text, DIGITS) != length)
                return false;
        unsigned long port = strtoul(text, NULL, 10);
        return port >= 1 && port <= PORT_MAX;
}

static bool is_domain(const char *host) {
        size_t length = strlen(host);
        if (length == 0 || length > HOST_MAX || strspn(host, LETTERS DIGITS "-.") != length)
                return false;
        for (const char *label = host; label;) {
                size_t size = strcspn(label, ".");
                if (size == 0 || label[0] == '-' || label[size - 1] == '-')
                        return false;
                label = label[size] ? label + size + 1 : NULL;
        }
        return true;
}

// The address between the brackets, or NULL.
static char *bracketed(const char *authority, const char **ret_rest) {
        const char *end = strchr(authority, ']');
        if (authority[0] != '[' || !end)
                return NULL;
        *ret_rest = end + 1;
        return xstrndup(authority + 1, (size_t)(end - authority - 1));
}

static bool is_authority(const char *authority) {
        struct in6_addr address;
        const char *rest = NULL;
        auto_free char *inner = bracketed(authority, &rest);
        if (inner)
                return inet_pton(AF_INET6, inner, &address) == 1 &&
                       (*rest == '\0' || (*rest == ':' && is_port(rest + 1)));
        const char *colon = strchr(authority, ':');
        if (!colon)
                return is_domain(authority);
        auto_free char *host = xstrndup(authority, (size_t)(colon - authority));
        return is_domain(host) && is_port(colon + 1);
}

bool oci_is_loopback(const char *authority) {
        struct in_addr address;
        const char *rest = NULL;
        auto_free char *inner = bracketed(authority, &rest);
        if (inner)
                return strcmp(inner, "::1") == 0;
        auto_free char *host = xstrndup(authority, strcspn(authority, ":"));
        if (strcmp(host, "localhost") == 0)
                return true;
        return inet_pton(AF_INET, host, &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

// ---- the whole ----

static bool refuse_reference(const char *text, const char *why, struct err *err) {
        fail(err, ERR_USAGE, 0, "%s: %s", text, why);
        return hint(err, "write it as " OCI_SCHEME "HOST[:PORT]/REPOSITORY[:TAG], or with @sha256:HEX behind it");
}

// Takes "@sha256:..." and then ":TAG" off the end.
static bool split_name(char *name, struct oci_reference *ret, const char **ret_why) {
        char *at = strchr(name, '@');
        if (at) {
                *at = '\0';
                *ret_why = "its digest is not sha256: and 64 lower-case hex digits";
                if (!oci_is_digest(at + 1))
                        return false;
                memcpy(ret->sha256, at + 1 + strlen(DIGEST_PREFIX), OCI_DIGEST_SIZE - 1);
        }
        char *colon = strchr(name, ':');
        if (colon) {
                *colon = '\0';
                *ret_why = "its tag is not up to 128 letters, digits, `_`, `.` and `-`, the first no `.` or `-`";
                if (!oci_is_tag(colon + 1))
                        return false;
                ret->tag = xstrdup(colon + 1);
        }
        *ret_why =
            "its repository is not names of lower-case letters and digits, with `.`, `_`, `__`, `-` or `/` between";
        ret->repository = xstrdup(name);
        return oci_is_repository(name);
}

bool oci_reference_parse(const char *text, struct oci_reference *ret, struct err *err) {
        struct oci_reference found = { 0 };
        const char *why = "it does not begin with " OCI_SCHEME;
        if (!oci_is_url(text))
                return refuse_reference(text, why, err);
        const char *place = text + strlen(OCI_SCHEME);
        const char *slash = strchr(place, '/');
        why = "it names no repository";
        if (!slash)
                return refuse_reference(text, why, err);
        auto_free char *name = xstrdup(slash + 1);
        found.authority = xstrndup(place, (size_t)(slash - place));
        why = "its host is no domain name or address, with a port or without";
        if (is_authority(found.authority) && split_name(name, &found, &why)) {
                *ret = found;
                return true;
        }
        oci_reference_release(&found);
        return refuse_reference(text, why, err);
}

void oci_reference_release(struct oci_reference *reference) {
        free(reference->authority);
        free(reference->repository);
        free(reference->tag);
        *reference = (struct oci_reference){ 0 };
}
