// SPDX-License-Identifier: MIT
#include "profile/reader/authorized_key.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "shared/base64.h"
#include "shared/sshsig.h"

enum { KEY_TEXT_MAX = 16 << 10, WORD_SHOWN_MAX = 40 };

// How many strings each type's form on the wire has, its name included (RFC 4253 6.6, RFC 5656 3.1, RFC 8709 4,
// OpenSSH's PROTOCOL.u2f); numbers are strings, too. 0: a certificate, of which the name alone is looked at.
static const struct key_type {
        const char *name;
        unsigned strings;
} key_types[] = {
        { "ssh-ed25519", 2 },
        { "ssh-rsa", 3 },
        { "ssh-dss", 5 },
        { "ecdsa-sha2-nistp256", 3 },
        { "ecdsa-sha2-nistp384", 3 },
        { "ecdsa-sha2-nistp521", 3 },
        { "sk-ssh-ed25519@openssh.com", 3 },
        { "sk-ecdsa-sha2-nistp256@openssh.com", 4 },
        { "ssh-ed25519-cert-v01@openssh.com", 0 },
        { "ssh-rsa-cert-v01@openssh.com", 0 },
        { "ecdsa-sha2-nistp256-cert-v01@openssh.com", 0 },
        { "ecdsa-sha2-nistp384-cert-v01@openssh.com", 0 },
        { "ecdsa-sha2-nistp521-cert-v01@openssh.com", 0 },
};

static const struct key_type *find_key_type(const char *word, size_t size) {
        for (size_t i = 0; i < lengthof(key_types); i++)
                if (strlen(key_types[i].name) == size && strncmp(key_types[i].name, word, size) == 0)
                        return &key_types[i];
        return NULL;
}

bool authorized_keys_are_private(const char *text) {
        static const char begin[] = "-----BEGIN ", end[] = "PRIVATE KEY-----";
        for (const char *label = text; (label = strstr(label, begin));) {
                label += sizeof begin - 1;
                const char *close = strstr(label, end);
                if (close && !memchr(label, '\n', (size_t)(close - label)))
                        return true;
        }
        return strstr(text, "PuTTY-User-Key-File-") != NULL;
}

// The end of the field at `text`: blanks between double quotes belong to it.
static const char *end_of_options(const char *text) {
        bool is_quoted = false;
        for (; *text; text++) {
                bool is_blank = *text == ' ' || *text == '\t';
                if (is_blank && !is_quoted)
                        break;
                if (text[0] == '\\' && text[1] == '"')
                        text++;
                else if (*text == '"')
                        is_quoted = !is_quoted;
        }
        return text;
}

static bool wire_form_fits(const struct buf *blob, const struct key_type *type) {
        struct ssh_reader reader = { (const uint8_t *)buf_text(blob), blob->size }, string;
        if (!ssh_read_string(&reader, &string) || !ssh_reader_is(&string, type->name))
                return false;
        if (type->strings == 0)
                return reader.size > 0;
        for (unsigned i = 1; i < type->strings; i++)
                if (!ssh_read_string(&reader, &string) || string.size == 0)
                        return false;
        return reader.size == 0;
}

static bool looks_like_file_name(const char *line) {
        size_t size = strlen(line);
        if (strpbrk(line, " \t"))
                return false;
        return strchr("/~.", line[0]) || (size > 4 && strcmp(line + size - 4, ".pub") == 0);
}

// What is shown of a line is a word, and not so much that it could be a key.
static bool refuse_word(const char *line, struct err *err) {
        int size = (int)size_min(strcspn(line, " \t"), WORD_SHOWN_MAX);
        if (looks_like_file_name(line))
                return fail(err, ERR_SYNTAX, 0, "`%.*s` is the name of a file; its contents are wanted", size, line);
        return fail(err, ERR_SYNTAX, 0, "`%.*s` begins no SSH public key, as \"ssh-ed25519 AAAA...\" would", size,
                    line);
}

bool authorized_key_check(const char *line, struct err *err) {
        line += strspn(line, " \t");
        const char *at = line;
        size_t size = strcspn(at, " \t");
        const struct key_type *type = find_key_type(at, size);
        if (!type) { // options come first
                at = end_of_options(at);
                at += strspn(at, " \t");
                size = strcspn(at, " \t");
                type = find_key_type(at, size);
        }
        if (!type)
                return refuse_word(line, err);
        at += size;
        at += strspn(at, " \t");
        auto_buf blob = { .max = KEY_TEXT_MAX };
        size = strcspn(at, " \t\r");
        if (size == 0 || size > KEY_TEXT_MAX || !base64_decode(at, size, &blob) || !wire_form_fits(&blob, type))
                return fail(err, ERR_SYNTAX, 0, "an %s key that is cut short or damaged", type->name);
        return true;
}
