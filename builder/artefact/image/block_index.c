// SPDX-License-Identifier: MIT
#include "artefact/image/block_index.h"

#include <assert.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"

#define HEAD "kiln blocks "
#define SEAL "sha256 "
enum { SEAL_LENGTH = sizeof SEAL - 1 + 64 + 1 };

void block_sum(const void *data, size_t size, char ret_sum[static BLOCK_SUM_SIZE]) {
        snprintf(ret_sum, BLOCK_SUM_SIZE, "%08x%08x", libdeflate_crc32(0, data, size),
                 libdeflate_adler32(1, data, size));
}

static int by_key_of_block(const void *left, const void *right) {
        const struct block_place *a = left, *b = right;
        return strcmp(a->key, b->key);
}

void block_index_format(struct block_place *places, size_t count, const char *maker, struct buf *ret) {
        char hex[DIGEST_HEX_SIZE];
        size_t start = ret->size;
        assert(!strchr(maker, '\n'));
        if (count > 0)
                qsort(places, count, sizeof *places, by_key_of_block);
        buf_printf(ret, HEAD "%s\n", maker);
        for (size_t i = 0; i < count; i++)
                buf_printf(ret, "%s %llu %u %s\n", places[i].key, (unsigned long long)places[i].offset, places[i].size,
                           places[i].sum);
        digest_bytes("sha256", ret->data + start, ret->size - start, hex);
        buf_printf(ret, SEAL "%s\n", hex);
}

// ---- reading ----

// The text without its seal, or 0 if the seal is not the text's.
static size_t sealed_length(const struct buf *text) {
        char hex[DIGEST_HEX_SIZE];
        if (text->size <= SEAL_LENGTH)
                return 0;
        size_t length = text->size - SEAL_LENGTH;
        digest_bytes("sha256", text->data, length, hex);
        auto_free char *seal = xasprintf(SEAL "%s\n", hex);
        if (memcmp(text->data + length, seal, SEAL_LENGTH) != 0)
                return 0;
        return length;
}

// Whoever sealed a text wrote its lines well, but perhaps was no kiln.
static bool parse_block_line(const char *line, struct block_place *ret) {
        unsigned long long offset;
        int end = -1;
        if (sscanf(line, "%32[0-9a-f] %llu %u %16[0-9a-f]%n", ret->key, &offset, &ret->size, ret->sum, &end) != 4)
                return false;
        ret->offset = offset;
        bool is_full = strlen(ret->key) == BLOCK_KEY_SIZE - 1 && strlen(ret->sum) == BLOCK_SUM_SIZE - 1;
        return is_full && end > 0 && line[end] == '\0' && ret->size > 0 && offset <= INT64_MAX;
}

static bool parse_block_lines(char *lines, struct block_place **places, size_t *count) {
        char *rest = lines;
        for (char *line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n"))
                if (!parse_block_line(line, array_append(places, count)))
                        return false;
        return true;
}

struct block_place *block_index_parse(const struct buf *text, const char *maker, size_t *ret_count) {
        auto_free char *head = xasprintf(HEAD "%s\n", maker);
        struct block_place *places = NULL;
        size_t count = 0;
        *ret_count = 0;
        size_t length = sealed_length(text);
        if (length < strlen(head) || memcmp(text->data, head, strlen(head)) != 0)
                return NULL;
        auto_free char *lines = xstrndup(text->data + strlen(head), length - strlen(head));
        if (!parse_block_lines(lines, &places, &count)) {
                free(places);
                return NULL;
        }
        *ret_count = count;
        return places;
}
