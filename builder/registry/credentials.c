// SPDX-License-Identifier: MIT
#include "registry/credentials.h"

#include <assert.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "base/run.h"
#include "shared/base64.h"

enum { CONFIG_MAX_BYTES = 1 << 20, SECRET_MAX_BYTES = 64 << 10 };

static void wipe(char *text) {
        if (text)
                explicit_bzero(text, strlen(text));
        free(text);
}

void credentials_release(struct credentials *credentials) {
        wipe(credentials->user);
        wipe(credentials->password);
        wipe(credentials->identity_token);
        *credentials = (struct credentials){ 0 };
}

static bool has_credentials(const struct credentials *credentials) {
        return credentials->user || credentials->identity_token;
}

// ---- auths ----

// Keys are HOST, HOST/NAMESPACE, or what docker wrote once: https://HOST/v1/.
static bool key_names(const char *key, const char *wanted) {
        const char *scheme_end = strstr(key, "://");
        if (scheme_end)
                key = scheme_end + strlen("://");
        size_t length = strlen(wanted);
        if (strncmp(key, wanted, length) != 0)
                return false;
        const char *rest = key + length;
        return *rest == '\0' || strcmp(rest, "/") == 0 ||
               (scheme_end && (strcmp(rest, "/v1/") == 0 || strcmp(rest, "/v2/") == 0));
}

static const json_t *find_auth(const json_t *auths, const char *wanted) {
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)auths, key, value) // only read
            if (key_names(key, wanted)) return value;
        return NULL;
}

// That of the longest beginning of HOST/REPOSITORY.
static const json_t *find_nearest_auth(const json_t *auths, const char *authority, const char *repository) {
        auto_free char *wanted = xasprintf("%s/%s", authority, repository);
        for (;;) {
                const json_t *found = find_auth(auths, wanted);
                char *slash = strrchr(wanted, '/');
                if (found || !slash)
                        return found;
                *slash = '\0';
        }
}

static bool take_auth(const json_t *auth, const char *path, struct credentials *ret, struct err *err) {
        const char *encoded = member_text(auth, "auth"), *token = member_text(auth, "identitytoken");
        auto_buf text = { .max = SECRET_MAX_BYTES };
        if (*token)
                ret->identity_token = xstrdup(token);
        if (*member_text(auth, "username") && !*encoded) {
                ret->user = xstrdup(member_text(auth, "username"));
                ret->password = xstrdup(member_text(auth, "password"));
                return true;
        }
        if (!*encoded)
                return true;
        bool is_base64 = base64_decode(encoded, strlen(encoded), &text);
        char *colon = NULL;
        if (is_base64 && text.data && strlen(text.data) == text.size)
                colon = strchr(text.data, ':');
        if (!colon)
                return fail(err, ERR_SYNTAX, 0, "%s: an `auth` that is not the base64 of USER:PASSWORD", path);
        *colon = '\0';
        ret->user = xstrdup(text.data);
        ret->password = xstrdup(colon + 1);
        explicit_bzero(text.data, text.size);
        return true;
}

// ---- helpers ----

static bool is_helper_name(const char *name) {
        return *name &&
               strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == strlen(name);
}

// docker-credential-NAME get: the registry's name on its standard input, JSON on its output. One that fails has none.
static bool ask_helper(const char *name, const char *authority, struct credentials *ret, struct err *err) {
        if (!is_helper_name(name))
                return fail(err, ERR_SYNTAX, 0, "`%s` is no name of a credential helper", name);
        auto_free char *program = xasprintf("docker-credential-%s", name);
        const char *const argv[] = { program, "get", NULL };
        auto_buf answer = { .max = SECRET_MAX_BYTES };
        int status = 0;
        const struct run helper = { .argv = argv,
                                    .input = authority,
                                    .input_size = strlen(authority),
                                    .output = &answer,
                                    .ret_status = &status };
        if (!run(&helper, err))
                return wrap(err, "asking for the credentials of %s", authority);
        if (status != 0)
                return true;
        json_t *json = json_loads(buf_text(&answer), 0, NULL);
        const char *user = member_text(json, "Username"), *secret = member_text(json, "Secret");
        bool ok = json_is_object(json);
        if (strcmp(user, "<token>") == 0) {
                ret->identity_token = xstrdup(secret);
        } else if (*user) {
                ret->user = xstrdup(user);
                ret->password = xstrdup(secret);
        }
        json_decref(json);
        if (answer.data)
                explicit_bzero(answer.data, answer.size);
        return ok || fail(err, ERR_TOOL, 0, "%s get: what it prints is no JSON", program);
}

// ---- files ----

static bool find_in_config(const json_t *config, const char *path, const char *authority, const char *repository,
                           struct credentials *ret, struct err *err) {
        const char *helper = member_text(json_object_get(config, "credHelpers"), authority);
        const char *store = member_text(config, "credsStore");
        if (*helper)
                return ask_helper(helper, authority, ret, err) || wrap(err, "%s", path);
        if (*store && !ask_helper(store, authority, ret, err))
                return wrap(err, "%s", path);
        const json_t *auth = find_nearest_auth(json_object_get(config, "auths"), authority, repository);
        return has_credentials(ret) || take_auth(auth, path, ret, err);
}

static bool find_in_file(const char *path, const char *authority, const char *repository, struct credentials *ret,
                         struct err *err) {
        auto_buf text = { .max = CONFIG_MAX_BYTES };
        json_error_t mistake;
        if (!path || has_credentials(ret) || !fs_exists(AT_FDCWD, path))
                return true;
        if (!fs_read(AT_FDCWD, path, &text, err))
                return false;
        json_t *config = json_loads(buf_text(&text), 0, &mistake);
        bool ok = json_is_object(config);
        if (ok)
                ok = find_in_config(config, path, authority, repository, ret, err);
        else
                fail(err, ERR_SYNTAX, 0, "%s:%d:%d: it is no JSON object: %s", path, mistake.line, mistake.column,
                     mistake.text);
        json_decref(config);
        if (text.data)
                explicit_bzero(text.data, text.size);
        return ok;
}

// Heap, or NULL where the variable is not set.
static char *path_from_variable(const char *variable, const char *rest) {
        const char *value = getenv(variable);
        if (!value || !*value)
                return NULL;
        return xasprintf("%s%s", value, rest);
}

bool credentials_find(const char *authority, const char *repository, struct credentials *ret, struct err *err) {
        struct credentials found = { 0 };
        auto_free char *named = path_from_variable("REGISTRY_AUTH_FILE", "");
        auto_free char *docker = path_from_variable("DOCKER_CONFIG", "/config.json");
        auto_free char *home = path_from_variable("HOME", "/.docker/config.json");
        auto_free char *podman = path_from_variable("XDG_RUNTIME_DIR", "/containers/auth.json");
        if (!podman) // who has no session: root by sudo, a service
                podman = xasprintf("/run/containers/%u/auth.json", (unsigned)geteuid());
        const char *paths[] = { named, podman, docker };
        if (!docker)
                paths[2] = home;
        for (size_t i = 0; i < lengthof(paths); i++)
                if (!find_in_file(paths[i], authority, repository, &found, err)) {
                        credentials_release(&found);
                        return wrap(err, "credentials");
                }
        *ret = found;
        return true;
}
