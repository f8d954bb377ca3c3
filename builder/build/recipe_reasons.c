// SPDX-License-Identifier: MIT
#include "build/recipe_reasons.h"

#include <string.h>

#include "base/buf.h"
#include "base/json_member.h"
#include "base/mem.h"
#include "build/build_recipe.h"

enum { SHOWN_BYTES_MAX = 60, ITEMS_SHOWN = 4 };

// ---- sentences ----

static bool has_reason(const json_t *reasons, const char *text) {
        size_t index;
        const json_t *reason;
        json_array_foreach(reasons, index, reason) {
                if (strcmp(json_string_value(reason), text) == 0)
                        return true;
        }
        return false;
}

static void recipe_say(json_t *reasons, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void recipe_say(json_t *reasons, const char *format, ...) {
        va_list arguments;
        va_start(arguments, format);
        auto_free char *text = xvasprintf(format, arguments);
        va_end(arguments);
        if (!has_reason(reasons, text))
                (void)!json_array_append_new(reasons, json_string(text));
}

// On one line, and not for ever.
static void recipe_append_shown(struct buf *to, const char *text) {
        size_t length = strlen(text), shown = size_min(length, SHOWN_BYTES_MAX);
        while (shown < length && shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80) // no half of a character
                shown--;
        for (size_t i = 0; i < shown; i++)
                buf_append_char(to, (unsigned char)text[i] < ' ' ? ' ' : text[i]);
        if (shown < length)
                buf_append_text(to, "...");
}

static bool has_item(const json_t *list, const json_t *item) {
        size_t index;
        const json_t *other;
        json_array_foreach(list, index, other) {
                if (json_equal(item, other))
                        return true;
        }
        return false;
}

// "+ a, b" of what `list` has and `other` lacks.
static void append_additional(struct buf *to, const char *sign, const json_t *list, const json_t *other) {
        size_t index, count = 0;
        const json_t *item;
        json_array_foreach(list, index, item) {
                if (has_item(other, item))
                        continue;
                if (count < ITEMS_SHOWN) {
                        buf_append_text(to, count == 0 ? sign : ", ");
                        recipe_append_shown(to, text_or(json_string_value(item), ""));
                }
                count++;
        }
        if (count > ITEMS_SHOWN)
                buf_printf(to, " and %zu more", count - ITEMS_SHOWN);
}

static void append_list_change(struct buf *to, const json_t *before, const json_t *now) {
        size_t size = to->size;
        append_additional(to, " + ", now, before);
        append_additional(to, " - ", before, now);
        if (to->size == size)
                buf_append_text(to, " in another order");
}

// "KEY OLD -> NEW", of texts or lists of texts; NULL: there was or is none.
static void add_change(json_t *reasons, const char *what, const json_t *before, const json_t *now) {
        auto_buf text = { 0 };
        if (json_equal(before, now))
                return;
        buf_append_text(&text, what);
        if (json_is_array(before) || json_is_array(now)) {
                append_list_change(&text, before, now);
        } else {
                buf_append_char(&text, ' ');
                recipe_append_shown(&text, text_or(json_string_value(before), "(none)"));
                buf_append_text(&text, " -> ");
                recipe_append_shown(&text, text_or(json_string_value(now), "(none)"));
        }
        recipe_say(reasons, "%s", buf_text(&text));
}

// Calls back for every key that differs between two objects, which may be NULL.
typedef void changed_key(const char *key, const json_t *before, const json_t *now, void *context);

static void each_change(const json_t *before, const json_t *now, changed_key *call, void *context) {
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)now, key, value) {
                const json_t *other = json_object_get(before, key);
                if (!json_equal(other, value))
                        call(key, other, value, context);
        }
        json_object_foreach((json_t *)before, key, value) {
                if (!json_object_get(now, key))
                        call(key, value, NULL, context);
        }
}

// ---- packages ----

