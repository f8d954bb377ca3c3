// SPDX-License-Identifier: MIT
// Who asks: Basic, or a bearer token from where the registry says (distribution's "Token Authentication Specification";
// with an identity token, its "OAuth2 token" form).
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "registry/internal.h"
#include "shared/base64.h"

#define CLIENT "kiln"

static void set_authorization(struct registry *registry, char *header) {
        if (registry->authorization)
                explicit_bzero(registry->authorization, strlen(registry->authorization));
        free(registry->authorization);
        registry->authorization = header;
        registry->authorized++;
}

static char *basic_header(const struct credentials *credentials) {
        auto_buf encoded = { 0 };
        auto_free char *pair = xasprintf("%s:%s", credentials->user, text_or(credentials->password, ""));
        base64_encode(pair, strlen(pair), 0, &encoded);
        char *header = xasprintf("Authorization: Basic %s", buf_text(&encoded));
        explicit_bzero(pair, strlen(pair));
        explicit_bzero(encoded.data, encoded.size);
        return header;
}

// ---- where tokens are given ----

struct realm {
        CURLU *url;
        bool is_https, is_loopback;
};

static bool open_realm(const struct registry *registry, const char *text, struct realm *ret, struct err *err) {
        char *scheme = NULL, *host = NULL;
        *ret = (struct realm){ .url = curl_url() };
        if (!ret->url)
                abort(); // out of memory
        bool is_url = curl_url_set(ret->url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                      curl_url_get(ret->url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                      curl_url_get(ret->url, CURLUPART_HOST, &host, 0) == CURLUE_OK;
        if (is_url) {
                ret->is_https = strcmp(scheme, "https") == 0;
                ret->is_loopback = oci_is_loopback(host);
        }
        bool is_taken = is_url && (ret->is_https || (strcmp(scheme, "http") == 0 && registry->plain_http));
        curl_free(scheme);
        curl_free(host);
        if (is_taken)
                return true;
        curl_url_cleanup(ret->url);
        return fail(err, ERR_NETWORK, 0, "%s wants tokens from a place that is not https: it is not asked",
                    registry->authority);
}

static void add_query(CURLU *url, const char *name, const char *value) {
        if (!*value)
                return;
        auto_free char *pair = xasprintf("%s=%s", name, value);
        curl_url_set(url, CURLUPART_QUERY, pair, CURLU_APPENDQUERY | CURLU_URLENCODE);
}

static void add_form(struct buf *form, const char *name, const char *value) {
        if (!*value)
                return;
        char *escaped = curl_easy_escape(NULL, value, 0);
        buf_printf(form, "%s%s=%s", form->size ? "&" : "", name, text_or(escaped, ""));
        curl_free(escaped);
}

// Nothing that could end the header.
static bool is_bearer_token(const char *token) {
        for (const char *byte = token; *byte; byte++)
                if (*byte <= ' ' || *byte >= 0x7f)
                        return false;
        return *token != '\0';
}

static bool take_token(struct registry *registry, const struct web_answer *answer, struct err *err) {
        json_t *json = json_loads(buf_text(&answer->body), 0, NULL);
        const char *token = member_text(json, "token");
        if (!*token)
                token = member_text(json, "access_token");
        bool ok = is_bearer_token(token);
        if (ok)
                set_authorization(registry, xasprintf("Authorization: Bearer %s", token));
        json_decref(json);
        return ok || fail(err, ERR_CORRUPT, 0, "%s: what should give a token gives none", registry->authority);
}

static bool ask_for_token(struct registry *registry, const struct web_request *request, struct err *err) {
        auto_web_answer answer = { 0 };
        if (!web_perform(registry->web, request, &answer, err))
                return wrap(err, "asking for a token for %s", registry->authority);
        const struct registry_request shown = { .method = request->method, .url = request->url };
        if (!registry_is_success(&answer))
                return registry_refusal(registry, &shown, &answer, err);
        return take_token(registry, &answer, err);
}

// The credentials travel where nobody listens: over https, or within this machine. Over plain http, anybody on the way
// could have named the realm.
static bool may_have_credentials(const struct registry *registry, const struct realm *realm) {
        if (registry->plain_http)
                return registry->is_loopback && realm->is_loopback;
        return realm->is_https;
}

static bool get_token(struct registry *registry, const struct challenge *challenge, struct realm *realm,
                      struct err *err) {
        char *url = NULL;
        struct curl_slist *headers = NULL;
        const struct credentials *credentials = &registry->credentials;
        bool is_known = may_have_credentials(registry, realm);
        bool by_form = is_known && credentials->identity_token;
        auto_buf form = { 0 };
        if (by_form) {
                add_form(&form, "grant_type", "refresh_token");
                add_form(&form, "service", challenge->service);
                add_form(&form, "client_id", CLIENT);
                add_form(&form, "scope", challenge->scope);
                add_form(&form, "refresh_token", credentials->identity_token);
                headers = curl_slist_append(headers, "Content-Type: application/x-www-form-urlencoded");
        } else {
                add_query(realm->url, "service", challenge->service);
                add_query(realm->url, "scope", challenge->scope);
                if (is_known && credentials->user) {
                        auto_free char *basic = basic_header(credentials);
                        headers = curl_slist_append(headers, basic);
                }
        }
        if (curl_url_get(realm->url, CURLUPART_URL, &url, 0) != CURLUE_OK)
                abort(); // out of memory
        struct web_request request = {
                .method = "GET", .url = url, .headers = headers, .fd = -1, .patience = registry->patience
        };
        if (by_form) {
                request.method = "POST";
                request.has_body = true;
                request.data = form.data;
                request.size_bytes = form.size;
        }
        bool ok = ask_for_token(registry, &request, err);
        curl_slist_free_all(headers);
        curl_free(url);
        return ok;
}

// ---- 401 ----

static void find_challenge(const struct web_answer *answer, struct challenge *ret) {
        auto_buf value = { 0 };
        *ret = (struct challenge){ 0 };
        for (size_t i = 0; web_header(answer, "www-authenticate", i, &value); i++) {
                struct challenge found;
                challenge_parse(buf_text(&value), &found);
                if (found.kind > ret->kind)
                        *ret = found;
        }
}

static bool answer_basic(struct registry *registry, bool *ret, struct err *err) {
        bool travels_safely = !registry->plain_http || registry->is_loopback;
        if (!registry->credentials.user)
                return true;
        if (!travels_safely)
                return fail(err, ERR_NETWORK, 0, "%s wants a password over plain http: it is not sent",
                            registry->authority);
        auto_free char *header = basic_header(&registry->credentials);
        bool is_same = registry->authorization && strcmp(registry->authorization, header) == 0;
        if (!is_same)
                set_authorization(registry, take_ptr(header));
        *ret = !is_same;
        return true;
}

static bool answer_challenge(struct registry *registry, const struct challenge *challenge, bool *ret, struct err *err) {
        struct realm realm;
        *ret = false;
        if (challenge->kind == CHALLENGE_BASIC)
                return answer_basic(registry, ret, err);
        if (challenge->kind == CHALLENGE_NONE)
                return true;
        if (!open_realm(registry, challenge->realm, &realm, err))
                return false;
        bool ok = get_token(registry, challenge, &realm, err);
        curl_url_cleanup(realm.url);
        *ret = ok;
        return ok;
}

bool registry_authorize(struct registry *registry, unsigned seen, const struct web_answer *answer, bool *ret,
                        struct err *err) {
        struct challenge challenge;
        bool ok = true;
        find_challenge(answer, &challenge);
        pthread_mutex_lock(&registry->mutex);
        *ret = registry->authorized != seen;
        if (!*ret)
                ok = answer_challenge(registry, &challenge, ret, err);
        pthread_mutex_unlock(&registry->mutex);
        return ok;
}
