// SPDX-License-Identifier: MIT
#include "firmware/node/watch/status_answer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <jansson.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>

#include "base/json_member.h"
#include "base/mem.h"
#include "firmware/node/facts/text_json.h"
#include "firmware/node/root/root.h"
#include "firmware/node/watch/system_services.h"

enum { REPORT_MAX = 1 << 20, FILESYSTEMS_MAX = 32, ADDRESSES_MAX = 64 };

// ---- filesystems ----

// Those that services fill: no copies of what is elsewhere, such as a container's overlay, and nothing that is always
// full.
static bool counts_as_disk(const char *type, const char *path) {
        static const char *const disks[] = { "ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "vfat" };
        for (size_t i = 0; i < lengthof(disks); i++)
                if (strcmp(type, disks[i]) == 0)
                        return true;
        bool is_root = strcmp(path, "/") == 0;
        bool is_memory = strcmp(type, "tmpfs") == 0 &&
                         (strncmp(path, "/var", 4) == 0 || strcmp(path, "/tmp") == 0 || strcmp(path, "/run") == 0);
        return is_root || is_memory;
}

// As df(1) rounds. 0: it has none.
static int percent_of(unsigned long long used, unsigned long long all) {
        if (all == 0)
                return 0;
        return (int)((used * 100 + all - 1) / all);
}

static void add_filesystem(const char *path, const struct statvfs *stat, json_t *list) {
        unsigned long long used = stat->f_blocks - stat->f_bfree, files = stat->f_files - stat->f_ffree;
        json_array_append_new(list, json_pack("{so si si}", "path", facts_text_json(path), "used_percent",
                                              percent_of(used, used + stat->f_bavail), "files_percent",
                                              percent_of(files, stat->f_files)));
}

// proc(5): blanks in paths are \040.
static void unescape_path(char *path) {
        char *to = path;
        for (const char *from = path; *from; to++) {
                unsigned code;
                if (*from == '\\' && sscanf(from + 1, "%3o", &code) == 1 && strlen(from) > 3) {
                        *to = (char)code;
                        from += 4;
                } else {
                        *to = *from++;
                }
        }
        *to = '\0';
}

static json_t *filesystems_json(void) {
        json_t *list = json_array();
        auto_fclose FILE *mounts = fopen("/proc/self/mounts", "re");
        char line[1024], path[512], type[64];
        dev_t seen[FILESYSTEMS_MAX];
        size_t count = 0;
        while (mounts && count < FILESYSTEMS_MAX && fgets(line, sizeof line, mounts)) {
                struct stat stat_there;
                struct statvfs filled;
                if (sscanf(line, "%*s %511s %63s", path, type) != 2 || !counts_as_disk(type, path))
                        continue;
                unescape_path(path);
                if (stat(path, &stat_there) < 0 || statvfs(path, &filled) < 0 || filled.f_blocks == 0)
                        continue;
                bool is_known = false; // a disk is mounted in several places
                for (size_t i = 0; i < count; i++)
                        if (seen[i] == stat_there.st_dev)
                                is_known = true;
                if (is_known)
                        continue;
                seen[count++] = stat_there.st_dev;
                add_filesystem(path, &filled, list);
        }
        return list;
}

// ---- addresses ----

static json_t *addresses_json(void) {
        json_t *list = json_array();
        struct ifreq entries[ADDRESSES_MAX];
        struct ifconf all = { .ifc_len = sizeof entries, .ifc_req = entries };
        auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || ioctl(fd, SIOCGIFCONF, &all) < 0)
                return list;
        for (size_t i = 0; i < (size_t)all.ifc_len / sizeof *entries; i++) {
                const struct sockaddr_in *address = (const struct sockaddr_in *)(const void *)&entries[i].ifr_addr;
                char text[INET_ADDRSTRLEN];
                inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
                bool is_own = strncmp(text, "127.", 4) != 0;
                if (is_own)
                        json_array_append_new(list, json_string(text));
        }
        return list;
}

// ---- the report ----

static json_t *read_own_report(int root) {
        auto_buf text = { .max = REPORT_MAX };
        auto_err ignored = { 0 };
        bool found;
        if (!root_read(root, "/run/kiln/report.json", &text, &found, &ignored) || !found)
                return NULL;
        return json_loadb(buf_text(&text), text.size, 0, NULL);
}

static json_t *state_disk_json(const json_t *report) {
        const json_t *state = json_object_get(report, "state");
        if (!json_is_object(state))
                return json_null();
        return json_pack("{ss ss}", "status", member_text(state, "status"), "reason", member_text(state, "reason"));
}

