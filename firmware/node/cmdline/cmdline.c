// SPDX-License-Identifier: MIT
// The table of parameters, and the two texts that hold them.
#include "firmware/node/cmdline/cmdline.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "firmware/node/cmdline/cmdline_internal.h"

static const struct parameter {
        const char *name;
        cmdline_take *take;
        bool on_drive; // means the same in kiln.conf
} parameters[] = {
        { "kiln.node", cmdline_take_node, true },
        { "kiln.role", cmdline_take_role, true },
        { "kiln.hostname", cmdline_take_hostname, true },
        { "kiln.id", cmdline_take_id, true },
        { "kiln.ip", cmdline_take_kiln_ip, true },
        { "kiln.config", cmdline_take_config, false },
        { "kiln.allow_older", cmdline_take_allow_older, true },
        { "BOOTIF", cmdline_take_bootif, false },
        { "bootdev", cmdline_take_bootdev, true },
        { "ip", cmdline_take_ip, true },
        { "ip6", cmdline_take_unread, false },
        { "nameserver", cmdline_take_nameserver, true },
        { "ifname", cmdline_take_ifname, true },
        { "vlan", cmdline_take_vlan, true },
        { "bond", cmdline_take_bond, true },
        { "team", cmdline_take_unmade, true },
        { "bridge", cmdline_take_unmade, true },
        { "rd.peerdns", cmdline_take_peerdns, false },
        { "rd.route", cmdline_take_route, true },
        { "kiln.root", cmdline_take_nothing, false },
        { "kiln.debug", cmdline_take_nothing, false },
        { "kiln.on_failure", cmdline_take_nothing, false },
        { "kiln.report", cmdline_take_nothing, false },
        { "kiln.overlay_size", cmdline_take_nothing, false },
        { "kiln.reboot_delay", cmdline_take_nothing, false },
        { "kiln.root_timeout", cmdline_take_nothing, false },
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
        bool on_drive = reader->from == FROM_CONFIG_DRIVE;
        if (!value)
                value = none;
        if (parameter && on_drive && !parameter->on_drive)
                return fail(err, ERR_IDENTITY, 0,
                            "%s: \"%s\" has no effect on a config drive; give it on the kernel command line",
                            reader->where, word);
        if (parameter)
                return parameter->take(reader, word, value, err);
        if (on_drive)
                return fail(err, ERR_IDENTITY, 0, "%s: \"%s\" is no parameter of kiln", reader->where, word);
        if (strncmp(word, "kiln.", 5) == 0)
                cmdline_note(reader, word, value, "unknown parameter");
        return true;
}

static bool take_words(struct cmdline_reader *reader, char *text, struct err *err) {
        char *at = text, *value, *word;
        while ((word = cmdline_next(&at, &value))) {
                if (reader->from == FROM_CONFIG_DRIVE && *word == '#')
                        return true; // a comment, to the end of the line
                if (reader->from == FROM_COMMAND_LINE && cmdline_is_end(word, value))
                        return true;
                if (!take_word(reader, word, value, err))
                        return false;
        }
        return true;
}

static bool parse_command_line(const char *text, struct cmdline *ret, struct err *err) {
        if (strlen(text) > CMDLINE_MAX)
                return fail(err, ERR_IDENTITY, 0, "%s is longer than %d bytes", cmdline_where, CMDLINE_MAX);
        auto_free char *copy = xstrdup(text);
        *ret = (struct cmdline){ .prefix = -1 };
        char disabled[8] = "";
        struct cmdline_reader reader = { ret, FROM_COMMAND_LINE, cmdline_where };
        if (!take_words(&reader, copy, err))
                return false;
        if (cmdline_value(text, "rd.bootif", disabled, sizeof disabled) && strcmp(disabled, "0") == 0)
                ret->has_bootif = false;
        return true;
}

bool cmdline_parse(const char *text, struct cmdline *ret, struct err *err) {
        auto_free struct cmdline *cmdline = xcalloc(1, sizeof *cmdline);
        if (!parse_command_line(text, cmdline, err) || !cmdline_check(cmdline, err))
                return false;
        *ret = *cmdline;
        return true;
}

bool cmdline_parse_drive(const char *text, const char *device, struct cmdline *cmdline, struct err *err) {
        static const char byte_order_mark[] = "\xef\xbb\xbf"; // of an editor on Windows
        auto_free char *copy = xstrdup(text);
        char *at = copy;
        size_t dns_count = cmdline->dns_count, dns6_count = cmdline->dns6_count, route_count = cmdline->route_count;
        if (strncmp(copy, byte_order_mark, strlen(byte_order_mark)) == 0)
                at += strlen(byte_order_mark);
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
        cmdline->drive_dns_count = cmdline->dns_count - dns_count;
        cmdline->drive_dns6_count = cmdline->dns6_count - dns6_count;
        cmdline->drive_route_count = cmdline->route_count - route_count;
        return cmdline_check(cmdline, err);
}

static const char *drive_name(const struct facts *facts) {
        if (facts->config_device)
                return facts->config_device;
        return "the config drive";
}

bool cmdline_read_drive(const struct facts *facts, struct cmdline *ret, struct err *err) {
        auto_free struct cmdline *cmdline = xcalloc(1, sizeof *cmdline);
        cmdline->prefix = -1;
        if (facts->config_problem)
                return fail(err, ERR_IDENTITY, 0, "%s", facts->config_problem);
        if (facts->config_drive && !cmdline_parse_drive(facts->config_drive, drive_name(facts), cmdline, err))
                return false;
        *ret = *cmdline;
        return true;
}

bool cmdline_read(const struct facts *facts, struct cmdline *ret, struct err *err) {
        assert(facts->command_line);
        if (!parse_command_line(facts->command_line, ret, err))
                return false;
        if (strcmp(ret->config, "none") == 0)
                return cmdline_check(ret, err);
        if (facts->config_problem)
                return fail(err, ERR_IDENTITY, 0, "%s", facts->config_problem);
        if (facts->config_drive)
                return cmdline_parse_drive(facts->config_drive, drive_name(facts), ret, err);
        return cmdline_check(ret, err);
}
