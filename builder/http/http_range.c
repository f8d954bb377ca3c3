// SPDX-License-Identifier: MIT
#include "http/http_range.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

// Decimal digits alone. No file is as long as a number that is too large for this type.
static bool range_number(const char **at, uint64_t *ret) {
        if (**at < '0' || **at > '9')
                return false;
        char *end = NULL;
        *ret = strtoull(*at, &end, 10); // UINT64_MAX for a larger one
        *at = end;
        return true;
}

static enum range_kind suffix_range(const char *at, uint64_t size, uint64_t *ret_first, uint64_t *ret_count) {
        uint64_t count;
        if (!range_number(&at, &count) || *at)
                return RANGE_WHOLE;
        if (count == 0 || size == 0)
                return RANGE_NONE;
        if (count > size)
                count = size;
        *ret_first = size - count;
        *ret_count = count;
        return RANGE_PART;
}

enum range_kind http_range_parse(const char *header, uint64_t size, uint64_t *ret_first, uint64_t *ret_count) {
        static const char unit[] = "bytes=";
        uint64_t first, last;
        *ret_first = 0;
        *ret_count = size;
        if (!header || strncasecmp(header, unit, sizeof unit - 1) != 0)
                return RANGE_WHOLE;
        const char *at = header + sizeof unit - 1;
        if (*at == '-')
                return suffix_range(at + 1, size, ret_first, ret_count);
        if (!range_number(&at, &first) || *at++ != '-')
                return RANGE_WHOLE;
        last = UINT64_MAX;
        if (*at && (!range_number(&at, &last) || *at || last < first))
                return RANGE_WHOLE;
        if (first >= size)
                return RANGE_NONE;
        if (last >= size)
                last = size - 1;
        *ret_first = first;
        *ret_count = last - first + 1;
        return RANGE_PART;
}

const char *http_target_path(const char *target, char *host, size_t room) {
        assert(target);
        static const char *const schemes[] = { "http://", "https://" };
        const char *authority = NULL;
        if (host)
                *host = '\0';
        for (size_t i = 0; i < lengthof(schemes); i++)
                if (strncasecmp(target, schemes[i], strlen(schemes[i])) == 0)
                        authority = target + strlen(schemes[i]);
        if (!authority)
                return target;
        size_t size = strcspn(authority, "/");
        if (host) {
                size_t kept = size_min(size, room - 1);
                memcpy(host, authority, kept);
                host[kept] = '\0';
        }
        if (authority[size] == '\0')
                return "/";
        return authority + size;
}

bool http_path_clean(const char *url, char *ret, size_t room) {
        assert(url && ret && room > 0);
        size_t size = 0;
        for (const char *at = url; *at;) {
                at += strspn(at, "/");
                size_t part = strcspn(at, "/");
                if (part == 0)
                        return false; // ends with "/", or is empty
                if (*at == '.' || size + part + 2 > room)
                        return false;
                for (size_t i = 0; i < part; i++)
                        if ((unsigned char)at[i] < ' ' || at[i] == 0x7f || at[i] == '\\')
                                return false;
                if (size > 0)
                        ret[size++] = '/';
                memcpy(ret + size, at, part);
                size += part;
                at += part;
        }
        ret[size] = '\0';
        return size > 0;
}

bool http_tag_matches(const char *header, const char *tag) {
        size_t tag_size = strlen(tag);
        while (header && *header) {
                header += strspn(header, " \t,");
                if (strncmp(header, "W/", 2) == 0)
                        header += 2;
                size_t size = strcspn(header, ", \t");
                bool is_any = size == 1 && *header == '*';
                if (is_any || (size == tag_size && memcmp(header, tag, size) == 0))
                        return true;
                header += size;
        }
        return false;
}

const char *http_mime_type(const char *path) {
        static const struct {
                const char *end, *type;
        } types[] = {
                { ".efi", "application/efi" },
                { ".img", "application/octet-stream" },
                { ".json", "application/json" },
                { ".ipxe", "text/plain; charset=utf-8" },
                { ".cfg", "text/plain; charset=utf-8" },
                { ".ks", "text/plain; charset=utf-8" },
                { ".lock", "text/plain; charset=utf-8" },
                { "SHA256SUMS", "text/plain; charset=utf-8" },
                { ".iso", "application/vnd.efi-iso" },
        };
        size_t size = strlen(path);
        for (size_t i = 0; i < lengthof(types); i++) {
                size_t end_size = strlen(types[i].end);
                if (size >= end_size && strcmp(path + size - end_size, types[i].end) == 0)
                        return types[i].type;
        }
        return "application/octet-stream";
}
