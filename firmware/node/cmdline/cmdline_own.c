// SPDX-License-Identifier: MIT
// The parameters that are no more than a word: kiln's own, the boot loader's BOOTIF and dracut's bootdev.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "firmware/node/cmdline/cmdline_internal.h"

// ---- kiln's own ----

// Sets a name once; the same value again is no contradiction.
static bool set_name_once(struct cmdline_reader *reader, char field[HOSTNAME_SIZE], enum cmdline_from *from,
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

bool cmdline_take_node(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        return set_name_once(reader, reader->out->node, &reader->out->node_from, name, value, err);
}

bool cmdline_take_role(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        return set_name_once(reader, reader->out->role, &reader->out->role_from, name, value, err);
}

bool cmdline_take_hostname(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        return set_name_once(reader, reader->out->hostname, &reader->out->hostname_from, name, value, err);
}

bool cmdline_take_id(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
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
        if (!out->id)
                out->id_from = reader->from;
        out->id = id;
        return true;
}

bool cmdline_take_kiln_ip(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
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
                char first[ADDRESS_TEXT_SIZE + sizeof "/4294967295"], text[ADDRESS_TEXT_SIZE];
                address_format(out->address, text);
                snprintf(first, sizeof first, "%s", text);
                if (out->prefix > 0)
                        snprintf(first, sizeof first, "%s/%d", text, out->prefix);
                return cmdline_contradiction(reader, err, name, first, out->address_from, value);
        }
        if (!out->address)
                out->address_from = reader->from;
        out->address = address;
        if (prefix > 0)
                out->prefix = prefix;
        return true;
}

bool cmdline_take_config(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        struct cmdline *out = reader->out;
        if (!*value || strlen(value) >= sizeof out->config)
                return cmdline_refuse(reader, err, name, value, "a label, or none");
        if (*out->config && strcmp(out->config, value) != 0)
                return cmdline_contradiction(reader, err, name, out->config, reader->from, value);
        memcpy(out->config, value, strlen(value) + 1);
        return true;
}

// The command line is the network's, which an older build may serve as well as a newer one.
bool cmdline_take_allow_older(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        if (reader->from == FROM_COMMAND_LINE) {
                cmdline_note(reader, name, value, "has an effect on a config drive only");
                return true;
        }
        if (*value && strcmp(value, "1") != 0)
                return cmdline_refuse(reader, err, name, value, "1, or without a value");
        reader->out->allow_older = true;
        return true;
}

// ---- the boot loader's and dracut's that are no more than a word ----

bool cmdline_take_bootif(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        struct cmdline *out = reader->out;
        // "01-" and no more is iPXE's before ${netX} was: the loader had nothing to say.
        if (!*value || strcmp(value, "01-") == 0) {
                cmdline_note(reader, name, value, "the boot loader does not know its card");
                return true;
        }
        // pxelinux writes the ARP hardware type first: 01-aa-bb-cc-dd-ee-ff
        bool typed = strlen(value) == 20 && strncmp(value, "01", 2) == 0 && (value[2] == '-' || value[2] == ':');
        const char *text = value;
        if (typed)
                text += strlen("01-");
        struct mac mac;
        if (!mac_parse(text, &mac))
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

bool cmdline_take_bootdev(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        struct cmdline *out = reader->out;
        if (!interface_name_is_valid(value))
                return cmdline_refuse(reader, err, name, value, "a network interface");
        if (*out->bootdev && strcmp(out->bootdev, value) != 0)
                return cmdline_contradiction(reader, err, name, out->bootdev, reader->from, value);
        memcpy(out->bootdev, value, strlen(value) + 1);
        return true;
}

bool cmdline_take_nothing(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        (void)reader, (void)name, (void)value, (void)err;
        return true; // the initrd's own
}

bool cmdline_take_peerdns(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        (void)err;
        if (strcmp(value, "0") == 0)
                cmdline_note(reader, name, value, "DHCP's name servers are asked all the same");
        return true;
}

bool cmdline_take_unread(struct cmdline_reader *reader, const char *name, char *value, struct err *err) {
        (void)err;
        cmdline_note(reader, name, value, "not read by kiln; use ip=");
        return true;
}
