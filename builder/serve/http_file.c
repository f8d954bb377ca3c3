// SPDX-License-Identifier: MIT
// Published files.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "serve/dnsmasq_log.h"
#include "serve/http_range.h"
#include "serve/http_request.h"

enum { SERVED_PATH_MAX = 1024, TAG_SIZE = 67 };

// Firmware and boot loaders take 503 for an end; kiln-node comes back.
static bool must_be_let_in(const struct http_request *request) {
        static const char *const loaders[] = { "iPXE", "GRUB", "UefiHttpBoot", "syslinux" };
        const char *agent = http_header(request, MHD_HTTP_HEADER_USER_AGENT);
        for (size_t i = 0; agent && i < lengthof(loaders); i++)
                if (strstr(agent, loaders[i]))
                        return true;
        return false;
}

static enum MHD_Result answer_busy(const struct http_request *request, unsigned retry_s) {
        static const char text[] =
            "as many are being sent as the uplink, this machine and its limits for one address allow\n";
        struct MHD_Response *response =
            MHD_create_response_from_buffer(sizeof text - 1, (void *)text, MHD_RESPMEM_PERSISTENT);
        auto_free char *seconds = xasprintf("%u", retry_s);
        if (response)
                MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
        return http_answer(request, MHD_HTTP_SERVICE_UNAVAILABLE, response);
}

static void add_file_headers(const struct rack_file *file, const char *path, const char *tag,
                             struct MHD_Response *response) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, http_mime_type(path));
        MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
        if (*tag)
                MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, tag);
        const char *cache = "no-cache";
        if (file->is_fixed)
                cache = "public, max-age=86400, immutable";
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, cache);
}

static enum MHD_Result answer_empty(const struct http_request *request, unsigned status, const char *path,
                                    const char *tag) {
        struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        if (!response)
                return MHD_NO;
        add_file_headers(&request->file, path, tag, response);
        if (status == MHD_HTTP_RANGE_NOT_SATISFIABLE) {
                auto_free char *range = xasprintf("bytes */%ju", (uintmax_t)request->file.size_bytes);
                MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
        }
        return http_answer(request, status, response);
}

static void watch_root(struct http_request *request, const char *path, uint64_t first, uint64_t count) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (boot_file_stage(path) != BOOT_ROOT || request->is_head || !info)
                return;
        request->transfer = rack_watch(request->rack, info->connect_fd, first, &request->file);
        request->is_whole = first + count == request->file.size_bytes;
}

// The response closes the file.
static enum MHD_Result send_file(struct http_request *request, const char *path, const char *tag, uint64_t first,
                                 uint64_t count, bool is_part) {
        struct rack_file *file = &request->file;
        struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(count, take_fd(file->fd), first);
        if (!response)
                return MHD_NO;
        add_file_headers(file, path, tag, response);
        unsigned status = MHD_HTTP_OK;
        if (is_part) {
                auto_free char *range = xasprintf("bytes %ju-%ju/%ju", (uintmax_t)first, (uintmax_t)(first + count - 1),
                                                  (uintmax_t)file->size_bytes);
                MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_RANGE, range);
                status = MHD_HTTP_PARTIAL_CONTENT;
        }
        watch_root(request, path, first, count);
        return http_answer(request, status, response);
}

static enum MHD_Result answer_opened(struct http_request *request, const char *path) {
        struct rack_file *file = &request->file;
        char tag[TAG_SIZE] = "";
        uint64_t first, count;
        if (file->digest[0])
                (void)snprintf(tag, sizeof tag, "\"%s\"", file->digest);
        const char *range = http_header(request, MHD_HTTP_HEADER_RANGE);
        const char *only_if = http_header(request, MHD_HTTP_HEADER_IF_RANGE);
        const char *unless = http_header(request, MHD_HTTP_HEADER_IF_NONE_MATCH);
        if (unless && *tag && http_tag_matches(unless, tag))
                return answer_empty(request, MHD_HTTP_NOT_MODIFIED, path, tag);
        if (only_if && strcmp(only_if, tag) != 0)
                range = NULL; // it has another file's beginning
        enum range_kind kind = http_range_parse(range, file->size_bytes, &first, &count);
        if (kind == RANGE_NONE)
                return answer_empty(request, MHD_HTTP_RANGE_NOT_SATISFIABLE, path, tag);
        return send_file(request, path, tag, first, count, kind == RANGE_PART);
}

enum MHD_Result http_answer_file(struct http_request *request) {
        char path[SERVED_PATH_MAX];
        if (!http_path_clean(request->url, path, sizeof path))
                return http_answer_text(request, MHD_HTTP_NOT_FOUND, "there is no such file");
        enum rack_answer answer = rack_open_file(request->rack, request->client, path, !request->is_head,
                                                 must_be_let_in(request), &request->file);
        if (answer == RACK_BUSY)
                return answer_busy(request, request->file.retry_s);
        if (answer == RACK_ABSENT)
                return http_answer_text(request, MHD_HTTP_NOT_FOUND, "there is no such file");
        request->has_file = true;
        if (!request->is_head)
                rack_note_file(request->rack, request->client, path, request->file.build->id);
        enum MHD_Result result = answer_opened(request, path);
        close_cleanup(&request->file.fd);
        request->file.fd = -1;
        return result;
}
