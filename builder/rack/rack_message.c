// SPDX-License-Identifier: MIT
// Messages between processes of a rack, over sockets and pipes (unix(7), SCM_RIGHTS).
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "rack/internal.h"

enum { MESSAGE_MAX = 8 << 20, DESCRIPTORS_MAX = 8, BLOCK_SIZE = 65536 };

json_t *message_of_error(const struct err *err) {
        json_t *message =
            json_pack("{sb ss ss}", "ok", 0, "kind", err_kind_name(err->kind), "text", text_or(err->text, ""));
        if (!message)
                message = json_pack("{sb ss}", "ok", 0, "text", "an error that is no UTF-8");
        if (err->hint)
                json_object_set_new(message, "hint", json_string(err->hint));
        return message;
}

static enum err_kind kind_of_name(const char *name) {
#define X(kind, code, meaning)                                                                                         \
        if (strcmp(name, #kind) == 0)                                                                                  \
                return ERR_##kind;
        ERR_KINDS(X)
#undef X
        return ERR_TOOL;
}

bool message_check(const json_t *message, const char *what, struct err *err) {
        if (!message)
                return fail(err, ERR_TOOL, 0, "%s gave no answer", what);
        if (json_is_true(json_object_get(message, "ok")))
                return true;
        const char *more = json_string_value(json_object_get(message, "hint"));
        fail(err, kind_of_name(member_text(message, "kind")), 0, "%s", member_text(message, "text"));
        return more ? hint(err, "%s", more) : false;
}

static bool send_descriptors(int fd, const char *text, size_t size, const int *descriptors, size_t count) {
        union {
                char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
                struct cmsghdr align;
        } control = { 0 };
        struct iovec part = { (char *)text, size };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof *descriptors);
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        *head = (struct cmsghdr){ CMSG_LEN(count * sizeof *descriptors), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(head), descriptors, count * sizeof *descriptors);
        return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)size;
}

bool message_send(int fd, json_t *message, const int *descriptors, size_t count) {
        assert(count <= DESCRIPTORS_MAX);
        auto_err ignored = { 0 };
        auto_free char *text = json_dumps(message, JSON_COMPACT);
        auto_free char *line = xasprintf("%s\n", text_or(text, "{}"));
        json_decref(message);
        if (count > 0) // with the first byte, which fits into any socket
                return send_descriptors(fd, line, 1, descriptors, count) &&
                       fs_write_all(fd, line + 1, strlen(line) - 1, &ignored);
        return fs_write_all(fd, line, strlen(line), &ignored);
}

static void take_descriptors(struct msghdr *message, int *descriptors, size_t count) {
        for (struct cmsghdr *head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
                if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
                        continue;
                size_t size = head->cmsg_len - CMSG_LEN(0);
                memcpy(descriptors, CMSG_DATA(head), size_min(size, count * sizeof *descriptors));
        }
}

// Of a socket with room for descriptors, of a pipe without.
static ssize_t receive_block(int fd, char *block, size_t room, int *descriptors, size_t count) {
        union {
                char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
                struct cmsghdr align;
        } control = { 0 };
        struct iovec part = { block, room };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        if (count == 0)
                return read(fd, block, room);
        ssize_t size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
        if (size > 0)
                take_descriptors(&message, descriptors, count);
        return size;
}

json_t *message_receive(int fd, int *descriptors, size_t count) {
        auto_buf text = { .max = MESSAGE_MAX };
        for (size_t i = 0; i < count; i++)
                descriptors[i] = -1;
        while (!text.overflow && !(text.size > 0 && text.data[text.size - 1] == '\n')) {
                char *room = buf_reserve(&text, BLOCK_SIZE);
                if (!room)
                        return NULL;
                ssize_t size = receive_block(fd, room, BLOCK_SIZE, descriptors, count);
                if (size < 0 && errno == EINTR)
                        continue;
                if (size <= 0)
                        break;
                text.size += (size_t)size;
        }
        return json_loadb(buf_text(&text), text.size, 0, NULL);
}
