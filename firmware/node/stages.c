// SPDX-License-Identifier: MIT
#include "firmware/node/stages.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/run.h"
#include "firmware/node/facts/clock.h"
#include "firmware/node/facts/text_json.h"
#include "firmware/node/report.h"
#include "firmware/node/root/root.h"
#include "firmware/node/watch/system_services.h"

enum {
        SPOOL_MAX_BYTES = 256 << 10,
        TEXT_MAX_BYTES = 500, // six bytes each in JSON at worst, and all of it in less than 2 KB usually
        MACS_MAX = 16,
        ATTEMPT_DIGITS = 16,
        DELAY_MS = 1000,
        DELAY_MAX_MS = 30000,
        LOOK_MS = 300,
        SERVICES_LOOK_MS = 2000,
};

static const char *const stage_names[] = {
        [STAGE_INITRD] = "initrd",   [STAGE_ROOT] = "root",       [STAGE_HANDOVER] = "handover",
        [STAGE_DECIDED] = "decided", [STAGE_REFUSED] = "refused", [STAGE_SERVICES] = "services",
        [STAGE_HEALTHY] = "healthy",
};

// ---- adding ----

static long long uptime_ms(void) {
        struct timespec now;
        clock_gettime(CLOCK_BOOTTIME, &now);
        return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void append_one_line(const char *text, struct buf *ret) {
        size_t size = strnlen(text, TEXT_MAX_BYTES);
        for (size_t i = 0; i < size; i++) {
                char byte = text[i];
                if (iscntrl((unsigned char)byte))
                        byte = ' ';
                buf_append_char(ret, byte);
        }
}

void stage_add(const char *path, enum boot_stage stage, int percent, const char *text) {
        assert(path && text && (size_t)stage < lengthof(stage_names));
        auto_buf line = { 0 };
        auto_close int fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return;
        buf_printf(&line, "%s %lld ", stage_names[stage], uptime_ms());
        if (percent >= 0)
                buf_printf(&line, "%d ", percent);
        else
                buf_append_text(&line, "- ");
        append_one_line(text, &line);
        buf_append_char(&line, '\n');
        (void)!write(fd, buf_text(&line), line.size);
}

void stages_begin(const char *path) {
        assert(path);
        auto_close int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
        (void)fd;
}

void stage_add_decision(const char *path, const struct plan *plan) {
        assert(path && plan);
        if (plan->refusal) {
                stage_add(path, STAGE_REFUSED, -1, plan->refusal);
                return;
        }
        const char *source = "";
        for (size_t i = 0; i < plan->value_count; i++)
                if (strcmp(plan->values[i].name, "hostname") == 0)
                        source = plan->values[i].source;
        auto_free char *text = xasprintf("%s (%s)", plan->hostname, source);
        stage_add(path, STAGE_DECIDED, -1, text);
}

// ---- a line as JSON ----

static json_t *mac_list(const struct facts *facts) {
        json_t *list = json_array();
        for (size_t i = 0; i < facts->interface_count && i < MACS_MAX; i++) {
                char text[MAC_TEXT_SIZE];
                mac_format(&facts->interfaces[i].mac, text);
                json_array_append_new(list, json_string(text));
        }
        return list;
}

static void read_attempt(char ret[static ATTEMPT_DIGITS + 1]) {
        char id[64] = "";
        size_t count = 0;
        auto_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
        if (fd >= 0)
                (void)!read(fd, id, sizeof id - 1);
        for (const char *at = id; *at && count < ATTEMPT_DIGITS; at++)
                if (isxdigit((unsigned char)*at))
                        ret[count++] = *at;
        ret[count] = '\0';
}

static void stage_set_text(json_t *json, const char *name, const char *text) {
        if (text && *text)
                json_object_set_new(json, name, facts_text_json(text));
}

// As the report of this boot has it: nobody before there is one, and nobody who was refused.
static void set_node(json_t *json, int root) {
        auto_buf text = { .max = 4 << 20 };
        auto_err ignored = { 0 };
        bool found = false;
        if (!root_read(root, "/run/kiln/report.json", &text, &found, &ignored) || !found)
                return;
        json_t *report = json_loadb(buf_text(&text), text.size, 0, NULL);
        if (json_is_null(json_object_get(report, "refused")))
                stage_set_text(json, "node", json_string_value(json_object_get(report, "hostname")));
        json_decref(report);
}

// What all stages of this boot say.
static json_t *common_json(const struct machine *machine) {
        char attempt[ATTEMPT_DIGITS + 1];
        json_t *json = json_pack("{si}", "version", 1);
        read_attempt(attempt);
        stage_set_text(json, "attempt", attempt);
        json_object_set_new(json, "mac", mac_list(&machine->facts));
        set_node(json, machine->root);
        stage_set_text(json, "role", machine->inventory.role);
        stage_set_text(json, "build", machine->inventory.build);
        stage_set_text(json, "serial", machine->facts.serial);
        stage_set_text(json, "uuid", machine->facts.uuid);
        return json;
}

// NULL for a line that is none.
static char *stage_json(const struct machine *machine, const char *line) {
        char stage[16], percent[8];
        long long uptime;
        int text_at = 0;
        if (sscanf(line, "%15s %lld %7s %n", stage, &uptime, percent, &text_at) < 3)
                return NULL;
        json_t *json = common_json(machine);
        stage_set_text(json, "stage", stage);
        if (isdigit((unsigned char)*percent))
                json_object_set_new(json, "percent", json_integer(atoi(percent)));
        json_object_set_new(json, "uptime_ms", json_integer(uptime));
        if (text_at > 0)
                stage_set_text(json, "text", line + text_at);
        char *text = json_dumps(json, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
        json_decref(json);
        return text;
}

// ---- sending ----

static size_t read_sent(const char *path) {
        char text[32] = "";
        auto_free char *name = xasprintf("%s.sent", path);
        auto_close int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0)
                (void)!read(fd, text, sizeof text - 1);
        return (size_t)strtoul(text, NULL, 10);
}

static void write_sent(const char *path, size_t bytes) {
        auto_free char *name = xasprintf("%s.sent", path), *text = xasprintf("%zu\n", bytes);
        auto_close int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd >= 0)
                (void)!write(fd, text, strlen(text));
}

