#include "firmware/node/cmdline.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

char *cmdline_next(char **at, char **ret_value) {
        char *word = *at;
        while (isspace((unsigned char)*word))
                word++;
        if (!*word)
                return NULL;
        bool quoted = *word == '"', inside = quoted;
        word += quoted;
        char *end = word, *equals = NULL;
        for (; *end && (inside || !isspace((unsigned char)*end)); end++) {
                if (*end == '=' && !equals)
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

bool cmdline_value(const char *text, const char *name, char *ret, size_t size) {
        auto_free char *copy = xstrdup(text);
        char *at = copy, *value, *word;
        bool found = false;
        while ((word = cmdline_next(&at, &value))) {
                const char *shown = value ? value : "";
                if (strcmp(word, name) != 0 || strlen(shown) >= size)
                        continue;
                memcpy(ret, shown, strlen(shown) + 1);
                found = true;
        }
        return found;
}

static void note(struct cmdline *cmdline, const char *format, const char *word) {
        if (cmdline->note_count < CMDLINE_NOTES_MAX)
                snprintf(cmdline->notes[cmdline->note_count++], sizeof cmdline->notes[0], format, word);
}

static bool refuse_value(struct err *err, const char *name, const char *value, const char *want) {
        return fail(err, ERR_IDENTITY, 0, "%s=%s on the kernel command line is not %s", name, value, want);
}

static bool refuse_second(struct err *err, const char *name, const char *first, const char *second) {
        return fail(err, ERR_IDENTITY, 0, "the kernel command line contradicts itself: %s=%s and %s=%s", name, first,
                    name, second);
}

// Sets a name once; the same value again is no contradiction.
static bool set_name(char field[HOSTNAME_SIZE], const char *name, const char *value, struct err *err) {
        if (!hostname_is_valid(value))
                return refuse_value(err, name, value, "a name");
        if (*field && strcmp(field, value) != 0)
                return refuse_second(err, name, field, value);
        memcpy(field, value, strlen(value) + 1);
        return true;
}

static bool on_node(struct cmdline *cmdline, const char *name, char *value, struct err *err) {
        return set_name(cmdline->node, name, value, err);
}

static bool on_role(struct cmdline *cmdline, const char *name, char *value, struct err *err) {
        return set_name(cmdline->role, name, value, err);
}

static bool on_hostname(struct cmdline *cmdline, const char *name, char *value, struct err *err) {
        return set_name(cmdline->hostname, name, value, err);
}

static bool on_id(struct cmdline *cmdline, const char *name, char *value, struct err *err) {
        int id = 0;
        for (const char *at = value; *at; at++) {
                if (!isdigit((unsigned char)*at) || id > 255)
                        return refuse_value(err, name, value, "a number of 1 to 255");
                id = id * 10 + (*at - '0');
        }
        if (id < 1 || id > 255)
                return refuse_value(err, name, value, "a number of 1 to 255");
        if (cmdline->id && cmdline->id != id)
                return fail(err, ERR_IDENTITY, 0,
                            "the kernel command line contradicts itself: kiln.id=%d and kiln.id=%d", cmdline->id, id);
        cmdline->id = id;
        return true;
}

static bool on_kiln_ip(struct cmdline *cmdline, const char *name, char *value, struct err *err) {
        uint32_t address;
        int prefix = -1;
        char *slash = strchr(value, '/');
        if (slash)
                *slash = '\0';
        bool ok =
            address_parse(value, &address) && address_is_host(address) && (!slash || prefix_parse(slash + 1, &prefix));
        if (slash)
                *slash = '/';
        if (!ok)
                return refuse_value(err, name, value, "ADDRESS/PREFIX");
        if (cmdline->address && (cmdline->address != address || cmdline->prefix != prefix))
                return fail(err, ERR_IDENTITY, 0, "the kernel command line gives two different kiln.ip=");
        cmdline->address = address;
        cmdline->prefix = prefix;
        return true;
}

static bool on_bootif(struct cmdline *cmdline, const char *name, char *value, struct err *err) {
        // "01-" and no more is iPXE's before ${netX} was: the loader had nothing to say.
        if (!*value || strcmp(value, "01-") == 0) {
                note(cmdline, "BOOTIF=%s: the boot loader does not know its card", value);
                return true;
        }
        // pxelinux writes the ARP hardware type first: 01-aa-bb-cc-dd-ee-ff
        const char *text = strlen(value) == 20 && strncmp(value, "01", 2) == 0 ? value + 3 : value;
        struct mac mac;
        if (!mac_parse(text, &mac))
                return refuse_value(err, name, value, "an Ethernet address");
        if (cmdline->has_bootif && !mac_equal(&mac, &cmdline->bootif))
                return fail(err, ERR_IDENTITY, 0, "the kernel command line gives two different BOOTIF=");
        cmdline->bootif = mac;
        cmdline->has_bootif = true;
        return true;
}

static bool on_nameserver(struct cmdline *cmdline, const char *name, char *value, struct err *err) {
        uint32_t address;
        if (strchr(value, ':')) {
                note(cmdline, "nameserver=%s: only IPv4 is used", value);
                return true;
        }
        if (!address_parse(value, &address))
                return refuse_value(err, name, value, "an address");
        if (cmdline->dns_count < DNS_MAX)
                cmdline->dns[cmdline->dns_count++] = address;
        return true;
}

// Splits at colons, but not inside brackets (IPv6).
static size_t split_fields(char *text, char *fields[], size_t max) {
        size_t count = 0;
        bool bracket = false;
        fields[count++] = text;
        for (; *text; text++) {
                bracket = *text == '[' ? true : *text == ']' ? false : bracket;
                if (*text != ':' || bracket)
                        continue;
                if (count == max)
                        return max + 1;
                *text = '\0';
                fields[count++] = text + 1;
        }
        return count;
}

static bool is_dynamic(const char *method) {
        static const char *const methods[] = { "dhcp", "on", "any", "single-dhcp", "both" };
        for (size_t i = 0; i < lengthof(methods); i++)
                if (strcmp(method, methods[i]) == 0)
                        return true;
        return false;
}

static bool is_ipv6_only(const char *method) {
        static const char *const methods[] = { "dhcp6", "auto6", "either6", "link6", "link-local" };
        for (size_t i = 0; i < lengthof(methods); i++)
                if (strcmp(method, methods[i]) == 0)
                        return true;
        return false;
}

static bool set_interface(struct cmdline_ip *ip, const char *text) {
        if (mac_parse(text, &ip->mac)) {
                ip->has_mac = true;
                return true;
        }
        if (strlen(text) >= INTERFACE_NAME_SIZE || strpbrk(text, "/ "))
                return false;
        memcpy(ip->interface, text, strlen(text) + 1);
        return true;
}

static bool parse_mtu(const char *text, int *ret) {
        int mtu = 0;
        for (const char *at = text; *at; at++) {
                if (!isdigit((unsigned char)*at) || mtu > 65535)
                        return false;
                mtu = mtu * 10 + (*at - '0');
        }
        if (*text && (mtu < 68 || mtu > 65535))
                return false;
        *ret = mtu;
        return true;
}

// After the method: [mtu[:mac]], or [dns1[:dns2]]. A MAC arrives as up to six fields, and kiln never changes one.
static bool parse_tail(struct cmdline_ip *ip, char *fields[], size_t count) {
        for (size_t i = 0; i < count && i < 2; i++) {
                uint32_t dns;
                if (address_parse(fields[i], &dns))
                        ip->dns[ip->dns_count++] = dns;
                else if (i == 0 && !parse_mtu(fields[i], &ip->mtu))
                        return false;
        }
        return true;
}

static bool parse_static(struct cmdline_ip *ip, char *fields[], size_t count) {
        bool gateway_ok = !*fields[2] || address_parse(fields[2], &ip->gateway);
        bool prefix_ok = !*fields[3] || prefix_parse(fields[3], &ip->prefix);
        bool hostname_ok = !*fields[4] || hostname_is_valid(fields[4]);
        if (!address_parse(fields[0], &ip->address) || !address_is_host(ip->address) || !gateway_ok || !prefix_ok ||
            !hostname_ok || !set_interface(ip, fields[5]))
                return false;
        memcpy(ip->hostname, fields[4], strlen(fields[4]) + 1);
        return parse_tail(ip, fields + 7, count - 7);
}

// A MAC in the <if> place is written with '-' here, since ':' separates; dracut's "aa:bb:.." form is joined again.
static size_t join_mac(char *fields[], size_t count, size_t at) {
        if (at + 6 > count || strlen(fields[at]) != 2)
                return count;
        struct mac mac;
        char joined[MAC_TEXT_SIZE];
        snprintf(joined, sizeof joined, "%.2s:%.2s:%.2s:%.2s:%.2s:%.2s", fields[at], fields[at + 1], fields[at + 2],
                 fields[at + 3], fields[at + 4], fields[at + 5]);
        if (!mac_parse(joined, &mac))
                return count;
        memcpy(fields[at], joined, sizeof joined); // the six fields lie one after the other
        memmove(fields + at + 1, fields + at + 6, (count - at - 6) * sizeof *fields);
        return count - 5;
}

static bool parse_ip(struct cmdline_ip *ip, char *fields[], size_t count) {
        if (count == 1) {
                ip->dhcp = is_dynamic(fields[0]);
                return ip->dhcp;
        }
        count = join_mac(fields, count, 0);
        if (count >= 2 && is_dynamic(fields[1])) {
                ip->dhcp = true;
                return set_interface(ip, fields[0]) && parse_tail(ip, fields + 2, count - 2);
        }
        if (count < 6)
                return false;
        count = join_mac(fields, count, 5);
        const char *method = count > 6 ? fields[6] : "none";
        if (is_dynamic(method)) { // DHCP with a hostname or an interface given
                ip->dhcp = true;
                if (*fields[4] && !hostname_is_valid(fields[4]))
                        return false;
                memcpy(ip->hostname, fields[4], strlen(fields[4]) + 1);
                return set_interface(ip, fields[5]);
        }
        if (*method && strcmp(method, "none") != 0 && strcmp(method, "off") != 0)
                return false;
        return parse_static(ip, fields, count);
}

static bool on_ip(struct cmdline *cmdline, const char *name, char *value, struct err *err) {
        enum { FIELDS_MAX = 24 };
        auto_free char *copy = xstrdup(value);
        char *fields[FIELDS_MAX + 1] = { 0 };
        size_t count = split_fields(copy, fields, FIELDS_MAX);
        const char *method = count == 1 ? fields[0] : count == 2 ? fields[1] : count > 6 ? fields[6] : "";
        if (is_ipv6_only(method) || fields[0][0] == '[') {
                note(cmdline, "ip=%s: only IPv4 is used", value);
                return true;
        }
        if (strcmp(value, "none") == 0 || strcmp(value, "off") == 0 || !*value)
                return true;
        struct cmdline_ip ip = { .prefix = -1 };
        if (count > FIELDS_MAX || !parse_ip(&ip, fields, count))
                return refuse_value(err, name, value, "one of dracut's forms");
        if (cmdline->ip_count == CMDLINE_IP_MAX)
                return fail(err, ERR_IDENTITY, 0, "the kernel command line has more than %d ip=", CMDLINE_IP_MAX);
        cmdline->ips[cmdline->ip_count++] = ip;
        return true;
}

static bool on_stacked(struct cmdline *cmdline, const char *name, char *value, struct err *err) {
        (void)err;
        char text[sizeof cmdline->notes[0]];
        snprintf(text, sizeof text, "%s=%.60s", name, value);
        note(cmdline, "%s: kiln makes none; the address goes to the card itself", text);
        return true;
}

static bool ignored(struct cmdline *cmdline, const char *name, char *value, struct err *err) {
        (void)cmdline, (void)name, (void)value, (void)err;
        return true; // the initrd's own
}

static const struct parameter {
        const char *name;
        bool (*set)(struct cmdline *cmdline, const char *name, char *value, struct err *err);
} parameters[] = {
        { "kiln.node", on_node },
        { "kiln.role", on_role },
        { "kiln.hostname", on_hostname },
        { "kiln.id", on_id },
        { "kiln.ip", on_kiln_ip },
        { "BOOTIF", on_bootif },
        { "ip", on_ip },
        { "nameserver", on_nameserver },
        { "vlan", on_stacked },
        { "bond", on_stacked },
        { "team", on_stacked },
        { "bridge", on_stacked },
        { "kiln.root", ignored },
        { "kiln.debug", ignored },
        { "kiln.on_failure", ignored },
        { "kiln.overlay_size", ignored },
        { "kiln.root_timeout", ignored },
};

static bool take_word(struct cmdline *cmdline, const char *word, char *value, struct err *err) {
        static char none[] = "";
        for (size_t i = 0; i < lengthof(parameters); i++)
                if (strcmp(word, parameters[i].name) == 0)
                        return parameters[i].set(cmdline, word, value ? value : none, err);
        if (strncmp(word, "kiln.", 5) == 0)
                note(cmdline, "%s: unknown parameter", word);
        return true;
}

bool cmdline_parse(const char *text, struct cmdline *ret, struct err *err) {
        if (strlen(text) > CMDLINE_MAX)
                return fail(err, ERR_IDENTITY, 0, "the kernel command line is longer than %d bytes", CMDLINE_MAX);
        auto_free char *copy = xstrdup(text);
        struct cmdline cmdline = { .prefix = -1 };
        char *at = copy, *value, *word;
        while ((word = cmdline_next(&at, &value)))
                if (!take_word(&cmdline, word, value, err))
                        return false;
        *ret = cmdline;
        return true;
}
