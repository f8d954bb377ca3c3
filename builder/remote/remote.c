// SPDX-License-Identifier: MIT
#include "remote/remote.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/progress.h"
#include "http/http_token.h"
#include "remote/bundle.h"
#include "remote/internal.h"
#include "signing/key_lines.h"

enum { WAITED_MAX_MS = 2000 };

// ---- opening ----

// Takes a part of the URL away if there is one; true if there was.
static bool has_part(CURLU *url, CURLUPart part) {
        char *text = NULL;
        bool has = curl_url_get(url, part, &text, 0) == CURLUE_OK && text && *text;
        curl_free(text);
        return has;
}

static bool take_url(CURLU *url, struct remote *remote) {
        char *whole = NULL, *shown = NULL;
        remote->has_user = has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD);
        bool ok = curl_url_get(url, CURLUPART_URL, &whole, 0) == CURLUE_OK &&
                  curl_url_set(url, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
                  curl_url_set(url, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
                  curl_url_get(url, CURLUPART_URL, &shown, 0) == CURLUE_OK;
        if (ok) {
                remote->url = xstrdup(whole);
                remote->shown = xstrdup(shown);
                for (size_t end = strlen(remote->url); end > 0 && remote->url[end - 1] == '/';)
                        remote->url[--end] = '\0';
        }
        curl_free(whole);
        curl_free(shown);
        return ok;
}

static bool parse_remote_url(const char *text, struct remote *remote, struct err *err) {
        bool is_http =
            strncmp(text, "http://", strlen("http://")) == 0 || strncmp(text, "https://", strlen("https://")) == 0;
        CURLU *url = curl_url();
        if (!url)
                abort(); // out of memory
        bool ok = is_http && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                  !has_part(url, CURLUPART_QUERY) && !has_part(url, CURLUPART_FRAGMENT) && take_url(url, remote);
        curl_url_cleanup(url);
        if (ok)
                return true;
        fail(err, ERR_USAGE, 0,
             "--remote %s: it must be http://HOST/PREFIX, https://HOST/PREFIX, s3://BUCKET/PREFIX or "
             "oci://HOST/REPOSITORY",
             text);
        return hint(err, "any server that answers GET and PUT below it will do: bazel-remote, nginx with WebDAV");
}

static bool registry_reading_stops(void *context) { return !remote_is_read(context); }

// Uploads that are given up, and all else once the remote is.
static bool registry_writing_stops(void *context) {
        struct remote *remote = context;
        return atomic_load(&remote->closing) || atomic_load(&remote->off);
}

static bool open_one_registry(struct remote *remote, const struct oci_reference *reference, bool plain_http,
                              bool is_upload, struct registry **ret, struct err *err) {
        struct web_patience patience = remote_patience(is_upload);
        patience.stops = registry_reading_stops;
        if (is_upload)
                patience.stops = registry_writing_stops;
        patience.context = remote;
        const struct registry_options options = {
                .reference = reference, .plain_http = plain_http, .patience = &patience, .attempts = 1
        };
        return registry_open(&options, ret, err);
}

static bool open_registries(const struct remote_options *options, struct remote *remote, struct err *err) {
        struct oci_reference reference;
        if (!oci_reference_parse(options->url, &reference, err))
                return wrap(err, "--remote");
        remote->shown = xstrdup(options->url);
        bool has_more = reference.tag || *reference.sha256;
        bool ok = (!has_more || fail(err, ERR_USAGE, 0, "--remote %s: a repository, without a tag", options->url)) &&
                  open_one_registry(remote, &reference, options->plain_http, false, &remote->reads, err) &&
                  open_one_registry(remote, &reference, options->plain_http, true, &remote->writes, err);
        oci_reference_release(&reference);
        return ok;
}

static bool find_remote(const struct remote_options *options, struct remote *remote, struct err *err) {
        const char *text = options->url;
        auto_free char *below = NULL;
        if (oci_is_url(text))
                return open_registries(options, remote, err);
        if (!s3_is_url(text))
                return parse_remote_url(text, remote, err);
        return s3_open(text, &remote->s3, &below, err) && parse_remote_url(below, remote, err);
}

static bool read_remote_token(struct remote *remote, const char *path, struct err *err) {
        static const char option[] = "--remote-token-file";
        if (!path)
                return true;
        if (remote->s3.provider || remote->has_user || remote->reads) {
                fail(err, ERR_USAGE, 0, "%s: %s has credentials of its own", option, remote->shown);
                return hint(err, "leave one of the two out");
        }
        return http_token_read(option, path, &remote->token, err);
}

static void remote_free(struct remote *remote) {
        uploads_free(remote->uploads);
        registry_close(remote->reads);
        registry_close(remote->writes);
        web_free(remote->web);
        pthread_mutex_destroy(&remote->mutex);
        s3_release(&remote->s3);
        if (remote->token)
                explicit_bzero(remote->token, strlen(remote->token));
        free(remote->token);
        free(remote->url);
        free(remote->shown);
        close_cleanup(&remote->held);
        free(remote);
}

static bool fill_remote(struct remote *remote, const struct remote_options *options, struct err *err) {
        if (!find_remote(options, remote, err) || !read_remote_token(remote, options->token_file, err))
                return false;
        if (!options->key_file && !options->signer) {
                fail(err, ERR_USAGE, 0, "--remote %s: nobody's entries would be accepted", remote->shown);
                return hint(err, "list the public keys of those who may fill it in a file, and name that with "
                                 "--remote-keys FILE");
        }
        if (options->key_file &&
            !key_lines_read("--remote-keys", options->key_file, remote->keys, REMOTE_KEYS_MAX, &remote->key_count, err))
                return false;
        if (!options->signer)
                return true;
        remote->signer = options->signer;
        remote->uploads = uploads_new(remote);
        if (remote->key_count == REMOTE_KEYS_MAX)
                return fail(err, ERR_SYNTAX, 0, "--remote-keys: more than %d keys, with the one that signs",
                            REMOTE_KEYS_MAX - 1);
        remote->keys[remote->key_count++] = *signer_key(options->signer);
        return true;
}

bool remote_open(const struct remote_options *options, struct remote **ret, struct err *err) {
        assert(options->url);
        struct remote *remote = xcalloc(1, sizeof *remote);
        remote->held = -1;
        pthread_mutex_init(&remote->mutex, NULL);
        remote->web = web_new();
        if (!fill_remote(remote, options, err)) {
                remote_free(remote);
                return false;
        }
        *ret = remote;
        return true;
}

bool remote_close(struct remote *remote, int64_t wait_ms) {
        size_t left = 0;
        if (!remote)
                return true;
        if (remote->uploads)
                left = uploads_finish(remote->uploads, wait_ms);
        if (left > 0 && !atomic_load(&remote->off) && !atomic_load(&remote->full))
                notice("%zu entries are not in %s yet: `kiln cache --push` goes on with them", left, remote->shown);
        remote_free(remote);
        return left == 0;
}

void remote_hold(struct remote *remote, int lock) {
        assert(remote->held < 0);
        remote->held = lock;
}

// ---- loading ----

bool remote_temporary(int dir, int *ret_fd, struct err *err) {
        auto_close int fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd < 0) { // a file system that cannot
                auto_free char *name = xasprintf("remote.%d.%p", getpid(), (void *)&fd);
                if (!fs_open(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, &fd, err))
                        return false;
                if (unlinkat(dir, name, 0) < 0)
                        return fail(err, ERR_SYSTEM, errno, "remove %s", name);
        }
        *ret_fd = take_fd(fd);
        return true;
}