static bool is_stage(const char *line, enum boot_stage stage) {
        size_t length = strlen(stage_names[stage]);
        return strncmp(line, stage_names[stage], length) == 0 && line[length] == ' ';
}

// Sends one body until it is heard, or refused for good.
static bool send_until_heard(const struct url *url, const char *body, int64_t deadline, struct err *err) {
        for (int delay_ms = DELAY_MS;; delay_ms *= 2) {
                bool again;
                err_release(err);
                if (report_post(url, body, strlen(body), &again, err) || !again)
                        return true;
                if (clock_now_ms() + delay_ms > deadline)
                        return wrap(err, "send the stages of this boot");
                if (delay_ms > DELAY_MAX_MS)
                        delay_ms = DELAY_MAX_MS;
                usleep((useconds_t)delay_ms * 1000);
        }
}

static bool read_spool(const char *path, struct buf *ret, struct err *err) {
        ret->max = SPOOL_MAX_BYTES;
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT)
                return true;
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path);
        return buf_read_fd(ret, fd, err) || wrap(err, "%s", path);
}

static bool send_unsent(const struct machine *machine, const char *path, const struct url *url, int64_t deadline,
                        struct err *err) {
        auto_buf text = { 0 };
        if (!read_spool(path, &text, err))
                return false;
        for (size_t at = read_sent(path); at < text.size;) {
                char *line = text.data + at, *end = memchr(line, '\n', text.size - at);
                if (!end)
                        return true; // it is being written
                *end = '\0';
                at = (size_t)(end + 1 - text.data);
                bool is_superseded = is_stage(line, STAGE_ROOT) && at < text.size && is_stage(end + 1, STAGE_ROOT);
                auto_free char *body = NULL;
                if (!is_superseded)
                        body = stage_json(machine, line);
                if (body && !send_until_heard(url, body, deadline, err))
                        return false;
                write_sent(path, at);
        }
        return true;
}

bool stages_send(const struct machine *machine, const char *path, const char *url, bool follow, int give_up_ms,
                 struct err *err) {
        assert(machine && path && url && give_up_ms >= 0);
        struct url parsed;
        if (!url_parse(url, &parsed, err))
                return false;
        int64_t deadline = clock_now_ms() + give_up_ms;
        if (!follow)
                return send_unsent(machine, path, &parsed, deadline, err);
        while (send_unsent(machine, path, &parsed, INT64_MAX, err))
                usleep(LOOK_MS * 1000);
        return false;
}

// ---- services ----

static bool is_starting(void) {
        auto_buf text = { .max = 4096 };
        auto_err ignored = { 0 };
        const struct run state = { .argv = (const char *const[]){ "systemctl", "is-system-running", NULL },
                                   .output = &text };
        (void)!run(&state, &ignored); // it exits with 1 unless all is well
        return strncmp(buf_text(&text), "starting", 8) == 0 || strncmp(buf_text(&text), "initializing", 12) == 0;
}

void stage_add_services(const char *path, int give_up_ms) {
        assert(path && give_up_ms >= 0);
        auto_buf failed = { 0 };
        int64_t deadline = clock_now_ms() + give_up_ms;
        bool starts;
        while ((starts = is_starting()) && clock_now_ms() < deadline)
                usleep(SERVICES_LOOK_MS * 1000);
        (void)!services_list_failed(&failed);
        if (failed.size > 0)
                stage_add(path, STAGE_SERVICES, -1, buf_text(&failed));
        else if (starts)
                stage_add(path, STAGE_SERVICES, -1, "still starting");
        else
                stage_add(path, STAGE_HEALTHY, -1, "");
}
