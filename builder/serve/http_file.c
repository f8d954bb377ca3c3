// SPDX-License-Identifier: MIT
// Published files.
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "http/http_range.h"
#include "http/http_reply.h"
#include "serve/dnsmasq_log.h"
#include "serve/http_request.h"

enum { SERVED_PATH_MAX = 1024, DIGEST_DIGITS = 64 };

// Firmware and boot loaders take 503 for an end; kiln-node comes back.
static bool must_be_let_in(const struct http_request *request) {
        static const char *const loaders[] = { "iPXE", "GRUB", "UefiHttpBoot", "syslinux" };
        const char *agent = http_header(request, MHD_HTTP_HEADER_USER_AGENT);
        for (size_t i = 0; agent && i < lengthof(loaders); i++)
                if (strstr(agent, loaders[i]))
                        return true;
        return false;
}

static void watch_root(struct http_request *request, const char *path, const struct http_part *part) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        bool is_watched = request->file.is_admitted && !request->is_head && part->count > 0;
        if (boot_file_stage(path) != BOOT_ROOT || !is_watched || !info)
                return;
        request->transfer = rack_watch(request->rack, info->connect_fd, part->first, &request->file);
        request->is_whole = part->first + part->count == request->file.size_bytes;
}

static enum MHD_Result answer_opened(struct http_request *request, const char *path) {
        struct rack_file *file = &request->file;
        struct http_part part;
        struct http_content content = {
                .fd = &file->fd,
                .size_bytes = file->size_bytes,
                .type = http_mime_type(path),
                .cache_control = "no-cache",
                .tag = file->tag,
                .is_head = request->is_head,
        };
        if (file->is_fixed)
                content.cache_control = "public, max-age=86400, immutable";
        enum MHD_Result result = http_reply_content(request->connection, &content, &part);
        // Who asks whether it has changed, or for what is not there, loads nothing.
        if (part.count > 0)
                rack_note_file(request->rack, request->client, path, file->build->id);
        watch_root(request, path, &part);
        return result;
}

// The digest that a path names, in it: "blobs/sha256/HEX", as a published tree has it, or "v2/NAME/blobs/sha256:HEX",
// as a registry does. NULL: it names none.
static const char *digest_of_path(const char *path) {
        static const char tree[] = "blobs/sha256/", registry[] = "v2/", blob[] = "/blobs/sha256:";
        size_t size = strlen(path);
        if (size <= DIGEST_DIGITS)
                return NULL;
        const char *digest = path + size - DIGEST_DIGITS;
        size_t before = size - DIGEST_DIGITS;
        if (strspn(digest, "0123456789abcdef") != DIGEST_DIGITS)
                return NULL;
        if (before == strlen(tree) && memcmp(path, tree, before) == 0)
                return digest;
        bool is_registry = strncmp(path, registry, strlen(registry)) == 0 && before > strlen(registry) + strlen(blob) &&
                           memcmp(digest - strlen(blob), blob, strlen(blob)) == 0;
        if (is_registry)
                return digest;
        return NULL;
}

// A client of a registry asks this before everything else.
static bool is_registry_greeting(const struct http_request *request) {
        return strcmp(request->url, "/v2/") == 0 || strcmp(request->url, "/v2") == 0;
}

static enum MHD_Result answer_greeting(const struct http_request *request) {
        auto_buf body = { 0 };
        buf_append_text(&body, "{}");
        return http_answer_buf(request, "application/json", &body);
}

// NULL: the whole file. Where a condition may turn it into that, it counts as that.
static const char *wished_range(const struct http_request *request) {
        if (http_header(request, MHD_HTTP_HEADER_IF_RANGE))
                return NULL;
        return http_header(request, MHD_HTTP_HEADER_RANGE);
}

static enum MHD_Result answer_wish(struct http_request *request, const struct rack_wish *wish) {
        enum rack_answer answer = rack_open_file(request->rack, wish, &request->file);
        if (answer == RACK_BUSY)
                return http_answer_later(
                    request, request->file.retry_s,
                    "as many are being sent as the uplink, this machine and its limits for one address allow");
        if (answer == RACK_ABSENT)
                return http_answer_text(request, MHD_HTTP_NOT_FOUND, "there is no such file");
        request->has_file = true;
        enum MHD_Result result = answer_opened(request, wish->path);
        close_cleanup(&request->file.fd);
        request->file.fd = -1;
        return result;
}

enum MHD_Result http_answer_file(struct http_request *request) {
        char path[SERVED_PATH_MAX];
        if (is_registry_greeting(request))
                return answer_greeting(request);
        if (!http_path_clean(request->url, path, sizeof path))
                return http_answer_text(request, MHD_HTTP_NOT_FOUND, "there is no such file");
        struct rack_wish wish = {
                .client = request->client,
                .path = path,
                .digest = digest_of_path(path),
                .is_read = !request->is_head,
                .range = wished_range(request),
                .unless = http_header(request, MHD_HTTP_HEADER_IF_NONE_MATCH),
                .must = must_be_let_in(request),
        };
        if (!wish.digest)
                return answer_wish(request, &wish);
        auto_free char *found = rack_path_of_digest(request->rack, wish.digest);
        if (!found)
                return http_answer_text(request, MHD_HTTP_NOT_FOUND, "no build has a file of this digest");
        wish.path = found;
        return answer_wish(request, &wish);
}
