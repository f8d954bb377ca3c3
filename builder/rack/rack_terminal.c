// SPDX-License-Identifier: MIT
// The serial port of a machine on this terminal (termios(3)).
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/interrupt.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "rack/rack_client.h"

enum { ESCAPE = 0x1d /* Ctrl-] */, BLOCK_SIZE = 4096, POLL_MS = 500 };

// QEMU speaks to one client; a second one would wait in silence.
static bool take_console(int dir, const char *node, int *ret_lock, struct err *err) {
        auto_free char *name = xasprintf("%s.attached", node);
        auto_close int lock = -1;
        if (!fs_open(dir, name, O_RDWR | O_CREAT, 0600, &lock, err))
                return false;
        if (flock(lock, LOCK_EX | LOCK_NB) < 0)
                return fail(err, ERR_LOCKED, 0, "somebody else is at the console of %s", node);
        *ret_lock = take_fd(lock);
        return true;
}

static bool connect_console(int dir, const char *node, int *ret_fd, struct err *err) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int size = snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s.console", dir, node);
        bool fits = size > 0 && (size_t)size < sizeof address.sun_path;
        if (!fits || fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
                fail(err, ERR_TOOL, errno, "connect to the console of %s", node);
                return hint(err, "is it on? kiln rack ps says so");
        }
        *ret_fd = take_fd(fd);
        return true;
}

static bool pass_block(int from, int to, bool *ret_ended, struct err *err) {
        char block[BLOCK_SIZE];
        ssize_t size = read(from, block, sizeof block);
        *ret_ended = size <= 0;
        return size <= 0 || fs_write_all(to, block, (size_t)size, err);
}

// What is typed, up to the escape.
static bool pass_keys(int to, bool is_terminal, bool *ret_ended, struct err *err) {
        char block[BLOCK_SIZE];
        ssize_t size = read(STDIN_FILENO, block, sizeof block);
        const char *escape = NULL;
        if (size > 0 && is_terminal)
                escape = memchr(block, ESCAPE, (size_t)size);
        if (escape)
                size = escape - block;
        *ret_ended = size <= 0 || escape;
        return size <= 0 || fs_write_all(to, block, (size_t)size, err);
}

// Input that ends is no reason to leave: `kiln rack console NODE </dev/null` shows what comes.
static bool pass_all(int console, bool is_terminal, struct err *err) {
        struct pollfd polled[] = { { .fd = console, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
        bool is_over = false;
        while (!is_over) {
                if (!interrupt_check(err))
                        return false;
                if (poll(polled, lengthof(polled), POLL_MS) <= 0)
                        continue;
                if (polled[0].revents && !pass_block(console, STDOUT_FILENO, &is_over, err))
                        return false;
                if (is_over || !polled[1].revents)
                        continue;
                bool ended = false;
                if (!pass_keys(console, is_terminal, &ended, err))
                        return false;
                if (ended)
                        polled[1].fd = -1;
                is_over = ended && is_terminal;
        }
        return true;
}

static bool attach(int console, const char *node, struct err *err) {
        struct termios before, raw;
        bool is_terminal = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
        fprintf(stderr, "the console of %s; Ctrl-] leaves it\n", node);
        if (is_terminal) {
                raw = before;
                cfmakeraw(&raw);
                tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
        }
        bool ok = pass_all(console, is_terminal, err);
        if (is_terminal) {
                tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
                fputs("\n", stderr);
        }
        return ok;
}

bool virtual_rack_console(const struct virtual_rack_name *where, const char *node, struct err *err) {
        json_t *answer;
        auto_close int dir = -1, lock = -1, console = -1;
        json_t *request = json_pack("{ss s[s]}", "do", "find", "nodes", node);
        if (!rack_client_ask(where, request, NULL, &answer, err))
                return false;
        bool ok = fs_open_dir(AT_FDCWD, member_text(answer, "place"), &dir, err) &&
                  take_console(dir, node, &lock, err) && connect_console(dir, node, &console, err) &&
                  attach(console, node, err);
        json_decref(answer);
        return ok;
}
