// SPDX-License-Identifier: MIT
// Passwords that everybody knows: a variable whose name says that its value is a secret, and whose value is nothing,
// its own name, or what manuals and lists of defaults have.
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "profile/checks/checks.h"

static const char *const secret_words[] = { "password", "passwd", "passphrase", "pass",  "pwd",
                                            "secret",   "token",  "key",        "apikey" };

// The last is what kiln's own cluster file had for a while.
static const char *const known_values[] = { "admin",  "administrator", "root",    "toor",    "user",    "guest",
                                            "test",   "demo",          "default", "secret",  "private", "public",
                                            "change", "qwerty",        "letmein", "welcome", "kilnvrrp" };

// The last word of a name ends it: "stats_password", "statsPassword", "stats-passwords".
static bool ends_with_word(const char *name, size_t size, const char *word) {
        size_t length = strlen(word);
        if (size > length && name[size - 1] == 's' && strncasecmp(name + size - 1 - length, word, length) == 0)
                size--;
        if (size < length || strncasecmp(name + size - length, word, length) != 0)
                return false;
        const char *start = name + size - length;
        return start == name || !isalpha((unsigned char)start[-1]) || isupper((unsigned char)start[0]);
}

// Keys that are meant for everybody are no secrets.
static bool is_name_of_secret(const char *name) {
        static const char *const open_words[] = { "pub", "author", "trust" };
        for (size_t i = 0; i < lengthof(open_words); i++)
                if (strcasestr(name, open_words[i]))
                        return false;
        for (size_t i = 0; i < lengthof(secret_words); i++)
                if (ends_with_word(name, strlen(name), secret_words[i]))
                        return true;
        return false;
}

// "123456", "0000", "aaaaaa": each character is the one before, or the next after it.
static bool is_a_row(const char *text) {
        size_t size = strlen(text);
        for (size_t i = 1; i < size; i++)
                if (text[i] != text[i - 1] && text[i] != text[i - 1] + 1)
                        return false;
        return size > 0;
}

// "admin", "Admin123", "changeme", "change_me", "password1!".
static bool is_word_and_digits(const char *text, const char *word) {
        size_t size = strlen(word);
        if (strncasecmp(text, word, size) != 0)
                return false;
        text += size;
        text += strspn(text, "_- ");
        if (strncasecmp(text, "me", 2) == 0)
                text += 2;
        while (*text && !isalpha((unsigned char)*text))
                text++;
        return *text == '\0';
}

static bool is_known_value(const char *name, const char *value) {
        if (is_a_row(value) || strcasecmp(value, name) == 0)
                return true;
        for (size_t i = 0; i < lengthof(secret_words); i++)
                if (is_word_and_digits(value, secret_words[i]))
                        return true;
        for (size_t i = 0; i < lengthof(known_values); i++)
                if (is_word_and_digits(value, known_values[i]))
                        return true;
        return false;
}

static void warn_of_value(struct loader *loader, const char *name, const struct value *value,
                          const struct place *key_place) {
        const struct place *place = &value->place;
        if (!place->file)
                place = key_place;
        if (value->type == VALUE_NULL || !value->text[0])
                report_warning(loader->diagnostics, place, "the variable `%s` is empty, and by its name a secret",
                               name);
        else if (is_known_value(name, value->text))
                report_warning(loader->diagnostics, place,
                               "the variable `%s` is by its name a secret, and `%s` is what everybody tries first",
                               name, value->text);
        else
                return;
        report_hint(loader->diagnostics,
                    "everybody can read what is in an image: give it a name in `secrets:`, use it as "
                    "{{secrets.NAME}}, and put its value on the nodes with `kiln secret put`");
}

static void look_for_passwords(struct loader *loader, const char *name, const struct value *value,
                               const struct place *key_place) {
        bool is_secret = is_name_of_secret(name);
        bool is_single = value->type == VALUE_NULL || value->type == VALUE_SCALAR;
        if (is_single && is_secret)
                warn_of_value(loader, name, value, key_place);
        for (size_t i = 0; value->type == VALUE_LIST && i < value->count; i++)
                look_for_passwords(loader, name, value->items[i], key_place);
        for (size_t i = 0; value->type == VALUE_MAP && i < value->count; i++)
                look_for_passwords(loader, value->keys[i], value->items[i], &value->key_places[i]);
}

static void look_at_variables(struct loader *loader, const struct value *variables) {
        if (variables && variables->type == VALUE_MAP)
                look_for_passwords(loader, "", variables, &variables->place);
}

void check_known_passwords(struct loader *loader, const struct cluster *cluster) {
        look_at_variables(loader, cluster->variables);
        look_at_variables(loader, cluster->release.variables);
        for (size_t i = 0; i < cluster->role_count; i++)
                look_at_variables(loader, cluster->roles[i].variables);
        for (size_t i = 0; i < cluster->node_count; i++)
                look_at_variables(loader, cluster->nodes[i].variables);
}