struct receiving {
        const char *kind, *name; // what has it: as uploads_add() has these
        int64_t began_ms;        // to ask for it, or for its entry
        uint64_t have, max_bytes;
        struct digest *digest;
        int fd;          // to this file, or
        struct buf *buf; // here
};

static bool receive_content(const void *data, size_t size, void *context, struct err *err) {
        struct receiving *receiving = context;
        if (size > receiving->max_bytes - receiving->have)
                return fail(err, ERR_CHECKSUM, 0, "longer than the %" PRIu64 " bytes that it should have",
                            receiving->max_bytes);
        receiving->have += size;
        digest_update(receiving->digest, data, size);
        if (!receiving->buf)
                return fs_write_all(receiving->fd, data, size, err);
        buf_append(receiving->buf, data, size);
        return true;
}

// Says why nothing is loaded from it any more: what it has of an entry, or of a file if `kind` is NULL, is damaged. Who
// may upload goes on with that, and replaces the damaged one. A registry takes no blob that it believes to have.
__attribute__((format(printf, 4, 5))) static void stop_reading(struct remote *remote, const char *kind,
                                                               const char *name, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        auto_free char *reason = xvasprintf(format, arguments);
        va_end(arguments);
        bool can_repair = remote->uploads && !remote->writes;
        if (!can_repair) {
                remote_give_up(remote, "%s, and should be removed there", reason);
                return;
        }
        uploads_repair(remote->uploads, kind, name);
        if (!atomic_exchange(&remote->unread, true) && !atomic_load(&remote->off))
                warning("nothing more is loaded from the shared cache %s in this run: %s; what this machine has of it "
                        "takes its place",
                        remote->shown, reason);
}