static void add_package_reason(const char *key, const json_t *before, const json_t *now, void *context) {
        const char *old = json_string_value(before), *new = json_string_value(now);
        if (!old && !new)
                return;
        const char *dot = strrchr(key, '.');
        int name = (int)(text_or(dot, key + strlen(key)) - key);
        size_t old_length = strcspn(text_or(old, ""), " "), new_length = strcspn(text_or(new, ""), " ");
        if (!old)
                recipe_say(context, "package %.*s %.*s is new", name, key, (int)new_length, new);
        else if (!new)
                recipe_say(context, "package %.*s %.*s is gone", name, key, (int)old_length, old);
        else if (old_length == new_length && strncmp(old, new, new_length) == 0)
                recipe_say(context, "package %.*s %.*s has other bytes", name, key, (int)new_length, new);
        else
                recipe_say(context, "package %.*s %.*s -> %.*s", name, key, (int)old_length, old, (int)new_length, new);
}

// Those that are the layer's own. What the layer below it has as well is told there.
struct own_packages {
        json_t *reasons;
        const json_t *below_before, *below_now;
};

static void add_own_package_reason(const char *key, const json_t *before, const json_t *now, void *context) {
        const struct own_packages *own = context;
        const json_t *below_before = json_object_get(own->below_before, key);
        const json_t *below_now = json_object_get(own->below_now, key);
        bool is_below = below_before || below_now; // two that are absent are not equal to jansson
        if (!is_below || json_equal(below_before, below_now))
                add_package_reason(key, before, now, own->reasons);
}

static const json_t *step_of(const json_t *recipe, const char *step) {
        return json_object_get(json_object_get(recipe, "steps"), step);
}

static const json_t *packages_of(const json_t *recipe, const char *step) {
        return json_object_get(step_of(recipe, step), "packages");
}

static void add_package_reasons(const json_t *before, const json_t *now, const char *step, json_t *reasons) {
        const char *below = json_string_value(json_object_get(step_of(now, step), "below"));
        struct own_packages own = { .reasons = reasons };
        if (below) {
                own.below_before = packages_of(before, below);
                own.below_now = packages_of(now, below);
        }
        each_change(packages_of(before, step), packages_of(now, step), add_own_package_reason, &own);
}

// ---- the inputs of a step ----

// What a line of inputs begins with. Those that SAY have values that people can read.
static const struct input_word {
        const char *word, *means;
        enum { TELL, SAY, IGNORE } how;
} input_words[] = {
        { "maker", "kiln, or a library that it works with, is another", TELL },
        { "parent", "the layer below is another", TELL },
        { "packages", NULL, IGNORE }, // told one by one
        { "arch", "arch", SAY },
        { "rpmdb", "rpm database", SAY },
        { "time", "SOURCE_DATE_EPOCH", SAY },
        { "may_fail", "packages whose scriptlets may fail:", SAY },
        { "user", "users that packages give files to:", SAY },
        { "layer", "what is installed is another", TELL },
        { "compressor", "compressor", SAY },
        { "level", "level of compression", SAY },
        { "block", "bytes of a block", SAY },
        { "root", "the root is another", TELL },
        { "image", "kernel", SAY },
        { "kernel", "kernel", SAY },
        { "module", "initrd.modules", SAY },
        { "busybox", "this machine's busybox is another", TELL },
        { "kiln-node", "kiln-node is another", TELL },
        { "source", "kiln's firmware/initramfs is another", TELL },
        { "cluster", "name of the cluster", SAY },
        { "minimum_serial", "minimum_serial", SAY },
        { "key", "trusted_keys are others", TELL },
};

static const struct input_word *find_input_word(const char *word) {
        for (size_t i = 0; i < lengthof(input_words); i++)
                if (strcmp(input_words[i].word, word) == 0)
                        return &input_words[i];
        return NULL;
}

// The values of the lines by their words: arrays of texts, in the order of the text.
static json_t *parse_inputs(const char *text) {
        json_t *inputs = json_object();
        while (*text) {
                size_t length = strcspn(text, "\n"), word_length = size_min(strcspn(text, " "), length);
                auto_free char *word = xstrndup(text, word_length);
                const char *value = text + size_min(word_length + 1, length);
                json_t *values = json_object_get(inputs, word);
                if (!values) {
                        values = json_array();
                        (void)!json_object_set_new(inputs, word, values);
                }
                (void)!json_array_append_new(values, json_stringn(value, (size_t)(text + length - value)));
                text += length;
                if (*text)
                        text++;
        }
        return inputs;
}

