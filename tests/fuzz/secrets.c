// SPDX-License-Identifier: MIT
// Fuzz target: kiln.secrets, which anybody may have written to a stick. Whatever the bytes are, reading ends: in an
// error that tells no value, or in secrets that are read again as they were when they are written anew.
//     clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ibuilder -I. tests/fuzz/secrets.c
//         builder/shared/secrets.c builder/base/{buf,err,mem}.c && ./a.out tests/fuzz/secrets.corpus
// tests/unit/node_fuzz_secrets.c replays the corpus on every run.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shared/secrets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_secret(const struct secret *secret, const struct secret *before, size_t size) {
        struct err err = { 0 };
        size_t least = 0;
        if (before)
                least = before->end;
        if (!secret_name_is_valid(secret->name) || !secret_value_check(secret->value, strlen(secret->value), &err))
                abort();
        if (secret->start < least || secret->end <= secret->start || secret->end > size)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        auto_secrets secrets = { 0 }, again = { 0 };
        struct err err = { 0 };
        auto_buf written = { 0 };
        if (!secrets_parse((const char *)data, size, &secrets, &err)) {
                if (err.kind != ERR_SYNTAX || strlen(err.text) > 200)
                        abort();
                err_release(&err);
                return 0;
        }
        for (size_t i = 0; i < secrets.count; i++) {
                const struct secret *before = NULL;
                if (i > 0)
                        before = &secrets.items[i - 1];
                check_secret(&secrets.items[i], before, size);
                secret_format(secrets.items[i].name, secrets.items[i].value, &written);
        }
        if (written.size > SECRETS_FILE_MAX_BYTES)
                return 0;
        if (!secrets_parse(buf_text(&written), written.size, &again, &err) || again.count != secrets.count)
                abort();
        for (size_t i = 0; i < secrets.count; i++)
                if (strcmp(secrets.items[i].name, again.items[i].name) != 0 ||
                    strcmp(secrets.items[i].value, again.items[i].value) != 0)
                        abort();
        return 0;
}