// Why what came is not what was asked for, as a server answered it; heap. NULL: it is.
static char *describe_damage(const struct receiving *receiving, enum remote_answer answer, const char *sha256,
                             const char *found, bool exact) {
        if (answer == REMOTE_WRONG)
                return xasprintf("/cas/%s has more than %" PRIu64 " bytes", sha256, receiving->max_bytes);
        if (exact && receiving->have != receiving->max_bytes)
                return xasprintf("/cas/%s has %" PRIu64 " bytes instead of %" PRIu64, sha256, receiving->have,
                                 receiving->max_bytes);
        if (strcmp(found, sha256) != 0)
                return xasprintf("/cas/%s holds something else", sha256);
        return NULL;
}

// A server that is far away costs its latency for each thing that it lacks, which is worth it only now and then. What
// several threads wait for at once is waited for once.
static void note_miss(struct remote *remote, int64_t began_ms) {
        pthread_mutex_lock(&remote->mutex);
        int64_t now = monotonic_ms();
        if (began_ms < remote->waited_until_ms)
                began_ms = remote->waited_until_ms;
        remote->waited_ms += now - began_ms;
        remote->waited_until_ms = now;
        int64_t waited_ms = remote->waited_ms;
        pthread_mutex_unlock(&remote->mutex);
        if (waited_ms >= WAITED_MAX_MS)
                remote_give_up(remote, "it took %" PRId64 " ms to say of some things that it has none of them",
                               waited_ms);
}

// Gets what has this digest. `exact`: and just that many bytes.
static bool get_content(struct remote *remote, const char *sha256, struct receiving *receiving, bool exact) {
        const struct remote_request get = {
                .folder = "cas", .name = sha256, .take = receive_content, .context = receiving
        };
        char found[DIGEST_HEX_SIZE];
        receiving->digest = digest_new("sha256");
        enum remote_answer answer = remote_ask(remote, &get);
        digest_final(receiving->digest, found);
        if (answer == REMOTE_MISSING)
                note_miss(remote, receiving->began_ms);
        if (answer == REMOTE_MISSING || answer == REMOTE_FAILED)
                return false;
        auto_free char *damage = describe_damage(receiving, answer, sha256, found, exact);
        if (damage)
                stop_reading(remote, receiving->kind, receiving->name, "%s", damage);
        return !damage;
}

static bool take_action_text(const void *data, size_t size, void *context, struct err *err) {
        struct buf *text = context;
        if (size > ACTION_TEXT_MAX - text->size)
                return fail(err, ERR_CORRUPT, 0, "longer than any entry");
        buf_append(text, data, size);
        return true;
}

// Reads what the content of an entry is.
static bool get_action(struct remote *remote, struct action *action) {
        auto_buf text = { 0 };
        auto_err refused = { 0 };
        char key[ACTION_KEY_SIZE];
        action_key(action->kind, action->name, key);
        const struct remote_request get = { .folder = "ac", .name = key, .take = take_action_text, .context = &text };
        int64_t began_ms = monotonic_ms();
        enum remote_answer answer = remote_ask(remote, &get);
        if (answer == REMOTE_MISSING)
                note_miss(remote, began_ms);
        if (answer == REMOTE_WRONG)
                remote_give_up(remote, "/ac/%s is not what its digest says", key);
        if (answer != REMOTE_FOUND)
                return false;
        if (action_read(&text, remote->keys, remote->key_count, action, &refused))
                return true;
        remote_give_up(remote, "/ac/%s is not acceptable: %s", key, refused.text);
        return false;
}