// One value is told as a text, several as a list.
static const json_t *only_value(const json_t *values, const json_t *others) {
        if (json_array_size(values) <= 1 && json_array_size(others) <= 1)
                return json_array_get(values, 0);
        return values;
}

static void add_input_reason(const char *word, const json_t *before, const json_t *now, void *context) {
        const struct input_word *known = find_input_word(word);
        if (!known)
                recipe_say(context, "%s is another", word);
        else if (known->how == TELL)
                recipe_say(context, "%s", known->means);
        else if (known->how == SAY)
                add_change(context, known->means, only_value(before, now), only_value(now, before));
}

static const char *inputs_of(const json_t *recipe, const char *step) {
        return json_string_value(json_object_get(step_of(recipe, step), "inputs"));
}

// Of a step whose inputs are not known before packages are downloaded, which nobody had then.
static void add_unknown_reason(const json_t *before, const json_t *now, const char *step, json_t *reasons) {
        const char *below = json_string_value(json_object_get(step_of(now, step), "below"));
        if (below && !json_equal(packages_of(before, below), packages_of(now, below)))
                recipe_say(reasons, "%s", find_input_word("parent")->means);
        else if (json_array_size(reasons) == 0)
                recipe_say(reasons, "what it is made from is another");
}

void recipe_step_reasons(const json_t *before, const json_t *now, const char *step, json_t *reasons) {
        const char *old = inputs_of(before, step), *new = inputs_of(now, step);
        add_package_reasons(before, now, step, reasons);
        if (old && !new)
                add_unknown_reason(before, now, step, reasons);
        if (!old || !new)
                return;
        json_t *old_inputs = parse_inputs(old), *new_inputs = parse_inputs(new);
        each_change(old_inputs, new_inputs, add_input_reason, reasons);
        json_decref(old_inputs);
        json_decref(new_inputs);
}

bool recipe_inputs_are_same(const json_t *recipe, const char *step, const char *other) {
        const char *one = inputs_of(recipe, step), *two = inputs_of(recipe, other);
        return one && two && strcmp(one, two) == 0;
}

bool recipe_step_is_same(const json_t *before, const json_t *now, const char *step) {
        const char *old = inputs_of(before, step), *new = inputs_of(now, step);
        return old && new &&strcmp(old, new) == 0;
}

char *recipe_input(const json_t *recipe, const char *step, const char *word) {
        const char *text = inputs_of(recipe, step);
        if (!text)
                return NULL;
        json_t *inputs = parse_inputs(text);
        const char *value = json_string_value(json_array_get(json_object_get(inputs, word), 0));
        char *found = value ? xstrdup(value) : NULL;
        json_decref(inputs);
        return found;
}

// ---- settings and files ----

struct settings {
        json_t *reasons;
        const char *role; // NULL: of the whole build
        size_t count;
};

static bool key_begins_with(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }

static bool is_of_other_role(const char *key, const char *role) {
        size_t length = strlen(role);
        if (!key_begins_with(key, "roles."))
                return false;
        key += strlen("roles.");
        return strncmp(key, role, length) != 0 || key[length] != '.';
}

// Of a role's configuration: not what the release says of packages, nor what packages a role has.
static bool concerns_configuration(const char *key, const char *role) {
        size_t length = strlen(key), end = strlen(".packages");
        bool is_packages = length > end && strcmp(key + length - end, ".packages") == 0;
        return !is_of_other_role(key, role) && !is_packages && !key_begins_with(key, "release.");
}

static void add_setting(const char *key, const json_t *before, const json_t *now, void *context) {
        struct settings *settings = context;
        settings->count++;
        if (!settings->role || concerns_configuration(key, settings->role))
                add_change(settings->reasons, key, before, now);
}

