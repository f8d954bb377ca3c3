// SPDX-License-Identifier: MIT
// What the readers of the single parameters need: messages in the same words, a value's fields, name servers.
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "firmware/node/cmdline/cmdline_internal.h"

enum { MTU_MIN = 68, MTU_MAX = 65535 };

const char cmdline_where[] = "the kernel command line";

const char *cmdline_source(enum cmdline_from from) {
        if (from == FROM_CONFIG_DRIVE)
                return "config drive";
        return "command line";
}

// ---- messages ----

bool cmdline_refuse(const struct cmdline_reader *reader, struct err *err, const char *name, const char *value,
                    const char *want) {
        return fail(err, ERR_IDENTITY, 0, "%s=%s on %s is not %s", name, value, reader->where, want);
}

bool cmdline_contradiction(const struct cmdline_reader *reader, struct err *err, const char *name, const char *first,
                           enum cmdline_from first_from, const char *second) {
        if (first_from != reader->from)
                return fail(err, ERR_IDENTITY, 0, "contradiction: %s=%s on %s, but %s=%s on %s", name, first,
                            cmdline_where, name, second, reader->where);
        return fail(err, ERR_IDENTITY, 0, "%s contradicts itself: %s=%s and %s=%s", reader->where, name, first, name,
                    second);
}

bool cmdline_too_many(const struct cmdline_reader *reader, struct err *err, const char *name, size_t max) {
        return fail(err, ERR_IDENTITY, 0, "more than %zu %s= on %s", max, name, reader->where);
}

void cmdline_note(struct cmdline_reader *reader, const char *name, const char *value, const char *why) {
        struct cmdline *out = reader->out;
        if (out->note_count < CMDLINE_NOTES_MAX)
                snprintf(out->notes[out->note_count++], sizeof out->notes[0], "%s=%.48s: %s", name, value, why);
}

// ---- a value's fields ----

size_t cmdline_split(char *text, char separator, char *fields[], size_t max) {
        size_t count = 0;
        bool bracket = false;
        fields[count++] = text;
        for (; *text; text++) {
                if (*text == '[' || *text == ']')
                        bracket = *text == '[';
                if (*text != separator || bracket)
                        continue;
                if (count == max)
                        return max + 1;
                *text = '\0';
                fields[count++] = text + 1;
        }
        return count;
}

char *cmdline_unbracket(char *text) {
        size_t size = strlen(text);
        if (size < 2 || text[0] != '[' || text[size - 1] != ']')
                return text;
        text[size - 1] = '\0';
        return text + 1;
}

bool cmdline_parse_mtu(const char *text, int *ret) {
        int mtu = 0;
        for (const char *at = text; *at; at++) {
                if (!isdigit((unsigned char)*at) || mtu > MTU_MAX)
                        return false;
                mtu = mtu * 10 + (*at - '0');
        }
        if (*text && (mtu < MTU_MIN || mtu > MTU_MAX))
                return false;
        *ret = mtu;
        return true;
}

// ---- name servers, of nameserver= and ip= ----

static void cmdline_add_dns4(struct cmdline_reader *reader, const char *name, uint32_t address) {
        struct cmdline *out = reader->out;
        for (size_t i = 0; i < out->dns_count; i++)
                if (out->dns[i] == address)
                        return;
        char text[ADDRESS_TEXT_SIZE];
        address_format(address, text);
        if (out->dns_count < DNS_MAX)
                out->dns[out->dns_count++] = address;
        else
                cmdline_note(reader, name, text, "left out: there are others enough");
}

void cmdline_add_dns(struct cmdline_reader *reader, const char *name, const struct address *address) {
        struct cmdline *out = reader->out;
        if (address->family == 4) {
                uint32_t bytes;
                memcpy(&bytes, address->bytes, sizeof bytes);
                cmdline_add_dns4(reader, name, ntohl(bytes));
                return;
        }
        for (size_t i = 0; i < out->dns6_count; i++)
                if (address_equal(&out->dns6[i], address))
                        return;
        char text[ADDRESS_ANY_TEXT_SIZE];
        address_format_any(address, text);
        if (out->dns6_count < DNS_MAX)
                out->dns6[out->dns6_count++] = *address;
        else
                cmdline_note(reader, name, text, "left out: there are others enough");
}
