// SPDX-License-Identifier: MIT
#include "shared/base64.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum { GROUP_BYTES = 3, GROUP_CHARACTERS = 4, BITS = 6 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static uint32_t group_bits(const unsigned char *bytes, size_t count) {
        uint32_t bits = 0;
        for (size_t i = 0; i < GROUP_BYTES; i++) {
                bits <<= 8;
                if (i < count)
                        bits |= bytes[i];
        }
        return bits;
}

static void encode_group(const unsigned char *bytes, size_t count, char ret[static GROUP_CHARACTERS]) {
        uint32_t bits = group_bits(bytes, count);
        for (size_t i = 0; i < GROUP_CHARACTERS; i++) {
                bool padding = i > count;
                ret[i] = '=';
                if (!padding)
                        ret[i] = alphabet[bits >> (BITS * (GROUP_CHARACTERS - 1 - i)) & 63];
        }
}

void base64_encode(const void *data, size_t size, size_t columns, struct buf *ret) {
        const unsigned char *bytes = data;
        size_t column = 0;
        for (size_t done = 0; done < size; done += GROUP_BYTES) {
                char group[GROUP_CHARACTERS];
                size_t left = size - done;
                encode_group(bytes + done, left < GROUP_BYTES ? left : GROUP_BYTES, group);
                for (size_t i = 0; i < GROUP_CHARACTERS; i++) {
                        if (columns && column == columns) {
                                buf_append_char(ret, '\n');
                                column = 0;
                        }
                        buf_append_char(ret, group[i]);
                        column++;
                }
        }
        if (columns && column)
                buf_append_char(ret, '\n');
}

// One group of four characters; `*ret_end`: it was padded, so that nothing may follow.
static bool decode_group(const char group[static GROUP_CHARACTERS], struct buf *ret, bool *ret_end) {
        uint32_t bits = 0;
        size_t padding = 0;
        for (size_t i = 0; i < GROUP_CHARACTERS; i++) {
                const char *found = memchr(alphabet, group[i], sizeof alphabet - 1);
                bool pads = group[i] == '=' && i >= 2;
                if (pads)
                        padding++;
                else if (!found || padding)
                        return false;
                bits <<= BITS;
                if (found)
                        bits |= (uint32_t)(found - alphabet);
        }
        uint32_t unused = (1U << (8 * padding)) - 1;
        if (bits & unused)
                return false;
        for (size_t i = 0; i < GROUP_BYTES - padding; i++)
                buf_append_char(ret, (char)(bits >> (8 * (GROUP_BYTES - 1 - i))));
        *ret_end = padding > 0;
        return true;
}

bool base64_decode(const char *text, size_t size, struct buf *ret) {
        size_t before = ret->size, count = 0;
        char group[GROUP_CHARACTERS];
        bool end = false, ok = true;
        for (size_t i = 0; ok && i < size; i++) {
                if (strchr(" \t\r\n", text[i]) && text[i])
                        continue;
                ok = !end;
                group[count++] = text[i];
                if (ok && count == GROUP_CHARACTERS) {
                        ok = decode_group(group, ret, &end);
                        count = 0;
                }
        }
        ok = ok && count == 0;
        if (!ok && ret->data) {
                ret->size = before;
                ret->data[before] = '\0';
        }
        assert(ret->size >= before);
        return ok;
}
