// SPDX-License-Identifier: MIT
// The kernel command line's words for the initrd's init, checked.
#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/mistake.h"
#include "firmware/node/cmdline/cmdline.h"
#include "firmware/node/initrd/initrd.h"

enum { SECONDS_MAX = 86400, WORD_MAX = 2048 };

// Appends the value as init takes it. False with what it should be.
typedef bool take_word(const char *value, struct buf *ret, const char **ret_wanted);

// In one line: mistake_printable() leaves line ends and tabs as they are.
static void append_plain(const char *text, size_t size, struct buf *ret) {
        size_t start = ret->size;
        mistake_printable(ret, text, size);
        for (size_t i = start; i < ret->size; i++)
                if (iscntrl((unsigned char)ret->data[i]))
                        ret->data[i] = '?';
}

static bool word_is_plain(const char *text) {
        auto_buf shown = { 0 };
        append_plain(text, strlen(text), &shown);
        return strcmp(buf_text(&shown), text) == 0;
}

static bool take_plain_word(const char *value, struct buf *ret, const char **ret_wanted) {
        *ret_wanted = "printable text";
        if (!*value || strlen(value) > WORD_MAX || !word_is_plain(value))
                return false;
        buf_append_text(ret, value);
        return true;
}

// Decimal, whatever zeros it begins with.
static bool take_number(const char *value, unsigned least, struct buf *ret) {
        unsigned number = 0;
        for (const char *at = value; *at; at++) {
                if (!isdigit((unsigned char)*at) || number > SECONDS_MAX)
                        return false;
                number = number * 10 + (unsigned)(*at - '0');
        }
        if (!*value || number < least || number > SECONDS_MAX)
                return false;
        buf_printf(ret, "%u", number);
        return true;
}

static bool take_timeout(const char *value, struct buf *ret, const char **ret_wanted) {
        *ret_wanted = "a number of seconds, 1 to 86400";
        return take_number(value, 1, ret);
}

static bool take_delay(const char *value, struct buf *ret, const char **ret_wanted) {
        *ret_wanted = "a number of seconds, 0 to 86400";
        return take_number(value, 0, ret);
}

static bool take_action(const char *value, struct buf *ret, const char **ret_wanted) {
        static const char *const actions[] = { "retry", "reboot", "shell", "halt" };
        *ret_wanted = "retry, reboot, shell or halt";
        for (size_t i = 0; i < lengthof(actions); i++) {
                if (strcmp(value, actions[i]) != 0)
                        continue;
                buf_append_text(ret, value);
                return true;
        }
        return false;
}

static bool take_switch(const char *value, struct buf *ret, const char **ret_wanted) {
        *ret_wanted = "1, or without a value";
        if (*value && strcmp(value, "1") != 0)
                return false;
        buf_append_char(ret, '1');
        return true;
}

static const struct boot_word {
        const char *name, *key;
        take_word *take;
} boot_words[] = {
        { "kiln.root", "ROOT", take_plain_word },
        { "kiln.role", "ROLE", take_plain_word },
        { "kiln.root_timeout", "ROOT_TIMEOUT", take_timeout },
        { "kiln.overlay_size", "OVERLAY_SIZE", take_plain_word },
        { "kiln.on_failure", "ON_FAILURE", take_action },
        { "kiln.reboot_delay", "REBOOT_DELAY", take_delay },
        { "kiln.debug", "DEBUG", take_switch },
};

static void note_word(const struct boot_word *word, const char *value, const char *wanted, struct buf *ret) {
        buf_printf(ret, "NOTE=%s=", word->name);
        append_plain(value, strnlen(value, 80), ret);
        buf_printf(ret, " on the kernel command line is left out: it is not %s\n", wanted);
}

static void add_word(const struct boot_word *word, const char *value, struct buf *ret) {
        auto_buf taken = { 0 };
        const char *wanted;
        if (word->take(value, &taken, &wanted))
                buf_printf(ret, "%s=%s\n", word->key, buf_text(&taken));
        else
                note_word(word, value, wanted, ret);
}

void initrd_words(const char *command_line, struct buf *ret) {
        assert(command_line && ret);
        auto_free char *copy = xstrdup(command_line);
        char *at = copy, *value, *name;
        while ((name = cmdline_next(&at, &value)) && !cmdline_is_end(name, value))
                for (size_t i = 0; i < lengthof(boot_words); i++)
                        if (strcmp(name, boot_words[i].name) == 0)
                                add_word(&boot_words[i], value ? value : "", ret);
}