static void add_role_file_reason(const char *path, const json_t *before, const json_t *now, void *context) {
        if (!before)
                recipe_say(context, "file %s is new", path);
        else if (!now)
                recipe_say(context, "file %s is gone", path);
        else
                recipe_say(context, "file %s changed", path);
}

static const json_t *role_files(const json_t *recipe, const char *role) {
        return json_object_get(json_object_get(recipe, "roles"), role);
}

void recipe_configuration_reasons(const json_t *before, const json_t *now, const char *role, json_t *reasons) {
        struct settings settings = { .reasons = reasons, .role = role };
        each_change(role_files(before, role), role_files(now, role), add_role_file_reason, reasons);
        each_change(json_object_get(before, "settings"), json_object_get(now, "settings"), add_setting, &settings);
}

// ---- the whole build ----

struct inputs_told {
        json_t *reasons;
        json_t *contents; // of sources that were told by the files that they become
        bool settings_changed;
};

static void note_content(json_t *contents, const json_t *file) {
        const char *value = text_or(json_string_value(file), "");
        const char *sha256 = strchr(value, ' ');
        if (sha256 && sha256[1])
                (void)!json_object_set_new(contents, sha256 + 1, json_true());
}

static void add_told_file(const char *path, const json_t *before, const json_t *now, void *context) {
        struct inputs_told *told = context;
        add_role_file_reason(path, before, now, told->reasons);
        note_content(told->contents, before);
        note_content(told->contents, now);
}

static bool is_told_content(const struct inputs_told *told, const json_t *sha256) {
        const char *text = json_string_value(sha256);
        return text && json_object_get(told->contents, text);
}

static void add_input_file(const char *name, const json_t *before, const json_t *now, void *context) {
        const struct inputs_told *told = context;
        size_t length = strlen(name);
        bool is_yaml = length > strlen(".yaml") && strcmp(name + length - strlen(".yaml"), ".yaml") == 0;
        bool is_told_by_values = is_yaml && told->settings_changed;
        if (is_told_by_values || is_told_content(told, before) || is_told_content(told, now))
                return;
        if (!before)
                recipe_say(told->reasons, "%s is new", name);
        else if (!now)
                recipe_say(told->reasons, "%s is gone", name);
        else if (is_yaml)
                recipe_say(told->reasons, "%s changed, though no value did", name);
        else
                recipe_say(told->reasons, "%s changed", name);
}

static void add_option_reason(const char *key, const json_t *before, const json_t *now, void *context) {
        add_change(context, key, before, now);
}

static void add_kiln_reason(const json_t *before, const json_t *now, json_t *reasons) {
        const char *old = member_text(before, "version"), *new = member_text(now, "version");
        if (strcmp(old, new) != 0)
                recipe_say(reasons, "kiln itself is another version: %s -> %s", old, new);
        else if (strcmp(member_text(before, "code"), member_text(now, "code")) != 0)
                recipe_say(reasons, "kiln itself was changed");
}

void recipe_build_reasons(const json_t *before, const json_t *now, json_t *reasons) {
        struct settings settings = { .reasons = reasons };
        const char *step, *role;
        json_t *value;
        add_kiln_reason(json_object_get(before, "kiln"), json_object_get(now, "kiln"), reasons);
        each_change(json_object_get(before, "options"), json_object_get(now, "options"), add_option_reason, reasons);
        json_object_foreach(json_object_get(now, "steps"), step, value) {
                if (packages_of(before, step))
                        add_package_reasons(before, now, step, reasons);
        }
        each_change(json_object_get(before, "settings"), json_object_get(now, "settings"), add_setting, &settings);
        struct inputs_told told = { .reasons = reasons, .contents = json_object() };
        size_t count = json_array_size(reasons);
        json_object_foreach(json_object_get(now, "roles"), role, value) {
                if (role_files(before, role))
                        each_change(role_files(before, role), value, add_told_file, &told);
        }
        told.settings_changed = settings.count > 0 || json_array_size(reasons) > count;
        each_change(json_object_get(before, "files"), json_object_get(now, "files"), add_input_file, &told);
        json_decref(told.contents);
}
