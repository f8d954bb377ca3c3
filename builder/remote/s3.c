// SPDX-License-Identifier: MIT
#include "remote/s3.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define SCHEME "s3://"

bool s3_is_url(const char *url) { return strncmp(url, SCHEME, strlen(SCHEME)) == 0; }

// NULL: it is not set, or empty.
static const char *setting_of(const char *name) {
        const char *value = getenv(name);
        if (!value || !*value)
                return NULL;
        return value;
}

static const char *region_of_s3(void) {
        const char *region = setting_of("AWS_REGION");
        if (!region)
                region = setting_of("AWS_DEFAULT_REGION");
        return text_or(region, "us-east-1");
}

static char *endpoint_of_s3(const char *region) {
        const char *endpoint = setting_of("AWS_ENDPOINT_URL");
        if (!endpoint)
                return xasprintf("https://s3.%s.amazonaws.com", region);
        char *copy = xstrdup(endpoint);
        for (size_t end = strlen(copy); end > 0 && copy[end - 1] == '/';)
                copy[--end] = '\0';
        return copy;
}

// As the signature wants a path: a store decodes it, and signs what it encodes again. What is put behind it later,
// folders and hexadecimal digits, needs none of that.
static char *encode_place(const char *place) {
        static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
        auto_buf text = { 0 };
        for (; *place; place++) {
                if (strchr(plain, *place))
                        buf_append_char(&text, *place);
                else
                        buf_printf(&text, "%%%02X", (unsigned char)*place);
        }
        return xstrdup(buf_text(&text));
}

bool s3_open(const char *url, struct s3 *ret, char **ret_url, struct err *err) {
        const char *id = setting_of("AWS_ACCESS_KEY_ID"), *secret = setting_of("AWS_SECRET_ACCESS_KEY");
        const char *token = setting_of("AWS_SESSION_TOKEN");
        const char *place = url + strlen(SCHEME), *region = region_of_s3();
        if (!*place || *place == '/')
                return fail(err, ERR_USAGE, 0, "--remote %s: it names no bucket", url);
        if (!id || !secret) {
                fail(err, ERR_USAGE, 0, "--remote %s: there are no credentials", url);
                return hint(err,
                            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_ENDPOINT_URL for a store that is "
                            "not Amazon's");
        }
        auto_free char *endpoint = endpoint_of_s3(region);
        auto_free char *path = encode_place(place);
        *ret_url = xasprintf("%s/%s", endpoint, path);
        ret->provider = xasprintf("aws:amz:%s:s3", region);
        ret->credentials = xasprintf("%s:%s", id, secret);
        if (token)
                ret->token = xasprintf("X-Amz-Security-Token: %s", token);
        return true;
}

void s3_release(struct s3 *s3) {
        if (s3->credentials)
                explicit_bzero(s3->credentials, strlen(s3->credentials));
        free(s3->provider);
        free(s3->credentials);
        free(s3->token);
        *s3 = (struct s3){ 0 };
}
