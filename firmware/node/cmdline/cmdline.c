// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "firmware/node/cmdline/cmdline_internal.h"

static const char the_line[] = "the kernel command line";

const char *cmdline_source(enum cmdline_from from) {
        return from == FROM_CONFIG_DRIVE ? "config drive" : "command line";
}

// ---- words ----

// The kernel's: its table is Latin 1, where 0xa0 is a blank.
static bool is_blank(char byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r') || byte == '\xa0'; }

char *cmdline_next(char **at, char **ret_value) {
        char *word = *at;
        while (is_blank(*word))
                word++;
        if (!*word)
                return NULL;
        bool quoted = *word == '"', inside = quoted;
        word += quoted;
        char *end = word, *equals = NULL;
        for (; *end && (inside || !is_blank(*end)); end++) {
                if (*end == '=' && !equals && end > word) // a word may begin with one
                        equals = end;
                if (*end == '"')
                        inside = !inside;
        }
        *at = *end ? end + 1 : end;
        *end = '\0';
        if (quoted && end > word && end[-1] == '"')
                end[-1] = '\0';
        *ret_value = NULL;
        if (!equals)
                return word;
        *equals = '\0';
        char *value = equals + 1;
        if (*value == '"') {
                value++;
                if (end > value && end[-1] == '"')
                        end[-1] = '\0';
        }
        *ret_value = value;
        return word;
}

// What follows the word "--" is init's (the kernel's parse_args()).
static bool is_end(const char *word, const char *value) { return !value && strcmp(word, "--") == 0; }

bool cmdline_value(const char *text, const char *name, char *ret, size_t size) {
        auto_free char *copy = xstrdup(text);
        char *at = copy, *value, *word;
        bool found = false;
        while ((word = cmdline_next(&at, &value)) && !is_end(word, value)) {
                const char *shown = value ? value : "";
                if (strcmp(word, name) != 0 || strlen(shown) >= size)
                        continue;
                memcpy(ret, shown, strlen(shown) + 1);
                found = true;
        }
        return found;
}

// ---- what is said of them ----

bool cmdline_refuse(const struct cmdline_reader *reader, struct err *err, const char *name, const char *value,
                    const char *want) {
        return fail(err, ERR_IDENTITY, 0, "%s=%s on %s is not %s", name, value, reader->where, want);
}

bool cmdline_contradiction(const struct cmdline_reader *reader, struct err *err, const char *name, const char *first,
                           enum cmdline_from first_from, const char *second) {
        if (first_from != reader->from)
                return fail(err, ERR_IDENTITY, 0, "contradiction: %s=%s on %s, but %s=%s on %s", name, first, the_line,
                            name, second, reader->where);
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

// ---- kiln's own ----

// Sets a name once; the same value again is no contradiction.
static bool set_name(struct cmdline_reader *reader, char field[HOSTNAME_SIZE], enum cmdline_from *from,
                     const char *name, const char *value, struct err *err) {
        if (!hostname_is_valid(value))
                return cmdline_refuse(reader, err, name, value, "a name");
        if (*field && strcmp(field, value) != 0)
                return cmdline_contradiction(reader, err, name, field, *from, value);
        if (!*field)
                *from = reader->from;
        memcpy(field, value, strlen(value) + 1);
        return true;
}

static bool take_node(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        return set_name(reader, reader->out->node, &reader->out->node_from, name, value, err);
}

static bool take_role(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        return set_name(reader, reader->out->role, &reader->out->role_from, name, value, err);
}

static bool take_hostname(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        return set_name(reader, reader->out->hostname, &reader->out->hostname_from, name, value, err);
}

static bool take_id(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        struct cmdline *out = reader->out;
        int id = 0;
        for (const char *at = value; *at; at++) {
                if (!isdigit((unsigned char)*at) || id > 255)
                        return cmdline_refuse(reader, err, name, value, "a number of 1 to 255");
                id = id * 10 + (*at - '0');
        }
        if (id < 1 || id > 255)
                return cmdline_refuse(reader, err, name, value, "a number of 1 to 255");
        if (out->id && out->id != id) {
                char first[16];
                snprintf(first, sizeof first, "%d", out->id);
                return cmdline_contradiction(reader, err, name, first, out->id_from, value);
        }
        out->id_from = out->id ? out->id_from : reader->from;
        out->id = id;
        return true;
}

static bool take_kiln_ip(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        struct cmdline *out = reader->out;
        uint32_t address;
        int prefix = -1;
        auto_free char *copy = xstrdup(value);
        char *slash = strchr(copy, '/');
        if (slash)
                *slash = '\0';
        if (!address_parse(copy, &address) || !address_is_host(address) || (slash && !prefix_parse(slash + 1, &prefix)))
                return cmdline_refuse(reader, err, name, value, "ADDRESS/PREFIX");
        bool other_prefix = prefix > 0 && out->prefix > 0 && prefix != out->prefix;
        if (out->address && (out->address != address || other_prefix)) {
                char first[ADDRESS_TEXT_SIZE + 4], text[ADDRESS_TEXT_SIZE];
                address_format(out->address, text);
                snprintf(first, sizeof first, out->prefix > 0 ? "%s/%d" : "%s", text, out->prefix);
                return cmdline_contradiction(reader, err, name, first, out->address_from, value);
        }
        out->address_from = out->address ? out->address_from : reader->from;
        out->address = address;
        out->prefix = prefix > 0 ? prefix : out->prefix;
        return true;
}

static bool take_config(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        struct cmdline *out = reader->out;
        if (!*value || strlen(value) >= sizeof out->config)
                return cmdline_refuse(reader, err, name, value, "a label, or none");
        if (*out->config && strcmp(out->config, value) != 0)
                return cmdline_contradiction(reader, err, name, out->config, reader->from, value);
        memcpy(out->config, value, strlen(value) + 1);
        return true;
}

// ---- the boot loader's and dracut's that are no more than a word ----

static bool take_bootif(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        struct cmdline *out = reader->out;
        // "01-" and no more is iPXE's before ${netX} was: the loader had nothing to say.
        if (!*value || strcmp(value, "01-") == 0) {
                cmdline_note(reader, name, value, "the boot loader does not know its card");
                return true;
        }
        // pxelinux writes the ARP hardware type first: 01-aa-bb-cc-dd-ee-ff
        bool typed = strlen(value) == 20 && strncmp(value, "01", 2) == 0 && (value[2] == '-' || value[2] == ':');
        struct mac mac;
        if (!mac_parse(typed ? value + 3 : value, &mac))
                return cmdline_refuse(reader, err, name, value, "an Ethernet address");
        if (out->has_bootif && !mac_equal(&mac, &out->bootif)) {
                char first[MAC_TEXT_SIZE];
                mac_format(&out->bootif, first);
                return cmdline_contradiction(reader, err, name, first, reader->from, value);
        }
        out->bootif = mac;
        out->has_bootif = true;
        return true;
}

static bool take_bootdev(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        struct cmdline *out = reader->out;
        if (!interface_name_is_valid(value))
                return cmdline_refuse(reader, err, name, value, "a network interface");
        if (*out->bootdev && strcmp(out->bootdev, value) != 0)
                return cmdline_contradiction(reader, err, name, out->bootdev, reader->from, value);
        memcpy(out->bootdev, value, strlen(value) + 1);
        return true;
}

static bool take_nothing(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        (void)reader, (void)name, (void)value, (void)err;
        return true; // the initrd's own
}

static bool take_unread(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        (void)err;
        cmdline_note(reader, name, value, "not read by kiln; use ip=");
        return true;
}

static const struct parameter {
        const char *name;
        cmdline_take *take;
        bool on_drive; // means the same in kiln.conf
} parameters[] = {
        { "kiln.node", take_node, true },
        { "kiln.role", take_role, true },
        { "kiln.hostname", take_hostname, true },
        { "kiln.id", take_id, true },
        { "kiln.ip", take_kiln_ip, true },
        { "kiln.config", take_config, false },
        { "BOOTIF", take_bootif, false },
        { "bootdev", take_bootdev, true },
        { "ip", cmdline_take_ip, true },
        { "ip6", take_unread, false },
        { "nameserver", cmdline_take_nameserver, true },
        { "ifname", cmdline_take_ifname, true },
        { "vlan", cmdline_take_vlan, true },
        { "bond", cmdline_take_bond, true },
        { "team", cmdline_take_unmade, true },
        { "bridge", cmdline_take_unmade, true },
        { "rd.route", cmdline_take_route, true },
        { "kiln.root", take_nothing, false },
        { "kiln.debug", take_nothing, false },
        { "kiln.on_failure", take_nothing, false },
        { "kiln.overlay_size", take_nothing, false },
        { "kiln.reboot_delay", take_nothing, false },
        { "kiln.root_timeout", take_nothing, false },
};

static const struct parameter *find_parameter(const char *word) {
        for (size_t i = 0; i < lengthof(parameters); i++)
                if (strcmp(word, parameters[i].name) == 0)
                        return &parameters[i];
        return NULL;
}

static bool take_word(struct cmdline_reader *reader, const char *word, char *value, struct err *err) {
        static char none[1];
        const struct parameter *parameter = find_parameter(word);
        if (reader->from == FROM_CONFIG_DRIVE && (!parameter || !parameter->on_drive))
                return fail(err, ERR_IDENTITY, 0, "%s: \"%s\" %s", reader->where, word,
                            parameter ? "has no effect on a config drive; give it on the kernel command line"
                                      : "is no parameter of kiln");
        if (!parameter && strncmp(word, "kiln.", 5) == 0)
                cmdline_note(reader, word, value ? value : none, "unknown parameter");
        return !parameter || parameter->take(reader, word, value ? value : none, err);
}

static bool take_words(struct cmdline_reader *reader, char *text, struct err *err) {
        char *at = text, *value, *word;
        while ((word = cmdline_next(&at, &value))) {
                if (reader->from == FROM_CONFIG_DRIVE && *word == '#')
                        return true; // a comment, to the end of the line
                if (reader->from == FROM_COMMAND_LINE && is_end(word, value))
                        return true;
                if (!take_word(reader, word, value, err))
                        return false;
        }
        return true;
}

static bool parse_line(const char *text, struct cmdline *ret, struct err *err) {
        if (strlen(text) > CMDLINE_MAX)
                return fail(err, ERR_IDENTITY, 0, "%s is longer than %d bytes", the_line, CMDLINE_MAX);
        auto_free char *copy = xstrdup(text);
        *ret = (struct cmdline){ .prefix = -1 };
        char disabled[8] = "";
        struct cmdline_reader reader = { ret, FROM_COMMAND_LINE, the_line };
        if (!take_words(&reader, copy, err))
                return false;
        if (cmdline_value(text, "rd.bootif", disabled, sizeof disabled) && strcmp(disabled, "0") == 0)
                ret->has_bootif = false;
        return true;
}

bool cmdline_parse(const char *text, struct cmdline *ret, struct err *err) {
        auto_free struct cmdline *cmdline = xcalloc(1, sizeof *cmdline);
        if (!parse_line(text, cmdline, err) || !cmdline_check(cmdline, err))
                return false;
        *ret = *cmdline;
        return true;
}

bool cmdline_parse_drive(const char *text, const char *device, struct cmdline *cmdline, struct err *err) {
        static const char byte_order_mark[] = "\xef\xbb\xbf"; // of an editor on Windows
        auto_free char *copy = xstrdup(text);
        char *at = copy + (strncmp(copy, byte_order_mark, 3) == 0 ? 3 : 0);
        for (int line = 1; *at; line++) {
                char where[128];
                snprintf(where, sizeof where, "line %d of kiln.conf on %.64s", line, device);
                struct cmdline_reader reader = { cmdline, FROM_CONFIG_DRIVE, where };
                char *words = at;
                at += strcspn(at, "\n");
                if (*at)
                        *at++ = '\0';
                if (!take_words(&reader, words, err))
                        return false;
        }
        return cmdline_check(cmdline, err);
}

bool cmdline_read(const struct facts *facts, struct cmdline *ret, struct err *err) {
        const char *device = facts->config_device ? facts->config_device : "the config drive";
        if (!parse_line(facts->command_line, ret, err))
                return false;
        if (strcmp(ret->config, "none") == 0)
                return cmdline_check(ret, err);
        if (facts->config_problem)
                return fail(err, ERR_IDENTITY, 0, "%s", facts->config_problem);
        return facts->config_drive ? cmdline_parse_drive(facts->config_drive, device, ret, err)
                                   : cmdline_check(ret, err);
}
