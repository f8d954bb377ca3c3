// SPDX-License-Identifier: MIT
// A client of ssh-agent (draft-miller-ssh-agent, sections 3.2 and 3.6).
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/mem.h"
#include "signing/internal.h"

enum {
        REQUEST_IDENTITIES = 11,
        IDENTITIES_ANSWER = 12,
        SIGN_REQUEST = 13,
        SIGN_RESPONSE = 14,
        MESSAGE_MAX = 256 << 10, // as ssh-agent's own limit
        ANSWER_MS = 120000,      // somebody may have to confirm
};

static int connect_to_agent(void) {
        const char *path = getenv("SSH_AUTH_SOCK");
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        if (!path || !*path || strlen(path) >= sizeof address.sun_path)
                return -1;
        memcpy(address.sun_path, path, strlen(path) + 1);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
                return fd;
        close(fd);
        return -1;
}

static bool agent_read(int fd, struct buf *into, size_t size, struct err *err) {
        char *room = buf_reserve(into, size);
        for (size_t got = 0; got < size;) {
                struct pollfd ready = { .fd = fd, .events = POLLIN };
                int count = poll(&ready, 1, ANSWER_MS);
                if (count < 0 && errno == EINTR)
                        return fail(err, ERR_INTERRUPTED, 0, "interrupted");
                ssize_t part = 0;
                if (count > 0)
                        part = read(fd, room + got, size - got);
                if (part < 0 && errno == EINTR)
                        continue;
                if (part <= 0)
                        return fail(err, ERR_SIGNATURE, 0, "ssh-agent does not answer");
                got += (size_t)part;
        }
        into->size += size;
        return true;
}

// One request and its answer, both without their length.
static bool agent_exchange(int fd, const struct buf *request, struct buf *ret_answer, struct err *err) {
        auto_buf framed = { .max = MESSAGE_MAX };
        auto_buf head = { .max = MESSAGE_MAX };
        uint32_t size = 0;
        ssh_string(request->data, request->size, &framed);
        if (!fs_write_all(fd, framed.data, framed.size, err) || !agent_read(fd, &head, sizeof size, err))
                return wrap(err, "asking ssh-agent");
        struct ssh_reader reader = { (const uint8_t *)head.data, head.size };
        if (!ssh_read_uint32(&reader, &size) || size == 0 || size > MESSAGE_MAX)
                return fail(err, ERR_SIGNATURE, 0, "ssh-agent's answer is malformed");
        return agent_read(fd, ret_answer, size, err);
}

static bool list_has(struct ssh_reader answer, const struct ssh_key *key) {
        auto_buf wanted = { .max = MESSAGE_MAX };
        uint32_t count = 0;
        struct ssh_reader blob, comment;
        ssh_key_blob(key, &wanted);
        if (answer.size == 0 || answer.data[0] != IDENTITIES_ANSWER)
                return false;
        answer.data++;
        answer.size--;
        if (!ssh_read_uint32(&answer, &count))
                return false;
        for (uint32_t i = 0; i < count; i++) {
                if (!ssh_read_string(&answer, &blob) || !ssh_read_string(&answer, &comment))
                        return false;
                if (blob.size == wanted.size && memcmp(blob.data, wanted.data, blob.size) == 0)
                        return true;
        }
        return false;
}

static bool fd_holds(int fd, const struct ssh_key *key) {
        auto_buf request = { .max = MESSAGE_MAX };
        auto_buf answer = { .max = MESSAGE_MAX };
        auto_err ignored = { 0 };
        buf_append_char(&request, REQUEST_IDENTITIES);
        return agent_exchange(fd, &request, &answer, &ignored) &&
               list_has((struct ssh_reader){ (const uint8_t *)buf_text(&answer), answer.size }, key);
}

bool agent_holds(const struct ssh_key *key) {
        auto_close int fd = connect_to_agent();
        return fd >= 0 && fd_holds(fd, key);
}

static bool read_response(struct ssh_reader answer, uint8_t ret_signature[static SSH_SIGNATURE_BYTES]) {
        struct ssh_reader signature, type, bytes;
        if (answer.size == 0 || answer.data[0] != SIGN_RESPONSE)
                return false;
        answer.data++;
        answer.size--;
        if (!ssh_read_string(&answer, &signature) || !ssh_read_string(&signature, &type))
                return false;
        if (!ssh_reader_is(&type, "ssh-ed25519") || !ssh_read_string(&signature, &bytes))
                return false;
        if (bytes.size != SSH_SIGNATURE_BYTES)
                return false;
        memcpy(ret_signature, bytes.data, SSH_SIGNATURE_BYTES);
        return true;
}

bool agent_sign(const struct ssh_key *key, const struct buf *data, uint8_t ret_signature[static SSH_SIGNATURE_BYTES],
                bool *ret_absent, struct err *err) {
        auto_buf request = { .max = MESSAGE_MAX };
        auto_buf blob = { .max = MESSAGE_MAX };
        auto_buf answer = { .max = MESSAGE_MAX };
        auto_close int fd = connect_to_agent();
        *ret_absent = fd < 0 || !fd_holds(fd, key);
        if (*ret_absent)
                return true;
        buf_append_char(&request, SIGN_REQUEST);
        ssh_key_blob(key, &blob);
        ssh_string(blob.data, blob.size, &request);
        ssh_string(data->data, data->size, &request);
        buf_append_zeros(&request, sizeof(uint32_t)); // no flags
        if (!agent_exchange(fd, &request, &answer, err))
                return false;
        return read_response((struct ssh_reader){ (const uint8_t *)buf_text(&answer), answer.size }, ret_signature) ||
               fail(err, ERR_SIGNATURE, 0, "ssh-agent refuses to sign with the key");
}
