// SPDX-License-Identifier: MIT
#include "http/http_token.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "base/mem.h"

enum { TOKEN_FILE_MAX = 1 << 16, TOKEN_LEAST = 16 };

// No header's value has another character.
static bool is_sendable(const char *text, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (text[i] < ' ' || text[i] > '~')
                        return false;
        return true;
}

bool http_token_read(const char *option, const char *path, char **ret, struct err *err) {
        assert(option && path && ret);
        auto_buf text = { .max = TOKEN_FILE_MAX };
        if (!fs_read(AT_FDCWD, path, &text, err))
                return wrap(err, "%s", option);
        size_t size = strcspn(buf_text(&text), "\r\n");
        bool is_usable = is_sendable(buf_text(&text), size);
        if (size >= TOKEN_LEAST && is_usable)
                *ret = xstrndup(text.data, size);
        if (text.data)
                explicit_bzero(text.data, text.size);
        if (!is_usable)
                return fail(err, ERR_USAGE, 0, "%s %s: the token has characters that no header may have", option, path);
        if (size < TOKEN_LEAST)
                return fail(err, ERR_USAGE, 0, "%s %s: the token has less than %d characters", option, path,
                            TOKEN_LEAST);
        return true;
}

bool http_token_matches(const char *authorization, const char *token) {
        static const char scheme[] = "Bearer ";
        if (!token || !authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0)
                return false;
        const char *given = authorization + sizeof scheme - 1;
        size_t size = strlen(token);
        if (strlen(given) != size)
                return false;
        unsigned char difference = 0;
        for (size_t i = 0; i < size; i++)
                difference |= (unsigned char)(given[i] ^ token[i]);
        return difference == 0;
}
