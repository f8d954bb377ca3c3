// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <string.h>

#include "common.h"

extern char **environ;

static struct flag *find_flag(struct flag *flags, size_t count, const char *name, size_t length) {
        for (size_t i = 0; i < count; i++)
                if (strlen(flags[i].name) == length && strncmp(flags[i].name, name, length) == 0)
                        return &flags[i];
        return NULL;
}

static bool is_duration(const char *text) {
        static const char *const units[] = { "ns", "us", "ms", "secs", "mins", "hrs", "days", "weeks" };
        char *end;
        strtod(text, &end);
        if (end == text)
                return false;
        for (size_t i = 0; i < lengthof(units); i++)
                if (strcmp(end, units[i]) == 0)
                        return true;
        return false;
}

static bool is_number(const char *text) {
        char *end;
        strtod(text, &end);
        return end != text && *end == '\0';
}

static void check_value(const struct flag *flag) {
        const char *value = flag->value;
        bool valid = flag->type == FLAG_TEXT || (flag->type == FLAG_NUMBER && is_number(value)) ||
                     (flag->type == FLAG_DURATION && is_duration(value)) ||
                     (flag->type == FLAG_BOOL && (strcmp(value, "true") == 0 || strcmp(value, "false") == 0));
        if (!valid)
                die("Failed to load flag '%s': Failed to load value '%s'", flag->name, value);
}

static void print_help(const struct flag *flags, size_t count) {
        printf("Usage: %s [options]\n\nA stand-in for tests: takes the configuration of the program it stands for.\n\n",
               program_name);
        for (size_t i = 0; i < count; i++)
                printf("  --%s%s%s%s\n", flags[i].name, flags[i].type == FLAG_BOOL ? "" : "=VALUE",
                       flags[i].fallback ? "\tdefault: " : "", flags[i].fallback ? flags[i].fallback : "");
        exit(0);
}

static void answer_help(const struct flag *flags, size_t count, const char *argument) {
        if (strcmp(argument, "--help") == 0)
                print_help(flags, count);
        if (strcmp(argument, "--version") == 0) {
                printf("%s (not the real program)\n", program_name);
                exit(0);
        }
}

static void set_flag(struct flag *flag, const char *value) {
        if (flag->value)
                die("Duplicate flag '%s' on command line", flag->name);
        flag->value = value;
        check_value(flag);
}

static void load_mesos_argument(struct flag *flags, size_t count, const char *argument) {
        if (strncmp(argument, "--", 2) != 0)
                die("Failed to load unknown argument '%s'", argument);
        const char *name = argument + 2, *equals = strchr(name, '=');
        size_t length = equals ? (size_t)(equals - name) : strlen(name);
        struct flag *flag = find_flag(flags, count, name, length);
        bool negated = !flag && !equals && strncmp(name, "no-", 3) == 0;
        if (negated)
                flag = find_flag(flags, count, name + 3, length - 3);
        if (!flag)
                die("Failed to load unknown flag '%.*s'", (int)length, name);
        if (!equals && flag->type != FLAG_BOOL)
                die("Failed to load non-boolean flag '%s': Missing value", flag->name);
        set_flag(flag, negated ? "false" : equals ? equals + 1 : "true");
}

// MESOS_FOO of a known flag counts as --foo; others (MESOS_NATIVE_JAVA_LIBRARY) are not flags.
static void load_mesos_environment(struct flag *flags, size_t count) {
        for (char **variable = environ; *variable; variable++) {
                const char *equals = strchr(*variable, '=');
                if (strncmp(*variable, "MESOS_", 6) != 0 || !equals)
                        continue;
                auto_free char *name = xstrndup(*variable + 6, (size_t)(equals - *variable) - 6);
                for (char *c = name; *c; c++)
                        *c = (char)tolower((unsigned char)*c);
                struct flag *flag = find_flag(flags, count, name, strlen(name));
                if (flag)
                        set_flag(flag, equals + 1);
        }
}

void flags_load_mesos(struct flag *flags, size_t count, int argc, char **argv) {
        load_mesos_environment(flags, count);
        for (int i = 1; i < argc; i++) {
                answer_help(flags, count, argv[i]);
                load_mesos_argument(flags, count, argv[i]);
        }
}

// Returns how many arguments were used.
static int load_marathon_argument(struct flag *flags, size_t count, char *const *arguments) {
        const char *argument = arguments[0];
        if (strncmp(argument, "--", 2) != 0)
                die("Error: Excess arguments provided: '%s'", argument);
        const char *name = argument + 2, *equals = strchr(name, '=');
        size_t length = equals ? (size_t)(equals - name) : strlen(name);
        struct flag *flag = find_flag(flags, count, name, length);
        bool negated = !flag && strncmp(name, "disable_", 8) == 0;
        if (negated)
                flag = find_flag(flags, count, name + 8, length - 8);
        if (!flag || (negated && flag->type != FLAG_BOOL))
                die("Error: Unknown option '%.*s'", (int)length, name);
        if (flag->value)
                die("Error: Wrong format for option '%s': given twice", flag->name);
        if (flag->type == FLAG_BOOL) {
                flag->value = negated ? "false" : "true";
                return 1;
        }
        flag->value = equals ? equals + 1 : arguments[1];
        if (!flag->value || (!equals && strncmp(flag->value, "--", 2) == 0))
                die("Error: Wrong format for option '%s': no value", flag->name);
        check_value(flag);
        return equals ? 1 : 2;
}

void flags_load_marathon(struct flag *flags, size_t count, int argc, char **argv) {
        for (int i = 1; i < argc;) {
                answer_help(flags, count, argv[i]);
                i += load_marathon_argument(flags, count, argv + i);
        }
}

const char *flag_value(const struct flag *flags, size_t count, const char *name) {
        const struct flag *flag = find_flag((struct flag *)flags, count, name, strlen(name));
        return !flag ? NULL : flag->value ? flag->value : flag->fallback;
}

bool flag_given(const struct flag *flags, size_t count, const char *name) {
        const struct flag *flag = find_flag((struct flag *)flags, count, name, strlen(name));
        return flag && flag->value;
}

json_t *flags_json(const struct flag *flags, size_t count) {
        json_t *object = json_object();
        for (size_t i = 0; i < count; i++) {
                const char *value = flags[i].value ? flags[i].value : flags[i].fallback;
                if (value)
                        json_object_set_new(object, flags[i].name, json_string(value));
        }
        return object;
}
