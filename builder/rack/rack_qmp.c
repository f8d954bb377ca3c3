// SPDX-License-Identifier: MIT
#include "rack/rack_qmp.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json_member.h"
#include "base/mem.h"

enum { PATIENCE_S = 5, LINE_MAX_BYTES = 1 << 20, LINES_MOST = 1000 };

static bool connect_qmp(int dir, const char *node, int *ret_fd, struct err *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct timeval patience = { .tv_sec = PATIENCE_S };
        auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int size = snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s.control", dir, node);
        bool fits = size > 0 && (size_t)size < sizeof address.sun_path;
        if (!fits || fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
                return fail(err, ERR_TOOL, errno, "speak to the QEMU of %s", node);
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        *ret_fd = take_fd(fd);
        return true;
}

// A byte at a time: answers are short and few.
static json_t *read_qmp_line(int fd) {
        auto_buf line = { .max = LINE_MAX_BYTES };
        char byte;
        while (read(fd, &byte, 1) == 1 && byte != '\n' && !line.overflow)
                buf_append_char(&line, byte);
        return json_loadb(buf_text(&line), line.size, 0, NULL);
}

// What happens meanwhile is told between.
static json_t *read_answer(int fd) {
        for (int i = 0; i < LINES_MOST; i++) {
                json_t *answer = read_qmp_line(fd);
                bool is_event = json_object_get(answer, "event") || json_object_get(answer, "QMP");
                if (!is_event)
                        return answer;
                json_decref(answer);
        }
        return NULL;
}

static bool run_command_of(int fd, const char *node, const json_t *command, struct err *err) {
        auto_free char *text = json_dumps(command, JSON_COMPACT);
        auto_free char *line = xasprintf("%s\n", text_or(text, "{}"));
        if (!fs_write_all(fd, line, strlen(line), err))
                return wrap(err, "speak to the QEMU of %s", node);
        json_t *answer = read_answer(fd);
        bool ok = json_object_get(answer, "return") != NULL;
        if (!ok)
                fail(err, ERR_TOOL, 0, "QEMU of %s: %s: %s", node, member_text(command, "execute"),
                     text_or(json_string_value(json_object_get(json_object_get(answer, "error"), "desc")),
                             "it does not answer"));
        json_decref(answer);
        return ok;
}

bool rack_qmp_run(int dir, const char *node, json_t *commands, struct err *err) {
        auto_close int fd = -1;
        size_t index;
        const json_t *command;
        json_t *capabilities = json_pack("{ss}", "execute", "qmp_capabilities");
        bool ok = connect_qmp(dir, node, &fd, err) && run_command_of(fd, node, capabilities, err);
        json_array_foreach(commands, index, command) {
                if (ok)
                        ok = run_command_of(fd, node, command, err);
        }
        json_decref(capabilities);
        json_decref(commands);
        return ok;
}