static json_t *refused_json(const json_t *report) {
        json_t *failure = json_object_get(report, "failure"), *refused = json_object_get(report, "refused");
        if (!report)
                return json_string("there is no report of this boot");
        if (json_is_string(failure))
                return json_incref(failure);
        if (json_is_string(refused))
                return json_incref(refused);
        return json_null();
}

static json_t *failed_json(void) {
        json_t *list = json_array();
        auto_buf names = { 0 };
        char *save = NULL;
        if (!services_list_failed(&names)) {
                json_decref(list);
                return json_null();
        }
        if (names.size == 0)
                return list;
        for (char *name = strtok_r(names.data, " ", &save); name; name = strtok_r(NULL, " ", &save))
                json_array_append_new(list, facts_text_json(name));
        return list;
}

static double clock_s(clockid_t clock) {
        struct timespec now;
        clock_gettime(clock, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void status_answer(int root, struct buf *ret_text) {
        assert(root >= 0 && ret_text);
        static const char *const names[] = { "cluster", "role", "build" };
        struct timex clock = { 0 };
        json_t *report = read_own_report(root), *answer = json_object();
        json_object_set_new(answer, "format", json_integer(1));
        for (size_t i = 0; i < lengthof(names); i++)
                json_object_set_new(answer, names[i], json_string(member_text(report, names[i])));
        json_object_set_new(answer, "node", json_string(member_text(report, "hostname")));
        json_object_set_new(answer, "refused", refused_json(report));
        json_object_set_new(answer, "filesystems", filesystems_json());
        json_object_set_new(answer, "failed", failed_json());
        json_object_set_new(answer, "addresses", addresses_json());
        json_object_set_new(answer, "state", state_disk_json(report));
        json_object_set_new(answer, "network_problem",
                            json_string(member_text(json_object_get(report, "network"), "problem")));
        json_object_set_new(answer, "synchronised", json_boolean(adjtimex(&clock) != TIME_ERROR));
        json_object_set_new(answer, "uptime_s", json_integer((json_int_t)clock_s(CLOCK_BOOTTIME)));
        json_object_set_new(answer, "time", json_real(clock_s(CLOCK_REALTIME)));
        auto_free char *text = json_dumps(answer, JSON_COMPACT);
        buf_append_text(ret_text, text_or(text, "{}"));
        json_decref(answer);
        json_decref(report);
}

// ---- HTTP ----

// Whether the line begins with the word and a blank; `*line` is what follows.
static bool take_method(const char **line, size_t *size, const char *word) {
        size_t length = strlen(word);
        bool fits = *size > length && memcmp(*line, word, length) == 0 && (*line)[length] == ' ';
        if (fits) {
                *line += length + 1;
                *size -= length + 1;
        }
        return fits;
}

static void respond(const char *status, const struct buf *body, bool with_body, struct buf *ret) {
        buf_printf(ret,
                   "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                   status, body->size);
        if (with_body)
                buf_append(ret, buf_text(body), body->size);
}

static void respond_line(const char *line, size_t size, const struct buf *body, struct buf *ret) {
        static const struct buf empty = { 0 };
        bool is_get = take_method(&line, &size, "GET"), is_head = !is_get && take_method(&line, &size, "HEAD");
        const char *version = memrchr(line, ' ', size);
        bool is_http = version && size - (size_t)(version - line) == strlen(" HTTP/1.1") &&
                       memcmp(version, " HTTP/1.", strlen(" HTTP/1.")) == 0;
        if (!is_http)
                respond("400 Bad Request", &empty, true, ret);
        else if (!is_get && !is_head)
                respond("405 Method Not Allowed", &empty, true, ret);
        else if (version - line != 1 || *line != '/')
                respond("404 Not Found", &empty, true, ret);
        else
                respond("200 OK", body, is_get, ret);
}

bool status_respond(const char *request, size_t size, const struct buf *body, struct buf *ret) {
        assert(request && body && ret);
        bool is_whole = memmem(request, size, "\r\n\r\n", 4) || memmem(request, size, "\n\n", 2);
        if (!is_whole && size < STATUS_REQUEST_MAX)
                return false;
        const char *end = memchr(request, '\n', size);
        size_t length = size;
        if (end)
                length = (size_t)(end - request);
        if (length > 0 && request[length - 1] == '\r')
                length--;
        if (is_whole)
                respond_line(request, length, body, ret);
        else
                respond_line("", 0, body, ret);
        return true;
}