static bool get_tree(struct remote *remote, const struct action *action, int64_t began_ms, int dir, bool is_private) {
        struct receiving receiving = {
                .kind = action->kind,
                .name = action->name,
                .began_ms = began_ms,
                .max_bytes = action->size_bytes,
                .fd = -1,
        };
        auto_close int fd = -1;
        auto_err err = { 0 };
        if (!remote_temporary(dir, &fd, &err)) {
                notice("%s is not loaded: %s", action->name, err.text);
                return false;
        }
        receiving.fd = fd;
        if (!get_content(remote, action->sha256, &receiving, true))
                return false;
        bool is_rewound = lseek(fd, 0, SEEK_SET) == 0;
        if (is_rewound && bundle_unpack(fd, dir, is_private, &err) && syncfs(dir) == 0)
                return true;
        if (err.kind == ERR_CORRUPT)
                stop_reading(remote, action->kind, action->name, "/cas/%s: %s", action->sha256, err.text);
        else
                remote_give_up(remote, "/cas/%s: %s", action->sha256,
                               text_or(err.text, "it cannot be written to disk"));
        return false;
}

bool remote_load_tree(struct remote *remote, const char *kind, const char *name, int dir, bool is_private,
                      bool *ret_found, struct err *err) {
        struct action action = { .kind = kind, .name = name, .form = ACTION_TREE };
        struct progress progress;
        int64_t began_ms = monotonic_ms();
        auto_free char *step = xasprintf("load %s/%.12s", kind, name);
        *ret_found = false;
        if (!remote_is_read(remote))
                return true;
        if (get_action(remote, &action)) {
                progress_begin(&progress, step, "bytes", action.size_bytes);
                *ret_found = get_tree(remote, &action, began_ms, dir, is_private);
                progress_end(&progress, *ret_found);
        }
        return interrupt_check(err);
}

bool remote_load_file(struct remote *remote, const char *kind, const char *name, struct buf *ret, bool *ret_found,
                      struct err *err) {
        struct action action = { .kind = kind, .name = name, .form = ACTION_FILE };
        int64_t began_ms = monotonic_ms();
        *ret_found = false;
        if (!remote_is_read(remote))
                return true;
        if (get_action(remote, &action) && action.size_bytes <= ret->max) {
                struct receiving receiving = {
                        .kind = kind, .name = name, .began_ms = began_ms, .max_bytes = action.size_bytes, .buf = ret
                };
                *ret_found = get_content(remote, action.sha256, &receiving, true);
        }
        if (!*ret_found)
                buf_clear(ret);
        return interrupt_check(err);
}

bool remote_load_blob(struct remote *remote, const char *sha256, uint64_t max_bytes, int dir, int *ret_fd,
                      bool *ret_found, struct err *err) {
        struct receiving receiving = { .name = sha256, .began_ms = monotonic_ms(), .max_bytes = max_bytes, .fd = -1 };
        auto_close int fd = -1;
        auto_err unmade = { 0 };
        *ret_found = false;
        if (!remote_is_read(remote) || !remote_temporary(dir, &fd, &unmade))
                return true;
        receiving.fd = fd;
        bool is_loaded = get_content(remote, sha256, &receiving, false) && lseek(fd, 0, SEEK_SET) == 0;
        if (is_loaded)
                *ret_fd = take_fd(fd);
        *ret_found = is_loaded;
        return interrupt_check(err);
}

void remote_reject(struct remote *remote, const char *kind, const char *name) {
        stop_reading(remote, kind, name, "its entry %s/%s is not what was made", kind, name);
}

static bool takes_uploads(const struct remote *remote) {
        return remote && remote->uploads && !atomic_load(&remote->off) && !atomic_load(&remote->full);
}

void remote_offer(struct remote *remote, const char *kind, const char *name, const char *path, bool is_missing) {
        assert(kind && path[0] == '/');
        if (takes_uploads(remote))
                uploads_add(remote->uploads, kind, name, path, is_missing);
}

void remote_offer_blob(struct remote *remote, const char *sha256, const char *path, bool is_missing) {
        assert(path[0] == '/');
        if (takes_uploads(remote))
                uploads_add(remote->uploads, NULL, sha256, path, is_missing);
}
