// SPDX-License-Identifier: MIT
#include "remote/action.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { SHA256_DIGITS = 64 };

#define FIRST_LINE "kiln cache entry 1\n"

static const char *const form_names[] = { [ACTION_FILE] = "file", [ACTION_TREE] = "tree" };

void action_key(const char *kind, const char *name, char ret_key[static ACTION_KEY_SIZE]) {
        char hex[DIGEST_HEX_SIZE];
        auto_free char *text = xasprintf(FIRST_LINE "kind %s\nname %s\n", kind, name);
        digest_bytes("sha256", text, strlen(text), hex);
        memcpy(ret_key, hex, SHA256_DIGITS);
        ret_key[SHA256_DIGITS] = '\0';
}

static void format_what_is_wanted(const struct action *action, struct buf *ret) {
        buf_printf(ret, FIRST_LINE "kind %s\nname %s\nform %s\nsha256 ", action->kind, action->name,
                   form_names[action->form]);
}

static void action_format(const struct action *action, struct buf *ret) {
        format_what_is_wanted(action, ret);
        buf_printf(ret, "%s\nsize %" PRIu64 "\n", action->sha256, action->size_bytes);
}

bool action_sign(const struct action *action, const struct signer *signer, struct buf *ret, struct err *err) {
        assert(strlen(action->sha256) == SHA256_DIGITS && !strpbrk(action->name, "/\n"));
        auto_buf text = { 0 };
        action_format(action, &text);
        buf_append(ret, text.data, text.size);
        return signer_sign(signer, SSHSIG_CACHE, text.data, text.size, ret, err);
}

// What stands where digest and size are to stand, without a look at how it is written: that is compared afterwards.
static bool scan_content(const char *rest, struct action *ret) {
        size_t digits = strspn(rest, "0123456789abcdef");
        const char *size = rest + SHA256_DIGITS;
        if (digits != SHA256_DIGITS || strncmp(size, "\nsize ", strlen("\nsize ")) != 0)
                return false;
        memcpy(ret->sha256, rest, SHA256_DIGITS);
        ret->sha256[SHA256_DIGITS] = '\0';
        ret->size_bytes = strtoull(size + strlen("\nsize "), NULL, 10);
        return ret->size_bytes <= action_content_max_bytes;
}

// Base64 and armor can be written in several ways: only ours is taken, so that no changed byte is.
static bool is_as_we_write_it(const struct buf *armored) {
        struct sshsig sshsig = { 0 };
        auto_buf written = { 0 };
        auto_err ignored = { 0 };
        if (!sshsig_parse(buf_text(armored), armored->size, &sshsig, &ignored))
                return false;
        sshsig_format(&sshsig, &written);
        return written.size == armored->size && memcmp(written.data, armored->data, written.size) == 0;
}

bool action_read(const struct buf *text, const struct ssh_key *keys, size_t key_count, struct action *action,
                 struct err *err) {
        struct action found = *action;
        auto_buf expected = { 0 };
        auto_buf armored = { 0 };
        format_what_is_wanted(&found, &expected);
        bool begins_well = text->size > expected.size && memcmp(text->data, expected.data, expected.size) == 0;
        if (!begins_well || !scan_content(buf_text(text) + expected.size, &found))
                return fail(err, ERR_SIGNATURE, 0, "it is not the entry of this name");
        buf_clear(&expected);
        action_format(&found, &expected);
        if (text->size <= expected.size || memcmp(text->data, expected.data, expected.size) != 0)
                return fail(err, ERR_SIGNATURE, 0, "it is not the entry of this name");
        buf_append(&armored, text->data + expected.size, text->size - expected.size);
        if (!signature_check("it", &armored, SSHSIG_CACHE, expected.data, expected.size, keys, key_count, NULL, err))
                return false;
        if (!is_as_we_write_it(&armored))
                return fail(err, ERR_SIGNATURE, 0, "its signature is written in another way than kiln's");
        *action = found;
        return true;
}
