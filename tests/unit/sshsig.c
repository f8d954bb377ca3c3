// SPDX-License-Identifier: MIT
// Keys of OpenSSH's form: which are equal, and which lines are none.
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "shared/base64.h"
#include "shared/sshsig.h"
#include "tests/unit/test.h"

static void keys_that_differ_in_one_byte_are_two(void) {
        struct ssh_key one = { 0 };
        for (size_t i = 0; i < sizeof one.bytes; i++) {
                struct ssh_key other = one;
                EXPECT(ssh_key_equal(&one, &other));
                other.bytes[i] ^= 1;
                EXPECT(!ssh_key_equal(&one, &other));
        }
}

static void a_key_is_read_as_it_was_written(void) {
        struct ssh_key key = { 0 }, again = { 0 };
        auto_buf text = { 0 };
        for (size_t i = 0; i < sizeof key.bytes; i++)
                key.bytes[i] = (unsigned char)(i * 7);
        ssh_key_format(&key, &text);
        EXPECT_OK(ssh_key_parse(buf_text(&text), &again, err));
        EXPECT(ssh_key_equal(&key, &again));
}

static void what_is_no_ed25519_key_is_refused(void) {
        static const char *const lines[] = { "", "ssh-ed25519", "ssh-ed25519 AAAA",
                                             "ssh-rsa AAAAB3NzaC1yc2E=", "-----BEGIN OPENSSH PRIVATE KEY-----" };
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
                struct ssh_key key;
                struct err error = { 0 };
                EXPECT(!ssh_key_parse(lines[i], &key, &error) && error.text != NULL);
                err_release(&error);
        }
}

// A signature is of one form, so that nobody hides anything in one, or makes another of the same text.
static void what_follows_a_signatures_parts_is_refused(void) {
        static const char begin[] = "-----BEGIN SSH SIGNATURE-----\n", end[] = "-----END SSH SIGNATURE-----\n";
        const struct sshsig sshsig = { .namespace = "n", .hash = "sha512" };
        struct sshsig read;
        auto_buf text = { 0 }, blob = { 0 }, longer = { 0 };
        sshsig_format(&sshsig, &text);
        EXPECT_OK(sshsig_parse(buf_text(&text), text.size, &read, err));
        EXPECT(base64_decode(buf_text(&text) + strlen(begin), text.size - strlen(begin) - strlen(end), &blob));
        buf_append_char(&blob, 'x');
        buf_append_text(&longer, begin);
        base64_encode(blob.data, blob.size, 70, &longer);
        buf_append_text(&longer, end);
        auto_err error = { 0 };
        EXPECT(!sshsig_parse(buf_text(&longer), longer.size, &read, &error) && error.kind == ERR_SIGNATURE);
}

int main(void) {
        RUN(keys_that_differ_in_one_byte_are_two);
        RUN(a_key_is_read_as_it_was_written);
        RUN(what_is_no_ed25519_key_is_refused);
        RUN(what_follows_a_signatures_parts_is_refused);
        return test_done();
}
